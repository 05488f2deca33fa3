"""Workers for a run, on this machine or as jobs of a batch system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
from distributed import Client

from faket_dask.cluster.local import local_client
from faket_dask.cluster.profile import Profile, load_profile
from faket_dask.cluster.requirements import Requirements
from faket_dask.cluster.sizing import size_jobs
from faket_dask.errors import ClusterError

Cluster = str | Path | Profile
"""`local`, the name of a batch system such as `slurm`, the path of a profile, or a profile."""

SHORT_LOGS = {"distributed.admin.low-level-log-length": 100}
"""Number of last messages to each worker that Dask keeps; its default of 1000 takes half a gigabyte for some hundred
workers."""


def resolve_profile(cluster: Cluster) -> Profile | None:
    """Return the profile of a cluster; None for `local`.

    Raises
    ------
    InputError
        When it is a file that cannot be read or has mistakes in it.

    Examples
    --------
    >>> resolve_profile("local") is None
    True
    >>> resolve_profile("slurm").system
    'slurm'
    """
    if isinstance(cluster, Profile):
        return cluster
    return None if cluster == "local" else load_profile(cluster)


def check_cluster(client: Client) -> None:
    """Check that workers may still come.

    Raises
    ------
    ClusterError
        When the jobs of a cluster end again and again before any worker comes.
    """
    reason = getattr(client.cluster, "failure_reason", None)
    if reason is not None:
        raise ClusterError(reason)


@contextmanager
def open_cluster(
    requirements: Requirements,
    cluster: Cluster = "local",
    *,
    workers: int | None = None,
    memory_per_worker_GiB: float | None = None,
    logs: Path | None = None,
) -> Iterator[Client]:
    """Start workers that are large enough for a run and no more than it can use, until the block ends.

    Parameters
    ----------
    requirements
        Requirements of the run: `faket_dask.plan(config).requirements()`.
    cluster
        ``"local"``, the name of a batch system such as ``"slurm"`` (as the user's `jobqueue.yaml` describes it), the
        path of a profile such as those in `configs/cluster`, or a `Profile`.
    workers
        Most worker processes.
    memory_per_worker_GiB
        Memory of a worker, in place of the one that follows from the requirements.
    logs
        Folder for the output of worker jobs, where the profile names none.

    Yields
    ------
    client
        Client of a scheduler in this process; workers come as the batch system starts them.

    Raises
    ------
    InputError
        When a worker of this cluster is too small for one task; raised before anything is submitted.
    ClusterError
        When the batch system's commands are missing, or refuse the jobs.
    """
    profile = resolve_profile(cluster)
    with dask.config.set(SHORT_LOGS):
        if profile is None:
            with local_client(requirements, workers, memory_per_worker_GiB) as client:
                yield client
            return
        from faket_dask.cluster.batch import batch_client

        sizing = size_jobs(requirements, profile, workers, memory_per_worker_GiB)
        with batch_client(profile, sizing, logs) as client:
            yield client
