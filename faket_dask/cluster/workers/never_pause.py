"""Disable Dask's memory-based pausing of workers.

By default Dask starts no task on a worker whose resident memory is above 80 % of its limit, until other tasks release
theirs. A worker here holds no results, and a unit's memory is planned, so such a worker would wait for ever: mapped
library pages are enough to reach that level, and how many of them count as resident differs by a few hundred MiB
between kernels and file systems. A worker that really grows past its limit is still ended by its nanny.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client, Worker, WorkerPlugin
from distributed.core import Status


class NeverPause(WorkerPlugin):
    """Let a worker accept tasks at any level of memory."""

    name = "never-pause"

    def setup(self, worker: Worker) -> None:
        """Switch pausing off, and wake a worker that has paused."""
        self._pause_fraction = worker.memory_manager.memory_pause_fraction
        worker.memory_manager.memory_pause_fraction = False
        if worker.status == Status.paused:
            worker.status = Status.running

    def teardown(self, worker: Worker) -> None:
        """Restore the worker's own fraction."""
        worker.memory_manager.memory_pause_fraction = self._pause_fraction


@contextmanager
def without_pauses(client: Client) -> Iterator[Client]:
    """Yield the same client, whose workers do not pause until the block ends."""
    client.register_plugin(NeverPause())
    try:
        yield client
    finally:
        if client.status == "running":
            client.unregister_worker_plugin(NeverPause.name)
