"""`faket-dask study`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faket_dask.cli.console import FAILED, Overwrite, Where, err, resumable, say

app = typer.Typer(
    help="Train pickers on tomograms, and compare their picks in unseen ones.", no_args_is_help=True
)

StudyFile = Annotated[Path, typer.Argument(help="Study file (YAML).", show_default=False)]
FileOrFolder = Annotated[Path, typer.Argument(help="Study file, or folder of a study.", show_default=False)]


@app.command(name="plan")
def study_plan(config: StudyFile, cluster: Where = "local") -> None:
    """Show what a study would compute: units, hours, memory and disk; the data sets must be there.

    Example: `faket-dask study plan configs/study-demo.yaml`
    """
    from faket_dask.cli.requirements import show_requirements
    from faket_dask.cluster.open import resolve_profile
    from faket_dask.study.run import plan_study

    profile = resolve_profile(cluster)
    planned = plan_study(config)
    spec = planned.spec
    say(f"{spec.title}, fingerprint {spec.fingerprint}")
    for name, size in spec.sizes.models.items():
        epochs = spec.config.training_of(name).epochs
        say(f"{name}: {len(spec.training[name])} tomograms, {epochs} epochs of {size.steps} steps")
    show_requirements(planned, spec.config.cluster, profile)


@app.command(name="run")
def study_run(config: StudyFile, cluster: Where = "local", overwrite: Overwrite = False) -> None:
    """Train all models with all seeds, pick, score and report, or finish what was begun.

    Example: `faket-dask study run configs/study-demo.yaml`

    On GPUs of a cluster: `faket-dask study run my-study.yaml --cluster my-gpus.yaml`
    """
    from faket_dask.cluster.open import resolve_profile
    from faket_dask.progress import ProgressDisplay
    from faket_dask.study.run import plan_study, run_study

    where = resolve_profile(cluster) or "local"
    planned = plan_study(config)
    command = f"faket-dask study run {config}" + ("" if cluster == "local" else f" --cluster {cluster}")
    with resumable(command), ProgressDisplay(err) as display:
        failures = run_study(planned, watch=display, cluster=where, overwrite=overwrite)
    if failures:
        failed = typer.style(f"{len(failures)} units failed", fg="red", bold=True)
        say(f"{failed}, and the units that depend on them are missing:", err=True)
        for failure in failures:
            say(f"  {failure.unit}: {failure.cause}", err=True)
        say(f"fix the cause and run again: `{command}`", err=True)
        raise typer.Exit(FAILED)
    say(f"scores: {planned.spec.table}")
    say(f"report: {planned.spec.report}")


@app.command(name="status")
def study_status(
    study: FileOrFolder,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Show progress live until the run ends; Ctrl-C stops the display only."),
    ] = False,
) -> None:
    """Show the progress of a study, also during a run.

    Example: `faket-dask study status configs/study-demo.yaml --watch`
    """
    from faket_dask.cli.status import status

    status(_find_folder(study), watch)


@app.command(name="report")
def study_report(study: FileOrFolder, overwrite: Overwrite = False) -> None:
    """Write the report and the table of a study anew, from the scores that are there.

    Example: `faket-dask study report configs/study-demo.yaml`
    """
    from faket_dask.study.run import report_study

    spec = report_study(_find_folder(study), overwrite=overwrite)
    say(f"scores: {spec.table}")
    say(f"report: {spec.report}")


def _find_folder(study: Path) -> Path:
    """Return the folder of a study that is named by its file or itself."""
    from faket_dask.config.study import load_study

    return study if study.is_dir() else load_study(study).study.folder
