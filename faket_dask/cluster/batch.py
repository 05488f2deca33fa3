"""Worker jobs of a batch system, by dask-jobqueue: a profile and a sizing become a job script and a cluster."""

from __future__ import annotations

import getpass
import logging
import math
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed import Client, Scheduler, SchedulerPlugin
from distributed.core import Status
from tornado.ioloop import PeriodicCallback

from faket_dask.cluster.allocation import MIB
from faket_dask.cluster.jobs.jobqueue import Job, PBSCluster, SLURMCluster
from faket_dask.cluster.profile import Profile
from faket_dask.cluster.sizing import Sizing
from faket_dask.cluster.workers.finish_unit import FinishUnits
from faket_dask.cluster.workers.never_pause import NeverPause
from faket_dask.cluster.workers.one_gpu import OneGPUEach
from faket_dask.errors import InputError
from faket_dask.weights import cache_folder

POLL_S = 15.0
"""Seconds between two looks at the queue for jobs that have ended, and at whether some are to be submitted."""

ROUNDS = 3
"""How often all jobs may end before a worker comes."""

log = logging.getLogger(__name__)


class _Replacing:
    """Forgets jobs that are no longer in the queue, so that `adapt` submits others in their place.

    Dask looks for workers that were connected and are gone. That misses jobs that end before their workers come,
    those with several processes, and those that could not be submitted; the queue tells of all.

    When `patience` jobs in a row have ended before a worker came, more of them will not help: no other is submitted
    until a worker comes, and when there is none left that works, `given_up` says what the last job said.
    """

    patience: int
    job_logs: Path | None
    given_up: str | None = None

    job_cls: type[Job]
    workers: dict[str, Job]
    periodic_callbacks: dict[str, PeriodicCallback]
    scheduler: Scheduler

    async def _start(self) -> None:
        await super()._start()  # type: ignore[misc]
        self._arrivals = _Arrivals()
        self._fruitless = 0
        self.scheduler.add_plugin(self._arrivals)
        self.periodic_callbacks["ended-jobs"] = PeriodicCallback(self._forget_ended_jobs, POLL_S * 1000)
        self.periodic_callbacks["ended-jobs"].start()

    async def _correct_state_internal(self) -> None:
        try:
            await super()._correct_state_internal()  # type: ignore[misc]
        finally:
            for name in [name for name, job in self.workers.items() if job.job_id is None]:
                self.workers.pop(name).status = Status.failed

    async def _forget_ended_jobs(self) -> None:
        # Only those that were in the queue before it is looked at: what is submitted meanwhile may not be listed.
        before = {name: job for name, job in self.workers.items() if job.job_id is not None}
        try:
            listed = await self.job_cls._call([*QUEUES[self.job_cls.submit_command], getpass.getuser()])
        except (RuntimeError, OSError) as error:
            log.warning("the queue cannot be looked at: %s", " ".join(str(error).split()))
            return
        alive = set(re.findall(r"^\s*(\d+)", listed, flags=re.MULTILINE))
        ended = {
            name: job
            for name, job in before.items()
            if job.job_id not in alive and name in self.workers and self.workers[name] is job
        }
        if self._arrivals.take():
            self._fruitless = 0
        elif self._fruitless < self.patience:
            self._fruitless += len(ended)
        if self._fruitless < self.patience:
            for name, job in ended.items():
                log.info("job %s has ended and is replaced", job.job_id)
                self.workers.pop(name).status = Status.closed
        elif not self.scheduler.workers and len(ended) == len(self.workers):
            self.given_up = self._obituary([str(job.job_id) for job in ended.values()])

    def _obituary(self, jobs: list[str]) -> str:
        text = f"{self._fruitless} worker jobs in a row ended before a worker came"
        logs = [path for job in jobs if self.job_logs for path in sorted(self.job_logs.glob(f"{job}*"))]
        for path in reversed(logs):
            said = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
            if said:
                return f"{text}; the last one said: {said[-1]} (all of it: {path})"
        return (
            f"{text}, and left no output; look at the profile's python, job_script_prologue and log_directory"
        )


class _Arrivals(SchedulerPlugin):
    """Whether workers have come since it was last asked."""

    def __init__(self) -> None:
        self._any = False

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        self._any = True

    def take(self) -> bool:
        before, self._any = self._any, False
        return before


QUEUES = {
    "sbatch": ("squeue", "--noheader", "--format=%A", "--user"),
    "qsub": ("qstat", "-u"),
}
"""Lists the jobs of a user, one a line that begins with its number."""


class _SLURM(_Replacing, SLURMCluster):
    pass


class _PBS(_Replacing, PBSCluster):
    pass


def job_script(profile: Profile, sizing: Sizing, logs: Path | None = None) -> str:
    """What would be submitted for each job, but for the scheduler's address and the worker's name."""
    cluster = SLURMCluster if profile.system == "slurm" else PBSCluster
    job = cluster.job_cls(
        "tcp://SCHEDULER:PORT",
        name="WORKER",
        interface=profile.setting("interface"),
        **_job_options(profile, sizing, logs),
    )
    return job.job_script()


@contextmanager
def batch_client(profile: Profile, sizing: Sizing, logs: Path | None = None) -> Iterator[Client]:
    """A client of a fresh cluster whose workers are jobs, all of which are cancelled at the end.

    Jobs that are lost are replaced, for as long as the block lasts.

    Raises
    ------
    InputError
        When the batch system's commands are not here, or refuse the jobs.
    """
    _check_commands(profile)
    folder = profile.log_directory or logs
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    options = {"dashboard_address": ":0", **(profile.setting("scheduler_options") or {})}
    kind = _SLURM if profile.system == "slurm" else _PBS
    with (
        kind(
            interface=profile.setting("interface"),
            scheduler_options=options,
            **_job_options(profile, sizing, logs),
        ) as cluster,
        Client(cluster) as client,
    ):
        cluster.patience, cluster.job_logs = ROUNDS * sizing.jobs, folder
        client.register_plugin(NeverPause())
        client.register_plugin(FinishUnits(sizing.drain_s))
        if sizing.gpus_per_job > 1:
            client.register_plugin(OneGPUEach())
        _submit(cluster, sizing.jobs)
        cluster.adapt(minimum_jobs=sizing.jobs, maximum_jobs=sizing.jobs, interval=POLL_S)
        yield client


def _check_commands(profile: Profile) -> None:
    job = SLURMCluster.job_cls if profile.system == "slurm" else PBSCluster.job_cls
    for command in (job.submit_command, job.cancel_command):
        if shutil.which(command) is None:
            raise InputError(
                f"there is no `{command}` here, so no job can be submitted to {profile.system.upper()}; run this "
                "on a node of the cluster, or with `--cluster local`"
            )


def _submit(cluster: Any, jobs: int) -> None:
    """Submit the first jobs, and say so if the batch system does not take them."""

    async def submitted() -> None:
        cluster.scale(jobs=jobs)
        await cluster

    try:
        cluster.sync(submitted)
    except RuntimeError as error:
        said = str(error).rpartition("stderr:")[2].split("\n")
        reason = " ".join(line.strip() for line in said if line.strip())
        raise InputError(
            f"the batch system does not take the jobs of this cluster profile: {reason}"
        ) from None


def _job_options(profile: Profile, sizing: Sizing, logs: Path | None) -> dict[str, Any]:
    """Keywords of a job of dask-jobqueue; one thread per process, since a process computes one unit at a time."""
    memory_MiB = math.ceil(sizing.bytes_per_job / MIB)
    options: dict[str, Any] = {
        "cores": sizing.processes_per_job,
        "processes": sizing.processes_per_job,
        "memory": f"{memory_MiB}MiB",
        "job_name": profile.name,
        "worker_extra_args": [*profile.setting("worker_extra_args"), *_lifetime_arguments(profile, sizing)],
        "job_script_prologue": [
            f"export FAKET_DASK_CACHE={shlex.quote(str(cache_folder()))}",
            *profile.setting("job_script_prologue"),
        ],
        "job_directives_skip": profile.setting("job_directives_skip"),
    }
    for name in ("queue", "account", "walltime", "python", "local_directory"):
        options[name] = profile.setting(name)
    directives = [*profile.setting("job_extra_directives")]
    folder = profile.log_directory or logs
    if profile.system == "slurm":
        options["job_cpu"] = sizing.cores_per_job
        options["job_mem"] = f"{memory_MiB}M"
        if folder is not None:
            directives.insert(0, f"--output={shlex.quote(str(folder))}/%j.log")
        if sizing.gpus_per_job:
            directives.append(_gpu_request(profile, sizing, "--gres=gpu:{gpus}"))
    else:
        spec = profile.setting("resource_spec") or "select=1:ncpus={cores}:mem={memory}"
        spec = spec.format(cores=sizing.cores_per_job, memory=f"{memory_MiB}mb")
        if sizing.gpus_per_job:
            spec += ":" + _gpu_request(profile, sizing, "ngpus={gpus}")
        options["resource_spec"] = spec
        if folder is not None:
            directives[:0] = ["-j oe", f"-o {shlex.quote(str(folder))}/"]
    options["job_extra_directives"] = directives
    return options


def _lifetime_arguments(profile: Profile, sizing: Sizing) -> list[str]:
    if "--lifetime" in profile.setting("worker_extra_args"):
        return []
    return ["--lifetime", f"{sizing.lifetime_s:.0f}s", "--lifetime-stagger", f"{sizing.stagger_s:.0f}s"]


def _gpu_request(profile: Profile, sizing: Sizing, usual: str) -> str:
    assert profile.gpu is not None
    return (profile.gpu.request or usual).format(gpus=sizing.gpus_per_job)
