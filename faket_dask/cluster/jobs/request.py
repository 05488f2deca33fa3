"""Resources and settings of worker jobs, from which a batch system makes a job script."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MIB = 2**20


@dataclass(frozen=True)
class Sizing:
    """Jobs of a run.

    Parameters
    ----------
    jobs
        Number of jobs at any time; a job that is lost is replaced.
    processes_per_job
        Worker processes of each job.
    cores_per_job, bytes_per_job, gpus_per_job
        Resources that each job requests.
    lifetime_s, stagger_s
        Seconds after which a worker ends itself, and by how many that varies between workers.
    drain_s
        Seconds before its end from which on a worker accepts no task.
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
        """Worker processes of all jobs together."""
        return self.jobs * self.processes_per_job

    @property
    def memory_MiB(self) -> int:
        """Memory that each job requests, in whole MiB."""
        return math.ceil(self.bytes_per_job / MIB)

    @property
    def memory_per_core_MiB(self) -> int:
        """Memory that each job requests per core, in whole MiB."""
        return math.ceil(self.bytes_per_job / self.cores_per_job / MIB)

    def list_worker_counts(self, widest: int) -> list[int]:
        """Return numbers of workers to estimate times for: powers of two, `widest`, and this sizing's own.

        Examples
        --------
        >>> Sizing(3, 2, 2, 2**30, 0, 3600, 60, 60).list_worker_counts(widest=10)
        [1, 2, 4, 6, 8, 10]
        """
        doubled = [2**power for power in range(widest.bit_length())]
        return sorted({*doubled, self.workers, widest})


@dataclass(frozen=True, kw_only=True)
class JobSettings:
    """Settings of one site's worker jobs: a cluster profile, completed by the user's `jobqueue.yaml`.

    Parameters
    ----------
    name
        Name of the jobs.
    walltime, walltime_s
        Time limit of a job, as the batch system writes it and in seconds.
    cores, memory_bytes
        Most that one job may request; None without a limit.
    gpu_request
        Directive or resource that requests ``{gpus}`` GPUs.
    resource_spec
        Resource request with placeholders; None for the batch system's own.
    parallel_environment
        Parallel environment of one host (Grid Engine).
    """

    name: str
    walltime: str
    walltime_s: float
    gpu_request: str
    cores: int | None = None
    memory_bytes: int | None = None
    queue: str | None = None
    account: str | None = None
    resource_spec: str | None = None
    parallel_environment: str | None = None
    job_extra_directives: tuple[str, ...] = ()
    job_directives_skip: tuple[str, ...] = ()
    job_script_prologue: tuple[str, ...] = ()
    worker_extra_args: tuple[str, ...] = ()
    python: str | None = None
    interface: str | None = None
    scheduler_options: Mapping[str, Any] = field(default_factory=dict)
    local_directory: str | None = None
    log_directory: Path | None = None
