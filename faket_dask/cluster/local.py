"""Worker processes on this machine: one single-threaded process per core, by the rule one tilt per core."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from distributed import Client, LocalCluster

from faket_dask.cluster.allocation import allocated_bytes, allocated_cores
from faket_dask.cluster.requirements import GIB, Requirements
from faket_dask.cluster.workers.never_pause import NeverPause
from faket_dask.cluster.workers.one_gpu import OneGPUEach, list_visible_gpus
from faket_dask.errors import InputError

DRIVER_BYTES = GIB // 2
"""Left to the driver and the scheduler."""

REPLACE_S = 5.0
"""Seconds between two looks whether a worker is to be replaced. Its nanny starts it anew when it dies, but gives up
when it dies while it starts, and Dask drops one that is not back within some seconds, as on a busy machine."""


def size_workers(
    requirements: Requirements, workers: int | None, memory_per_worker_GiB: float | None
) -> tuple[int, int]:
    """Number of worker processes and bytes of memory for each.

    Raises
    ------
    InputError
        When what was asked for, or all that this machine (or this job's share of it) has, cannot hold one
        task; with the arithmetic. When units need a GPU and there is none.
    """
    need = requirements.bytes_per_task
    total = allocated_bytes() - DRIVER_BYTES
    fitting = total // max(need, 1)
    if fitting < 1:
        raise InputError(
            f"one task needs {need / GIB:.1f} GiB, this machine has {total / GIB:.1f} GiB for workers; "
            "use a machine with more memory or smaller tilts"
        )
    wanted = workers or max(1, allocated_cores() // requirements.threads_per_task)
    if requirements.gpu_bytes_per_task:
        wanted = min(wanted, len(list_visible_gpus()))
    if wanted < 1:
        raise InputError(
            "the configuration computes on a GPU (`device: cuda`), and there is none here; run it with a "
            "`--cluster` that has some, or write `device: cpu`"
        )
    count = max(1, min(wanted, requirements.widest))
    if memory_per_worker_GiB is not None:
        given = int(memory_per_worker_GiB * GIB)
        if given < need:
            raise InputError(
                f"cluster.memory_per_worker_GiB is {memory_per_worker_GiB:g}, one task needs {need / GIB:.2f} GiB"
            )
        return count, given
    if workers is not None and workers > fitting:
        raise InputError(
            f"cluster.workers is {workers}: {workers} x {need / GIB:.2f} GiB per task is more than the "
            f"{total / GIB:.1f} GiB that this machine has; at most {fitting} fit"
        )
    count = min(count, fitting)
    return count, total // count


@contextmanager
def local_client(
    requirements: Requirements, workers: int | None = None, memory_per_worker_GiB: float | None = None
) -> Iterator[Client]:
    """A client of a fresh cluster on this machine, closed at the end whatever happens.

    Workers that are lost are replaced, for as long as the block lasts.
    """
    count, memory = size_workers(requirements, workers, memory_per_worker_GiB)
    cluster = LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        processes=True,
        memory_limit=max(memory, requirements.bytes_per_worker),
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,  # a worker whose scheduler ends in the middle of a heartbeat is no error
    )
    try:
        cluster.adapt(minimum=count, maximum=count, interval=REPLACE_S)
        with Client(cluster) as client:
            client.register_plugin(NeverPause())
            if requirements.gpu_bytes_per_task:
                client.register_plugin(OneGPUEach())
            yield client
    finally:
        # A worker deep in a long unit may not answer in time; as a daemon it ends with this process.
        with suppress(TimeoutError):
            cluster.close()
