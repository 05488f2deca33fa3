"""One way to workers, wherever they are: on this machine, or as jobs of a batch system."""

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
from faket_dask.errors import InputError

Cluster = str | Path | Profile
"""`local`, `slurm` or `pbs`, the path of a profile, or a profile."""


SHORT_LOGS = {"distributed.admin.low-level-log-length": 100}
"""Dask keeps so many of the last messages to each worker: by default 1000, half a gigabyte for some hundred workers."""


def resolve_profile(cluster: Cluster) -> Profile | None:
    """The profile that is meant; none for `local`.

    Raises
    ------
    InputError
        When it is a file that cannot be read or has mistakes in it.
    """
    if isinstance(cluster, Profile):
        return cluster
    return None if cluster == "local" else load_profile(cluster)


def check_cluster(client: Client) -> None:
    """See whether workers can still be hoped for.

    Raises
    ------
    InputError
        When the jobs of a cluster end again and again before any worker comes.
    """
    reason = getattr(client.cluster, "given_up", None)
    if reason is not None:
        raise InputError(reason)


@contextmanager
def open_cluster(
    requirements: Requirements,
    cluster: Cluster = "local",
    *,
    workers: int | None = None,
    memory_per_worker_GiB: float | None = None,
    logs: Path | None = None,
) -> Iterator[Client]:
    """Workers that are large enough for a run and no more than it can use, until the block ends.

    Parameters
    ----------
    requirements
        Of the run: `faket_dask.plan(config).requirements()`.
    cluster
        ``"local"``, ``"slurm"`` or ``"pbs"`` (as the user's `jobqueue.yaml` describes it), the path of a
        profile such as those in `configs/cluster`, or a `Profile`.
    workers
        Worker processes at most.
    memory_per_worker_GiB
        In place of what follows from the requirements.
    logs
        Folder for the output of worker jobs, where the profile names none.

    Yields
    ------
    client
        Connected to a scheduler in this process; workers come as the batch system starts them.

    Raises
    ------
    InputError
        Before anything is submitted: when a worker of this cluster cannot hold one task, with the arithmetic.
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
