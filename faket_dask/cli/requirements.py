"""Display of what a planned run needs: units, memory, disk, time, and the jobs that it would submit."""

from __future__ import annotations

import math
from typing import Any

from rich.table import Column, Table

from faket_dask.cli.console import out, say
from faket_dask.durations import format_duration


def show_requirements(planned: Any, settings: Any, profile: Any) -> None:
    """Print what is left of a run to do.

    Parameters
    ----------
    planned
        Plan of the run.
    settings
        Section `cluster` of its file.
    profile
        Cluster profile; ``None`` for this machine.
    """
    from dask.utils import format_bytes

    from faket_dask.cluster.local import size_workers
    from faket_dask.cluster.sizing import size_jobs
    from faket_dask.engine.completed import CompletedUnits

    done = CompletedUnits.read(planned).counts()
    requirements = planned.requirements(done)
    table = Table(Column("stage", no_wrap=True), "units left", "memory per task", "time per task", "written")
    for stage in requirements.stages:
        table.add_row(
            stage.stage,
            str(stage.units),
            format_bytes(stage.bytes_per_task),
            format_duration(stage.seconds_per_task),
            format_bytes(stage.bytes_written),
        )
    out.print(table)
    finished = sum(done.values())
    unknown = f" and the unknown time of {', '.join(requirements.unknown)}" if requirements.unknown else ""

    def say_remaining(seconds: float, where: str) -> None:
        say(
            f"{finished} units are done, {requirements.units} left: about {format_duration(seconds)} on {where}"
            f"{unknown}, at most {format_bytes(requirements.bytes_written)} of disk"
        )

    if profile is None:
        workers, memory = size_workers(requirements, settings.workers, settings.memory_per_worker_GiB)
        where = f"{workers} workers of this machine ({format_bytes(memory)} each)"
        say_remaining(requirements.seconds(workers), where)
        return
    from faket_dask.cluster.batch import job_script  # imports dask-jobqueue

    sizing = size_jobs(requirements, profile, settings.workers, settings.memory_per_worker_GiB)
    if not requirements.units:
        say(f"{finished} units are done, 0 left: nothing would be submitted")
        return
    gpus = f", {sizing.gpus_per_job} GPUs" if sizing.gpus_per_job else ""
    where = (
        f"{sizing.workers} workers: {sizing.jobs} jobs of {sizing.processes_per_job} processes, each job with "
        f"{sizing.cores_per_job} cores, {format_bytes(sizing.bytes_per_job)}{gpus}"
    )
    say_remaining(requirements.seconds(sizing.workers), where)
    table = Table("workers", "jobs", "time", "node-hours")
    for count in sizing.list_worker_counts(requirements.widest):
        seconds, jobs = requirements.seconds(count), math.ceil(count / sizing.processes_per_job)
        table.add_row(str(count), str(jobs), format_duration(seconds), f"{jobs * seconds / 3600:.3g}")
    out.print(table)
    say("times are those of this machine's cores, without waiting in the queue; a job counts as a node")
    say("each job is submitted as:\n")
    say(job_script(profile, sizing, planned.spec.folder.job_logs))
