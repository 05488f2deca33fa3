"""Worker jobs of a batch system, by dask-jobqueue: a profile and a sizing become a job script and a cluster."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed import Client

from faket_dask.cluster import replacing
from faket_dask.cluster.jobs import BatchSystem, JobSettings, Sizing
from faket_dask.cluster.profile import Profile
from faket_dask.cluster.replacing import ReplacingCluster, read_command_error
from faket_dask.cluster.workers.finish_unit import FinishUnits
from faket_dask.cluster.workers.never_pause import NeverPause
from faket_dask.cluster.workers.one_gpu import OneGPUEach
from faket_dask.errors import ClusterError
from faket_dask.user_cache import cache_folder

ROUNDS = 3
"""How often all jobs may end before a worker comes."""


def job_script(profile: Profile, sizing: Sizing, logs: Path | None = None) -> str:
    """Return the script of each worker job, with stand-ins for the scheduler's address and the worker's name.

    Parameters
    ----------
    profile
        Cluster profile.
    sizing
        Resources of each job.
    logs
        Folder for the output of jobs, where the profile names none.
    """
    system, settings = profile.batch_system, profile.resolve()
    job = system.load_job_class()(
        "tcp://SCHEDULER:PORT",
        name="WORKER",
        interface=settings.interface,
        **_job_options(system, settings, sizing, settings.log_directory or logs),
    )
    return job.job_script()


@contextmanager
def batch_client(profile: Profile, sizing: Sizing, logs: Path | None = None) -> Iterator[Client]:
    """Yield the client of a new cluster whose workers are jobs, all of which are cancelled at the end.

    Jobs that are lost are replaced, for as long as the block lasts.

    Raises
    ------
    ClusterError
        When the batch system's commands are missing, or refuse the jobs.
    """
    system, settings = profile.batch_system, profile.resolve()
    _check_commands(system)
    folder = settings.log_directory or logs
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with (
        ReplacingCluster(
            system,
            patience=ROUNDS * sizing.jobs,
            job_logs=folder,
            interface=settings.interface,
            scheduler_options={"dashboard_address": ":0", **settings.scheduler_options},
            **_job_options(system, settings, sizing, folder),
        ) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(NeverPause())
        client.register_plugin(FinishUnits(sizing.drain_s))
        if sizing.gpus_per_job > 1:
            client.register_plugin(OneGPUEach())
        _submit(cluster, sizing.jobs)
        cluster.adapt(minimum_jobs=sizing.jobs, maximum_jobs=sizing.jobs, interval=replacing.POLL_S)
        yield client


def _check_commands(system: BatchSystem) -> None:
    job = system.load_job_class()
    for command in (job.submit_command, job.cancel_command, system.queue_command("")[0]):
        if shutil.which(shlex.split(command)[0]) is None:
            raise ClusterError(
                f"there is no `{command}` here, so no job can be submitted to {system.title}; run this on a "
                "node of the cluster, or with `--cluster local`"
            )


def _submit(cluster: ReplacingCluster, jobs: int) -> None:
    """Submit the first jobs.

    Raises
    ------
    ClusterError
        When the batch system refuses them.
    """

    async def submit() -> None:
        cluster.scale(jobs=jobs)
        await cluster

    try:
        cluster.sync(submit)
    except RuntimeError as error:
        raise ClusterError(
            f"{cluster.system.title} refuses the jobs of this cluster profile: {read_command_error(error)}"
        ) from None


def _job_options(
    system: BatchSystem, settings: JobSettings, sizing: Sizing, logs: Path | None
) -> dict[str, Any]:
    """Return the keywords of a job; one thread per process, since a process computes one unit at a time."""
    lifetime = ["--lifetime", f"{sizing.lifetime_s:.0f}s", "--lifetime-stagger", f"{sizing.stagger_s:.0f}s"]
    own_lifetime = "--lifetime" in settings.worker_extra_args
    return {
        "cores": sizing.processes_per_job,
        "processes": sizing.processes_per_job,
        "memory": f"{sizing.memory_MiB}MiB",
        "job_name": settings.name,
        "worker_extra_args": [*settings.worker_extra_args, *([] if own_lifetime else lifetime)],
        "job_script_prologue": [
            f"export FAKET_DASK_CACHE={shlex.quote(str(cache_folder()))}",
            *settings.job_script_prologue,
        ],
        "job_directives_skip": settings.job_directives_skip,
        "queue": settings.queue,
        system.account_keyword: settings.account,
        "walltime": settings.walltime,
        "python": settings.python,
        "local_directory": settings.local_directory,
        **system.options(settings, sizing, logs),
    }
