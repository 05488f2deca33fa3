"""`faket-dask run`."""

from __future__ import annotations

import typer

from faket_dask.cli.console import FAILED, Overwrite, RunFile, Where, err, resumable, say


def run(config: RunFile, cluster: Where = "local", overwrite: Overwrite = False) -> None:
    """Compute a data set, or finish one that was begun.

    Example: `faket-dask run configs/demo.yaml`

    As jobs of a cluster: `faket-dask run my.yaml --cluster configs/cluster/slurm-cpu.yaml`
    """
    from faket_dask.cluster.open import resolve_profile
    from faket_dask.config import load
    from faket_dask.pipeline.plan import plan
    from faket_dask.progress import ProgressDisplay
    from faket_dask.workflow.run import run_dataset_plan

    where = resolve_profile(cluster) or "local"
    planned = plan(load(config))
    command = f"faket-dask run {config}" + ("" if cluster == "local" else f" --cluster {cluster}")
    with resumable(command), ProgressDisplay(err) as display:
        dataset = run_dataset_plan(
            planned, watch=display, cluster=where, run_file=config, overwrite=overwrite
        )
    if dataset.failures:
        failed = typer.style(f"{len(dataset.failures)} units failed", fg="red", bold=True)
        say(f"{failed}, and the units that depend on them are missing:", err=True)
        for failure in dataset.failures:
            say(f"  {failure.unit}: {failure.cause}", err=True)
        say(f"fix the cause and run again: `{command}`", err=True)
        raise typer.Exit(FAILED)
    say(f"{len(dataset.series)} series in {dataset.folder}")
    if planned.spec.config.outputs.report:
        say(f"report: {planned.spec.folder.report}")
