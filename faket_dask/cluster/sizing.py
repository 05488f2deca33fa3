"""Number of jobs of a run and the resources of each: arithmetic on requirements and profile alone.

A worker process computes one unit at a time, on as many cores as the configuration gives to a task, and there are
never more processes than units that can run at once. A job holds as many processes as its cores and its memory allow,
or one for each of its GPUs.
"""

from __future__ import annotations

import math

from dask.utils import format_bytes

from faket_dask.cluster.jobs import Sizing
from faket_dask.cluster.profile import DEFAULT_WORKERS, Profile
from faket_dask.cluster.requirements import GIB, Requirements
from faket_dask.errors import InputError

CLOSE_S = 30.0
"""Seconds that a worker takes to close, and its job to end."""

STAGGER = 0.1
"""Variation of lifetimes as a fraction, so that not all workers are replaced at once."""


def size_jobs(
    requirements: Requirements,
    profile: Profile,
    workers: int | None = None,
    memory_per_worker_GiB: float | None = None,
) -> Sizing:
    """Fit the requirements of a run into jobs of a profile.

    Parameters
    ----------
    requirements
        Requirements of the run.
    profile
        Cluster profile.
    workers
        Most worker processes, as in the run file; the profile's own limit holds as well.
    memory_per_worker_GiB
        Memory of a worker, as in the run file; by default that of the largest task and a quarter more.

    Raises
    ------
    InputError
        When a job or its GPU is too small for one task, or its walltime too short for the longest one; the message
        shows the arithmetic.
    """
    threads = requirements.threads_per_task
    worker_bytes = requirements.check_worker_memory(memory_per_worker_GiB) or requirements.bytes_per_worker
    gpus = _count_gpus_per_job(requirements, profile)
    settings = profile.resolve()
    lifetime, stagger, drain = _plan_lifetime(requirements, settings.walltime_s)
    cores, memory = settings.cores or threads * max(1, gpus), settings.memory_bytes
    if cores < threads:
        raise InputError(
            f"one task computes on {threads} threads (style.threads), a job of the cluster profile has "
            f"{cores} cores; raise `cores` to {threads} at least"
        )
    if memory is not None and memory < worker_bytes:
        raise InputError(
            f"one task needs {format_bytes(requirements.bytes_per_task)} and its worker "
            f"{format_bytes(worker_bytes)}, a job of the cluster profile has {format_bytes(memory)}; raise "
            f"`memory` to {math.ceil(worker_bytes / GIB)}GiB at least, or make smaller tiles (style.tile)"
        )
    limits = [cores // threads]
    if memory is not None:
        limits.append(memory // worker_bytes)
    if gpus:
        limits.append(gpus)
    requested = [count for count in (workers, profile.workers) if count is not None] or [DEFAULT_WORKERS]
    total = max(1, min(requirements.widest, *requested))
    jobs = math.ceil(total / min(limits))
    processes = total // jobs
    return Sizing(
        jobs=jobs,
        processes_per_job=processes,
        cores_per_job=processes * threads,
        bytes_per_job=processes * worker_bytes,
        gpus_per_job=processes if gpus else 0,
        lifetime_s=lifetime,
        stagger_s=stagger,
        drain_s=drain,
    )


def _count_gpus_per_job(requirements: Requirements, profile: Profile) -> int:
    """Return the number of GPUs that a job may request; none for a run that uses none."""
    need = requirements.gpu_bytes_per_task
    if not need:
        return 0
    remedy = "write `device: cpu` (the same profile then asks for no GPU)"
    if profile.gpu is None:
        raise InputError(
            "the configuration computes on a GPU (`device: cuda`), and the cluster profile offers none; "
            f"give it a section `gpu`, or {remedy}"
        )
    if need > profile.gpu.memory_bytes:
        stage = max(requirements.stages, key=lambda stage: stage.gpu_bytes_per_task)
        raise InputError(
            f"one task of the stage {stage.stage} needs {format_bytes(need)} of a GPU, those of the cluster "
            f"profile have {format_bytes(profile.gpu.memory_bytes)}; make smaller tiles (style.tile, or "
            f"style.memory_per_task_GiB for `tile: auto`), or {remedy}"
        )
    return profile.gpu.per_job


def _plan_lifetime(requirements: Requirements, walltime_s: float) -> tuple[float, float, float]:
    """Return lifetime, stagger and drain time of a worker, in seconds.

    A unit that starts just before the drain time still ends before its job does.
    """
    longest = requirements.longest
    unit = longest.longest_s + longest.start_s if longest else 0.0
    useful = walltime_s - unit - CLOSE_S
    if useful <= 0 or useful < unit:
        stage = f" (stage {longest.stage})" if longest else ""
        raise InputError(
            f"the walltime of a worker job is {walltime_s:.0f} s, and the longest unit{stage} takes about "
            f"{unit:.0f} s: 2 x {unit:.0f} s + {CLOSE_S:.0f} s to close are needed at least, so that one begun late "
            f"can end; write a walltime of {_format_walltime(2 * unit + CLOSE_S)} or more"
        )
    stagger = STAGGER * useful
    return walltime_s - CLOSE_S - stagger, stagger, unit


def _format_walltime(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"'{minutes // 60:02d}:{minutes % 60:02d}:00'"
