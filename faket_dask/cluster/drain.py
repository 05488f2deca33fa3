"""Workers that end before their job does, and finish the unit they are at.

Dask's own `--lifetime` retires a worker at once: the task that it is at is begun anew elsewhere. Some time before,
as long as the longest unit takes, the plugin here has the worker take no new task; when the one that it is at has
ended, the worker goes.
"""

from __future__ import annotations

import asyncio
import time

from distributed import Worker, WorkerPlugin
from distributed.core import Status

POLL_S = 0.2


class FinishUnits(WorkerPlugin):
    """Has a worker with a lifetime finish what it is at within the last `drain_s` seconds of it."""

    name = "finish-units"

    def __init__(self, drain_s: float) -> None:
        self.drain_s = drain_s

    def setup(self, worker: Worker) -> None:
        if worker.lifetime:
            worker.io_loop.call_later(max(0.0, worker.lifetime - self.drain_s - POLL_S), self._finish, worker)

    async def _finish(self, worker: Worker) -> None:
        """Say that no new task is wanted, wait for the last one, and leave as a worker retires."""
        if worker.status != Status.running:
            return
        worker.status = Status.closing_gracefully
        end = time.monotonic() + self.drain_s + POLL_S
        while worker.state.executing_count and time.monotonic() < end:
            await asyncio.sleep(POLL_S)
        await worker.scheduler.retire_workers(
            workers=[worker.address], close_workers=False, remove=True, stimulus_id=f"drained-{time.time()}"
        )
        await worker.close(reason="lifetime is over")
