"""Worker processes on this machine, each of which computes one unit at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from dask.utils import format_bytes
from distributed import Client, LocalCluster

from faket_dask.cluster.allocation import allocated_bytes, allocated_cores
from faket_dask.cluster.requirements import GIB, Requirements
from faket_dask.cluster.workers.never_pause import NeverPause
from faket_dask.cluster.workers.one_gpu import OneGPUEach, list_visible_gpus
from faket_dask.cluster.workers.quiet_warnings import QuietWarnings
from faket_dask.errors import InputError

DRIVER_BYTES = GIB // 2
"""Memory reserved for the driver and the scheduler."""

REPLACE_S = 5.0
"""Seconds between two checks for lost workers.

A nanny restarts its worker, but gives up when that dies while it starts, and Dask drops a worker that is not back
within some seconds, as on a busy machine.
"""


def size_workers(
    requirements: Requirements, workers: int | None, memory_per_worker_GiB: float | None
) -> tuple[int, int]:
    """Return the number of worker processes, and the bytes of memory for each.

    Parameters
    ----------
    requirements
        Requirements of the run.
    workers
        Worker processes, as in the run file; by default as many as this process has cores for.
    memory_per_worker_GiB
        Memory of a worker, as in the run file; by default an equal share of this machine's.

    Raises
    ------
    InputError
        When the memory that is requested, or all that this process may use, is too small for one task; the message
        shows the arithmetic. When units need a GPU and there is none.
    """
    need = requirements.bytes_per_task
    total = allocated_bytes() - DRIVER_BYTES
    fitting = total // max(need, 1)
    if fitting < 1:
        raise InputError(
            f"one task needs {format_bytes(need)}, this machine has {format_bytes(total)} for workers; "
            "use a machine with more memory or smaller tilts"
        )
    count = workers or max(1, allocated_cores() // requirements.threads_per_task)
    if requirements.gpu_bytes_per_task:
        count = min(count, len(list_visible_gpus()))
    if count < 1:
        raise InputError(
            "the configuration computes on a GPU (`device: cuda`), and there is none here; run it with a "
            "`--cluster` that has some, or write `device: cpu`"
        )
    count = max(1, min(count, requirements.widest))
    requested = requirements.check_worker_memory(memory_per_worker_GiB)
    if requested is not None:
        return count, requested
    if workers is not None and workers > fitting:
        raise InputError(
            f"cluster.workers is {workers}: {workers} x {format_bytes(need)} per task is more than the "
            f"{format_bytes(total)} that this machine has; at most {fitting} fit"
        )
    count = min(count, fitting)
    return count, total // count


@contextmanager
def local_client(
    requirements: Requirements, workers: int | None = None, memory_per_worker_GiB: float | None = None
) -> Iterator[Client]:
    """Yield the client of a new cluster on this machine, which is closed at the end of the block.

    Workers that are lost are replaced, for as long as the block lasts.
    """
    count, memory = size_workers(requirements, workers, memory_per_worker_GiB)
    cluster = LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        processes=True,
        memory_limit=max(memory, requirements.bytes_per_worker),
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,  # a scheduler that ends during a heartbeat is no error
    )
    try:
        cluster.adapt(minimum=count, maximum=count, interval=REPLACE_S)
        with Client(cluster) as client:
            client.register_plugin(NeverPause())
            client.register_plugin(QuietWarnings())
            if requirements.gpu_bytes_per_task:
                client.register_plugin(OneGPUEach())
            yield client
    finally:
        # A worker in a long unit may not answer in time; as a daemon it ends with this process.
        with suppress(TimeoutError):
            cluster.close()
