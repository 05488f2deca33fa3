"""Workers that do not wait for memory which nothing would give back.

By default Dask starts no task on a worker whose resident memory is above 80 % of its limit, until what other tasks
hold is gone. A worker here holds no results, and a unit's memory is planned for, so such a worker would wait for
ever: the libraries' own pages are enough to get there, and how many of them count as resident differs by a few
hundred MiB between kernels and file systems. What really grows past its limit is still ended by its nanny.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client, Worker, WorkerPlugin
from distributed.core import Status


class NeverPause(WorkerPlugin):
    """Has a worker take tasks however much memory it has taken."""

    name = "never-pause"

    def setup(self, worker: Worker) -> None:
        self._before = worker.memory_manager.memory_pause_fraction
        worker.memory_manager.memory_pause_fraction = False
        if worker.status == Status.paused:
            worker.status = Status.running

    def teardown(self, worker: Worker) -> None:
        worker.memory_manager.memory_pause_fraction = self._before


@contextmanager
def without_pauses(client: Client) -> Iterator[Client]:
    """The same client, whose workers do not pause until the block ends."""
    client.register_plugin(NeverPause())
    try:
        yield client
    finally:
        if client.status == "running":
            client.unregister_worker_plugin(NeverPause.name)
