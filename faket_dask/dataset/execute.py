"""The driver's loop: hands units to workers, keeps count, retries, and goes on past failures.

Batches become ready when all they come after has ended. Units of ready batches are submitted in the plan's
order through a bounded window, a few per worker, so that the scheduler and this process hold little whatever
the size of the data set. Only small records travel; every array goes through the stores.
"""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from distributed import Client, Future, as_completed
from distributed.scheduler import KilledWorker

from faket_dask.dataset.events import UnitDone, UnitFailed, Watcher
from faket_dask.dataset.ledger import Ledger
from faket_dask.dataset.plan import Batch, BatchKey, Plan
from faket_dask.dataset.units import STAGES
from faket_dask.dataset.units.unit import Unit, run_unit_of
from faket_dask.errors import InputError

UNITS_PER_THREAD = 3
"""Submitted ahead per worker thread: none waits for the driver, and a lost worker loses little."""

RECOUNT_S = 5.0
"""Between two looks at how many worker threads there are: clusters grow and shrink during a run."""


class DiskFull(InputError):
    """The data set's disk is full; nothing else can succeed until there is room."""


def execute(plan: Plan, ledger: Ledger, client: Client, retries: int, watch: Watcher) -> list[UnitFailed]:
    """Compute all units of a plan that the ledger lacks.

    Returns
    -------
    failures
        Units that failed more than `retries` times; what comes after them was left out, the rest is done.

    Raises
    ------
    DiskFull
        As soon as a worker finds no space left.
    """
    queue = _Queue(plan, ledger)
    submission = _Submission(plan, client)
    failures: list[UnitFailed] = []
    attempts: dict[Unit, int] = {}
    running = as_completed()
    try:
        while True:
            while submission.has_room() and (unit := queue.next_unit()) is not None:
                running.add(submission.submit(unit, attempts.get(unit, 0)))
            if not submission.units:
                return failures
            future = next(running)
            unit = submission.finished(future)
            error = (
                future.exception() if future.status != "cancelled" else ConnectionError("task was cancelled")
            )
            if error is None:
                watch(UnitDone(unit, future.result()))
                queue.done(unit)
            else:
                attempts[unit] = attempts.get(unit, 0) + 1
                final = isinstance(error, InputError) or attempts[unit] > retries
                failed = UnitFailed(unit, _cause(error), final)
                watch(failed)
                if _is_disk_full(error):
                    raise DiskFull(
                        f"no space left on the disk of {plan.blueprint.layout.root}; free some and run again: "
                        "what is done is kept"
                    )
                if final:
                    failures.append(failed)
                else:
                    queue.again(unit)
            future.release()
    finally:
        submission.cancel()


class _Queue:
    """Units whose inputs are there, in the plan's order."""

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self._blueprint = plan.blueprint
        self._ledger = ledger
        self._left = {batch.key: len(ledger.missing(batch)) for batch in plan.batches}
        self._waiting: deque[Batch] = deque(batch for batch in plan.batches if self._left[batch.key])
        self._again: deque[Unit] = deque()
        self._units: Iterator[Unit] = iter(())

    def next_unit(self) -> Unit | None:
        """The next unit that can run now, or nothing until some running one has ended."""
        if self._again:
            return self._again.popleft()
        unit = next(self._units, None)
        if unit is None and (batch := self._next_batch()) is not None:
            STAGES[batch.stage].set_up(self._blueprint, batch.item)
            self._units = (Unit(batch.stage, batch.item, i) for i in self._ledger.missing(batch))
            unit = next(self._units)
        return unit

    def _next_batch(self) -> Batch | None:
        for batch in self._waiting:
            if not any(self._left[key] for key in batch.after):
                self._waiting.remove(batch)
                return batch
        return None

    def done(self, unit: Unit) -> None:
        key: BatchKey = (unit.stage, unit.item)
        self._left[key] -= 1

    def again(self, unit: Unit) -> None:
        self._again.append(unit)


class _Submission:
    """Futures that are out, and the units that they stand for."""

    def __init__(self, plan: Plan, client: Client) -> None:
        self._client = client
        self._root = str(plan.blueprint.layout.root)
        self._fingerprint = plan.blueprint.fingerprint
        self._threads = 1
        self._counted = -RECOUNT_S
        self.units: dict[str, tuple[Unit, Future]] = {}

    def has_room(self) -> bool:
        if time.monotonic() - self._counted >= RECOUNT_S:
            self._threads = max(1, sum(self._client.nthreads().values()))
            self._counted = time.monotonic()
        return len(self.units) < UNITS_PER_THREAD * self._threads

    def submit(self, unit: Unit, attempt: int) -> Future:
        key: Any = (unit.stage, unit.item, unit.index, attempt)
        future = self._client.submit(
            run_unit_of, self._root, self._fingerprint, unit, key=key, pure=False, retries=0
        )
        self.units[future.key] = (unit, future)
        return future

    def finished(self, future: Future) -> Unit:
        return self.units.pop(future.key)[0]

    def cancel(self) -> None:
        outstanding = [future for _, future in self.units.values()]
        if outstanding and self._client.status == "running":
            self._client.cancel(outstanding)
        self.units.clear()


def _cause(error: BaseException) -> str:
    if isinstance(error, KilledWorker):
        return "its worker process died again and again: out of memory, or killed from outside"
    text = " ".join(str(error).split())
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"


def _is_disk_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
