"""Let a worker finish its current unit before its lifetime ends.

Dask's own `--lifetime` retires a worker at once, and the task that it runs is started anew elsewhere. This plugin
stops a worker from accepting tasks some time before, as long as the longest unit takes; once its last task has ended,
the worker leaves.
"""

from __future__ import annotations

import asyncio
import time

from distributed import Worker, WorkerPlugin
from distributed.core import Status

POLL_S = 0.2


class FinishUnits(WorkerPlugin):
    """Let a worker finish its current task within the last seconds of its lifetime.

    Parameters
    ----------
    drain_s
        Seconds before the end of the lifetime from which on no task is accepted.
    """

    name = "finish-units"

    def __init__(self, drain_s: float) -> None:
        self.drain_s = drain_s

    def setup(self, worker: Worker) -> None:
        """Schedule the end of a worker that has a lifetime."""
        if worker.lifetime:
            worker.io_loop.call_later(max(0.0, worker.lifetime - self.drain_s - POLL_S), self._finish, worker)

    async def _finish(self, worker: Worker) -> None:
        """Refuse new tasks, wait for the last one, and leave as a retiring worker does."""
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
