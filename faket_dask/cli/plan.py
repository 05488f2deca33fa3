"""`faket-dask plan`."""

from __future__ import annotations

from faket_dask.cli.console import RunFile, Where, say


def show_plan(config: RunFile, cluster: Where = "local") -> None:
    """Show what a run would compute: units, memory per task, disk, time, and the jobs that it would submit.

    Example: `faket-dask plan configs/demo.yaml`

    For a cluster, submitting nothing: `faket-dask plan my.yaml --cluster configs/cluster/slurm-cpu.yaml`
    """
    from faket_dask.cli.requirements import show_requirements
    from faket_dask.cluster.open import resolve_profile
    from faket_dask.config import BuiltSpecimen, load
    from faket_dask.config.specimen_summary import describe_specimen
    from faket_dask.pipeline.plan import plan

    profile = resolve_profile(cluster)
    planned = plan(load(config))
    spec = planned.spec
    say(f"{len(spec.specimens)} specimens, {spec.title}, fingerprint {spec.fingerprint}")
    if isinstance(spec.config.specimen, BuiltSpecimen):
        say(f"specimen: {describe_specimen(spec.config.specimen)}")
    show_requirements(planned, spec.config.cluster, profile)
