"""Cluster of worker jobs that replaces those that have ended.

Dask itself replaces workers that were connected and are gone. It misses jobs that end before their workers come, jobs
of several processes, and jobs that could not be submitted; the queue of the batch system reports all of them.
"""

from __future__ import annotations

import asyncio
import getpass
import logging
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from distributed import Scheduler, SchedulerPlugin
from distributed.core import Status
from tornado.ioloop import PeriodicCallback

from faket_dask.cluster.jobs import BatchSystem
from faket_dask.cluster.jobs.jobqueue import Job, JobQueueCluster
from faket_dask.errors import ClusterError

POLL_S = 15.0
"""Seconds between two queries of the queue, and between two checks for jobs to submit."""

LISTING_S = 10.0
"""Seconds that a closing cluster waits for a query of the queue to end."""

log = logging.getLogger(__name__)


class ReplacingCluster(JobQueueCluster):
    """Cluster that forgets jobs which are no longer in the queue, so that `adapt` submits others in their place.

    When several jobs in a row have ended before a worker came, more of them will not help: no other is submitted
    until a worker comes, and `failure_reason` is set once no job is left.

    Parameters
    ----------
    system
        Batch system of the jobs.
    patience
        Number of jobs in a row that may end before a worker comes.
    job_logs
        Folder of the jobs' output, from which `failure_reason` quotes.
    **options
        Keywords of dask-jobqueue's clusters and of the job class.
    """

    failure_reason: str | None
    workers: dict[str, Job]
    worker_spec: dict[str, dict[str, Any]]
    scheduler: Scheduler
    periodic_callbacks: dict[str, PeriodicCallback]

    def __init__(
        self, system: BatchSystem, *, patience: int, job_logs: Path | None = None, **options: Any
    ) -> None:
        self.system = system
        self.patience = patience
        self.job_logs = job_logs
        self.failure_reason = None
        self._arrivals = _Arrivals()
        self._fruitless_jobs = 0
        self._job_numbers = count()
        self._querying = asyncio.Lock()
        super().__init__(job_cls=system.load_job_class(), **options)

    def _new_worker_name(self, worker_number: int) -> str:
        # No name is used twice: some time after a worker is gone, Dask closes the job that then has its name.
        return super()._new_worker_name(next(self._job_numbers))

    async def _start(self) -> None:
        await super()._start()
        self.scheduler.add_plugin(self._arrivals)
        self.periodic_callbacks["ended-jobs"] = PeriodicCallback(self._forget_ended_jobs, POLL_S * 1000)
        self.periodic_callbacks["ended-jobs"].start()

    async def _close(self) -> None:
        if "ended-jobs" in self.periodic_callbacks:
            self.periodic_callbacks["ended-jobs"].stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(LISTING_S), self._querying:
                pass
        await super()._close()

    async def _correct_state_internal(self) -> None:
        try:
            await super()._correct_state_internal()
        finally:
            for name in [name for name, job in self.workers.items() if job.job_id is None]:
                self.workers.pop(name).status = Status.failed

    async def _forget_ended_jobs(self) -> None:
        # Jobs submitted while the queue is queried may be missing from its listing; they are left out. No job is
        # referred to meanwhile: a cluster that closes counts those that still are as running, and fails.
        submitted = {name: job.job_id for name, job in self.workers.items() if job.job_id is not None}
        try:
            async with self._querying:
                queued = await self._list_queued_jobs()
        except ClusterError as error:
            log.warning("%s", error)
            return
        ended = {
            name: job_id
            for name, job_id in submitted.items()
            if job_id not in queued and name in self.workers and self.workers[name].job_id == job_id
        }
        if self._arrivals.take():
            self._fruitless_jobs = 0
        elif self._fruitless_jobs < self.patience:
            self._fruitless_jobs += len(ended)
        if self._fruitless_jobs < self.patience:
            for name, job_id in ended.items():
                log.info("job %s has ended and is replaced", job_id)
                self.workers.pop(name).status = Status.closed
                self.worker_spec.pop(name, None)
        elif not self.scheduler.workers and len(ended) == len(self.workers):
            self.failure_reason = self._describe_failure(list(ended.values()))

    async def _list_queued_jobs(self) -> set[str]:
        """Return the ids of this user's jobs that have not ended.

        Raises
        ------
        ClusterError
            When the command that lists them fails.
        """
        command = self.system.queue_command(getpass.getuser())
        try:
            listing = await self.job_cls._call([*command])
        except (RuntimeError, OSError) as error:
            message = read_command_error(error)
            if self.system.empty_queue_message and self.system.empty_queue_message in message:
                return set()
            raise ClusterError(f"`{' '.join(command)}` cannot list the jobs: {message}") from None
        return self.system.parse_job_ids(listing)

    def _describe_failure(self, jobs: list[str]) -> str:
        text = f"{self._fruitless_jobs} worker jobs in a row ended before a worker came"
        logs = [path for job in jobs if self.job_logs for path in sorted(self.job_logs.glob(f"{job}*"))]
        for path in reversed(logs):
            lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
            if lines:
                return f"{text}; the output of the last one ends with: {lines[-1]} (in {path})"
        return (
            f"{text}, without any output; check the profile's python, job_script_prologue and log_directory"
        )


class _Arrivals(SchedulerPlugin):
    """Note of workers that have come since the last look."""

    def __init__(self) -> None:
        self._any = False

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        self._any = True

    def take(self) -> bool:
        """Return True if a worker has come since the last call."""
        any_worker, self._any = self._any, False
        return any_worker


def read_command_error(error: Exception) -> str:
    """Return the message of a failed command on one line: its error output, or else its output.

    Parameters
    ----------
    error
        Exception by which dask-jobqueue reports it.

    Examples
    --------
    >>> read_command_error(RuntimeError("Command exited … stdout: stderr: no such queue"))
    'no such queue'
    """
    output, _, errors = str(error).rpartition("stderr:")
    message = errors.strip() or output.rpartition("stdout:")[2].strip()
    return " ".join(message.split()) or "it gives no reason"
