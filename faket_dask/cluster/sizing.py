"""How many jobs a run submits, and what each of them asks for: arithmetic on requirements and profile alone.

One tilt per core: a worker process computes one unit at a time, on as many cores as the configuration gives to
a task, and there are never more of them than units that can run at once. A job holds as many as its cores and its
memory do, or one for each of its GPUs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from faket_dask.cluster.profile import DEFAULT_WORKERS, Profile
from faket_dask.cluster.requirements import GIB, Requirements
from faket_dask.errors import InputError

CLOSE_S = 30.0
"""What a worker takes to close, and its job to end."""

STAGGER = 0.1
"""Part of a worker's lifetime by which they differ, so that not all are replaced at once."""


@dataclass(frozen=True)
class Sizing:
    """Jobs of a run.

    Parameters
    ----------
    jobs
        At once; one that is lost is replaced.
    processes_per_job
        Worker processes of each.
    cores_per_job, bytes_per_job, gpus_per_job
        That each asks for.
    lifetime_s, stagger_s
        After which a worker ends itself, give or take.
    drain_s
        Before its end, from when on it finishes what it has and takes nothing new.
    """

    jobs: int
    processes_per_job: int
    cores_per_job: int
    bytes_per_job: int
    gpus_per_job: int
    lifetime_s: float
    stagger_s: float
    drain_s: float

    @property
    def workers(self) -> int:
        return self.jobs * self.processes_per_job

    def counts_to_compare(self, widest: int) -> list[int]:
        """Numbers of workers to tell the time for: 1, 2, 4, … up to as many as can be busy, and this sizing's own."""
        doubled = [2**power for power in range(widest.bit_length())]
        return sorted({*doubled, self.workers, widest})


def size_jobs(
    requirements: Requirements,
    profile: Profile,
    workers: int | None = None,
    memory_per_worker_GiB: float | None = None,
) -> Sizing:
    """Fit the requirements of a run into jobs of a profile.

    Parameters
    ----------
    workers
        At most, as the run file says; the profile's own limit holds as well.
    memory_per_worker_GiB
        As the run file says; by default what the largest task needs, and a quarter more.

    Raises
    ------
    InputError
        When a job cannot hold one task, its GPU cannot, or its time is too short for the longest one; with
        the arithmetic.
    """
    threads = requirements.threads_per_task
    worker_bytes = _worker_bytes(requirements, memory_per_worker_GiB)
    gpus = _gpus_per_job(requirements, profile)
    lifetime, stagger, drain = _lifetime(requirements, profile)
    cores, memory = profile.setting("cores"), profile.memory_bytes
    if cores is None:
        cores = threads * max(1, gpus)
    limits = [cores // threads]
    if memory is not None:
        limits.append(memory // worker_bytes)
    if gpus:
        limits.append(gpus)
    if limits[0] < 1:
        raise InputError(
            f"one task computes on {threads} threads (style.threads), a job of the cluster profile has "
            f"{cores} cores; raise `cores` to {threads} at least"
        )
    if min(limits) < 1:
        assert memory is not None
        raise InputError(
            f"one task needs {requirements.bytes_per_task / GIB:.2f} GiB and its worker "
            f"{worker_bytes / GIB:.2f} GiB, a job of the cluster profile has {memory / GIB:.2f} GiB; raise "
            f"`memory` to {math.ceil(worker_bytes / GIB)}GiB at least, or make smaller tiles (style.tile)"
        )
    asked = [count for count in (workers, profile.workers) if count is not None] or [DEFAULT_WORKERS]
    wanted = max(1, min(requirements.widest, *asked))
    jobs = math.ceil(wanted / min(limits))
    processes = wanted // jobs
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


def _worker_bytes(requirements: Requirements, memory_per_worker_GiB: float | None) -> int:
    need = requirements.bytes_per_task
    if memory_per_worker_GiB is None:
        return max(1, requirements.bytes_per_worker)
    given = int(memory_per_worker_GiB * GIB)
    if given < need:
        raise InputError(
            f"cluster.memory_per_worker_GiB is {memory_per_worker_GiB:g}, one task needs {need / GIB:.2f} GiB"
        )
    return given


def _gpus_per_job(requirements: Requirements, profile: Profile) -> int:
    """How many GPUs a job asks for: none for a run that uses none, whatever the profile offers."""
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
            f"one task of the stage {stage.stage} needs {need / GIB:.2f} GiB of a GPU, those of the cluster "
            f"profile have {profile.gpu.memory_bytes / GIB:.2f} GiB; make smaller tiles (style.tile, or "
            f"style.memory_per_task_GiB for `tile: auto`), or {remedy}"
        )
    return profile.gpu.per_job


def _lifetime(requirements: Requirements, profile: Profile) -> tuple[float, float, float]:
    """Seconds after which a worker ends itself, by how many that differs, and how long before it takes no new unit.

    A unit that is begun in a worker's last moment still ends before its job does.
    """
    walltime, longest = profile.walltime_s, requirements.longest
    unit = longest.seconds_per_task if longest else 0.0
    useful = walltime - unit - CLOSE_S
    if useful <= 0 or useful < unit:
        stage = f" (stage {longest.stage})" if longest else ""
        raise InputError(
            f"the walltime of a worker job is {walltime:.0f} s, and the longest unit{stage} takes about "
            f"{unit:.0f} s: 2 x {unit:.0f} s + {CLOSE_S:.0f} s to close are needed at least, so that one begun late "
            f"can end; write a walltime of {_hours(2 * unit + CLOSE_S)} or more"
        )
    stagger = STAGGER * useful
    return walltime - CLOSE_S - stagger, stagger, unit


def _hours(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"'{minutes // 60:02d}:{minutes % 60:02d}:00'"
