"""The driver's loop: hands units to workers, keeps count, retries, and goes on past failures.

Batches become ready when all they come after has ended. Units of ready batches are submitted in the plan's
order through a bounded window, a few per worker, so that the scheduler and this process hold little whatever
the size of the data set; with many workers, several go in one message. Only small records travel; every array
goes through the stores.
"""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import Any

from distributed import Client, Future, as_completed
from distributed.scheduler import KilledWorker

from faket_dask.dataset.events import UnitDone, UnitFailed, Watcher
from faket_dask.dataset.ledger import Ledger
from faket_dask.dataset.plan import BatchKey, Plan
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
    """Compute all units of a plan that the ledger lacks, and note them there.

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
            ready = [(unit, attempts.get(unit, 0)) for unit in queue.take(submission.room())]
            running.update(submission.submit(ready))
            if not submission.units:
                return failures
            for future in running.next_batch():
                unit = submission.finished(future)
                error = (
                    future.exception()
                    if future.status != "cancelled"
                    else ConnectionError("task was cancelled")
                )
                if error is None:
                    record = future.result()
                    ledger.add(unit, record)
                    queue.done(unit)
                    watch(UnitDone(unit, record))
                    attempts.pop(unit, None)
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
    """Units whose inputs are there, in the plan's order: it looks past batches that wait for others.

    A batch is put among the ready ones when the last unit of all that it comes after is done, so that giving out a
    unit costs the same however many batches there are.
    """

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self._blueprint = plan.blueprint
        self._ledger = ledger
        self._batches = plan.batches
        self._left = {batch.key: len(ledger.missing(batch)) for batch in plan.batches}
        self._waits: dict[int, int] = {}
        self._followers: dict[BatchKey, list[int]] = {}
        self._ready: list[int] = []
        for place, batch in enumerate(plan.batches):
            if self._left[batch.key]:
                waits = {key for key in batch.after if self._left[key]}
                for key in waits:
                    self._followers.setdefault(key, []).append(place)
                self._waits[place] = len(waits)
                if not waits:
                    self._ready.append(place)
        self._again: deque[Unit] = deque()
        self._units: Iterator[Unit] = iter(())

    def take(self, most: int) -> Iterator[Unit]:
        """Units that can run now, as many as there are and at `most` so many."""
        for _ in range(most):
            if (unit := self._next_unit()) is None:
                return
            yield unit

    def _next_unit(self) -> Unit | None:
        if self._again:
            return self._again.popleft()
        unit = next(self._units, None)
        if unit is None and self._ready:
            batch = self._batches[heappop(self._ready)]
            STAGES[batch.stage].set_up(self._blueprint, batch.item)
            self._units = (Unit(batch.stage, batch.item, i) for i in self._ledger.missing(batch))
            unit = next(self._units)
        return unit

    def done(self, unit: Unit) -> None:
        key: BatchKey = (unit.stage, unit.item)
        self._left[key] -= 1
        if not self._left[key]:
            for place in self._followers.pop(key, ()):
                self._waits[place] -= 1
                if not self._waits[place]:
                    heappush(self._ready, place)

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

    def room(self) -> int:
        """How many more units may be submitted, once they are enough to be worth a message to the scheduler."""
        if time.monotonic() - self._counted >= RECOUNT_S:
            self._threads = max(1, sum(self._client.nthreads().values()))
            self._counted = time.monotonic()
        room = UNITS_PER_THREAD * self._threads - len(self.units)
        return room if room > self._threads // 8 else 0

    def submit(self, units: Sequence[tuple[Unit, int]]) -> list[Future]:
        """Submit units, each with the number of earlier attempts, in one message."""
        keys: list[Any] = [(unit.stage, unit.item, unit.index, attempt) for unit, attempt in units]
        futures = self._client.map(
            run_unit_of,
            [unit for unit, _ in units],
            root=self._root,
            fingerprint=self._fingerprint,
            key=keys,
            pure=False,
            retries=0,
        )
        for (unit, _), future in zip(units, futures, strict=True):
            self.units[future.key] = (unit, future)
        return futures

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
