"""`faket-dask plan`."""

from __future__ import annotations

import math

from rich.table import Table

from faket_dask.cli.console import RunFile, Where, explained, out, say


@explained
def show_plan(config: RunFile, cluster: Where = "local") -> None:
    """Show what a run would do: units, memory per task, disk, time, and the jobs that it would submit.

    Example: `faket-dask plan configs/demo.yaml`

    For a cluster, submitting nothing: `faket-dask plan my.yaml --cluster configs/cluster/slurm-cpu.yaml`
    """
    from faket_dask.cluster.local import size_workers
    from faket_dask.cluster.open import resolve_profile
    from faket_dask.cluster.requirements import GIB
    from faket_dask.cluster.sizing import size_jobs
    from faket_dask.config import load
    from faket_dask.engine.completed import CompletedUnits
    from faket_dask.pipeline.plan import plan
    from faket_dask.progress import duration

    profile = resolve_profile(cluster)
    planned = plan(load(config))
    spec = planned.spec
    done = CompletedUnits.read(planned).counts()
    requirements = planned.requirements(done)
    say(
        f"{len(spec.specimens)} specimens, {len(spec.series)} series of "
        f"{spec.stack_text} (tilts x y x x), fingerprint {spec.fingerprint}"
    )
    table = Table("stage", "units left", "memory per task", "time per task", "written")
    for stage in requirements.stages:
        table.add_row(
            stage.stage,
            str(stage.units),
            f"{stage.bytes_per_task / GIB:.2f} GiB",
            f"{stage.seconds_per_task:.2g} s",
            f"{stage.bytes_written / GIB:.2f} GiB",
        )
    out.print(table)
    settings = spec.config.cluster
    left = (
        f"{sum(done.values())} units are done, {requirements.units} left: about {{time}} on {{where}}, "
        f"at most {requirements.bytes_written / GIB:.2f} GiB of disk"
    )
    if profile is None:
        workers, memory = size_workers(requirements, settings.workers, settings.memory_per_worker_GiB)
        where = f"{workers} workers of this machine ({memory / GIB:.1f} GiB each)"
        say(left.format(time=duration(requirements.seconds(workers)), where=where))
        return
    from faket_dask.cluster.batch import job_script  # brings dask-jobqueue along

    sizing = size_jobs(requirements, profile, settings.workers, settings.memory_per_worker_GiB)
    if not requirements.units:
        say(f"{sum(done.values())} units are done, 0 left: nothing would be submitted")
        return
    gpus = f", {sizing.gpus_per_job} GPUs" if sizing.gpus_per_job else ""
    where = (
        f"{sizing.workers} workers: {sizing.jobs} jobs of {sizing.processes_per_job} processes, each job with "
        f"{sizing.cores_per_job} cores, {sizing.bytes_per_job / GIB:.2f} GiB{gpus}"
    )
    say(left.format(time=duration(requirements.seconds(sizing.workers)), where=where))
    table = Table("workers", "jobs", "time", "node-hours")
    for count in sizing.counts_to_compare(requirements.widest):
        seconds, jobs = requirements.seconds(count), math.ceil(count / sizing.processes_per_job)
        table.add_row(str(count), str(jobs), duration(seconds), f"{jobs * seconds / 3600:.3g}")
    out.print(table)
    say("times are those of this machine's cores, without waiting in the queue; a job counts as a node")
    say("each job is submitted as:\n")
    say(job_script(profile, sizing, spec.layout.job_logs))
