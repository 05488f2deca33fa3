"""The driver's loop: hands units to workers, keeps count, retries, and goes on past failures.

Batches become ready when all they come after has ended. Units of ready batches are submitted in the plan's
order through a bounded window, a few per worker, so that the scheduler and this process hold little whatever
the size of the data set; with many workers, several go in one message. Only small records travel; every array
goes through the stores.
"""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from typing import Any

from distributed import Client, Future
from distributed.scheduler import KilledWorker

from faket_dask.cluster.requirements import GIB
from faket_dask.dataset.environment import environment_change
from faket_dask.dataset.events import UnitDone, UnitFailed, Watcher
from faket_dask.dataset.ledger import Ledger
from faket_dask.dataset.plan import BatchKey, Plan
from faket_dask.dataset.room import is_disk_full
from faket_dask.dataset.units import STAGES
from faket_dask.dataset.units.unit import Record, Unit, run_unit_of
from faket_dask.errors import InputError

UNITS_PER_THREAD = 3
"""Submitted ahead per worker thread: none waits for the driver, and a lost worker loses little."""

COLLECT_S = 0.002
"""Per worker thread, between two checks of what has ended: with hundreds of threads half a second or so, and what has
ended since is fetched in a few messages instead of hundreds. Workers have other units meanwhile."""

SHORTEST_S = 0.01
"""Between two such checks with a few threads; next to nothing beside a unit."""

LOOK_S = 5.0
"""Between two looks at what may change during a run: the number of workers, and whether it can go on at all."""

DASHBOARD_NAMES = {
    "build": "build-labels",
    "project": "project-density",
    "measure": "measure-noise",
    "levels": "levels-noise",
    "filter": "filter-projection",
    "reconstruct": "reconstruct-block",
}
"""What tasks are called on the Dask dashboard, where it is not their stage alone. It draws a colour of eighteen by a
hash of the name: with these second words, no two stages have the same one, nor two neighbours similar ones."""


def execute(
    plan: Plan,
    ledger: Ledger,
    client: Client,
    retries: int,
    watch: Watcher,
    look_around: Callable[[], None] = lambda: None,
) -> list[UnitFailed]:
    """Compute all units of a plan that the ledger lacks, and note them there.

    Parameters
    ----------
    look_around
        Called every few seconds, whether units end or not, and when one fails; what it raises ends the run.

    Returns
    -------
    failures
        Units that failed more than `retries` times, or under which workers died again and again; what comes after
        them was left out, the rest is done.

    Raises
    ------
    OSError
        As soon as a worker finds no space left: then nothing else can succeed.
    """
    queue = _Queue(plan, ledger)
    submission = _Submission(plan, client, look_around)
    failures: list[UnitFailed] = []
    attempts: dict[Unit, int] = {}
    try:
        while True:
            units = queue.take(submission.room(), alone=not submission.units)
            ready = [(unit, attempts.get(unit, 0)) for unit in units]
            submission.submit(ready)
            if not submission.units:
                return failures
            for unit, outcome in submission.outcomes():
                if not isinstance(outcome, BaseException):
                    _mind_environment(ledger, outcome)
                    ledger.add(unit, outcome)
                    queue.done(unit)
                    watch(UnitDone(unit, outcome))
                    attempts.pop(unit, None)
                else:
                    look_around()
                    attempts[unit] = attempts.get(unit, 0) + 1
                    if isinstance(outcome, KilledWorker):
                        final = queue.is_alone(unit)
                    else:
                        final = isinstance(outcome, InputError) or attempts[unit] > retries
                    failed = UnitFailed(unit, _cause(outcome), final)
                    watch(failed)
                    if is_disk_full(outcome):
                        raise outcome
                    if final:
                        failures.append(failed)
                    elif isinstance(outcome, KilledWorker):
                        queue.suspect(unit)
                    else:
                        queue.again(unit)
    finally:
        submission.cancel()


class _Queue:
    """Units whose inputs are there, in the plan's order: it looks past batches that wait for others.

    A batch has ended when its units are done and all that it comes after has ended: what is done already passes the
    wait on, so that nothing reads what is made again further up. A batch is put among the ready ones when the last
    that it waits for ends, and giving out a unit costs the same however many batches there are.

    The scheduler gives up a unit under which several workers have died, and with it those that only waited on the
    same workers. Such *suspects* are put off until nothing else can run, and then tried one at a time: what fails
    alone has failed for good.
    """

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self._blueprint = plan.blueprint
        self._ledger = ledger
        self._batches = plan.batches
        self._left = {batch.key: len(ledger.missing(batch)) for batch in plan.batches}
        self._waits: dict[int, set[BatchKey]] = {}
        self._followers: dict[BatchKey, list[int]] = {}
        self._ready: list[int] = []
        ended: set[BatchKey] = set()
        for place, batch in enumerate(plan.batches):
            waits = set(batch.after) - ended
            if waits:
                self._waits[place] = waits
                for key in waits:
                    self._followers.setdefault(key, []).append(place)
            elif self._left[batch.key]:
                self._ready.append(place)
            else:
                ended.add(batch.key)
        self._again: deque[Unit] = deque()
        self._suspects: deque[Unit] = deque()
        self._alone: Unit | None = None
        self._units: Iterator[Unit] = iter(())

    def take(self, most: int, alone: bool) -> list[Unit]:
        """Units that can run now, as many as there are and at `most` so many; `alone` says that none runs."""
        if alone:
            self._alone = None
        if self._alone is not None:
            return []
        units: list[Unit] = []
        while len(units) < most and (unit := self._next_unit()) is not None:
            units.append(unit)
        if alone and not units and self._suspects:
            self._alone = self._suspects.popleft()
            return [self._alone]
        return units

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
        ended = [] if self._left[key] else [key]
        while ended:
            key = ended.pop()
            for place in self._followers.pop(key, ()):
                self._waits[place].remove(key)
                if self._waits[place]:
                    continue
                del self._waits[place]
                if self._left[self._batches[place].key]:
                    heappush(self._ready, place)
                else:
                    ended.append(self._batches[place].key)

    def again(self, unit: Unit) -> None:
        self._again.append(unit)

    def suspect(self, unit: Unit) -> None:
        self._suspects.append(unit)

    def is_alone(self, unit: Unit) -> bool:
        return unit == self._alone


class _Submission:
    """Futures that are out, and the units that they stand for."""

    def __init__(self, plan: Plan, client: Client, look_around: Callable[[], None]) -> None:
        self._client = client
        self._root = str(plan.blueprint.layout.root)
        self._fingerprint = plan.blueprint.fingerprint
        self._look_around = look_around
        self._threads = 1
        self._looked = -LOOK_S
        self.units: dict[str, tuple[Unit, Future]] = {}

    def room(self) -> int:
        """How many more units may be submitted, once they are enough to be worth a message to the scheduler."""
        if time.monotonic() - self._looked >= LOOK_S:
            self._look_around()
            self._threads = max(1, sum(self._client.nthreads().values()))
            self._looked = time.monotonic()
        room = UNITS_PER_THREAD * self._threads - len(self.units)
        return room if room > self._threads // 8 else 0

    def submit(self, units: Sequence[tuple[Unit, int]]) -> None:
        """Submit units, each with the number of earlier attempts, in one message."""
        keys: list[Any] = [
            (DASHBOARD_NAMES.get(unit.stage, unit.stage), unit.item, unit.index, attempt)
            for unit, attempt in units
        ]
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

    def outcomes(self) -> Iterator[tuple[Unit, Record | BaseException]]:
        """What came of units that have ended since: records, fetched from all their workers at once, or errors.

        Waits for the first, but no longer than until it is time to look around.
        """
        ended = self._ended()
        well = {future.key: future for future in ended if future.status == "finished"}
        records = self._client.gather(well, errors="skip") if well else {}
        for future in ended:
            unit, _ = self.units.pop(future.key)
            outcome = records.get(future.key) or _outcome(future)
            future.release()  # now: a frame that an error holds on to would keep the task on the scheduler
            yield unit, outcome

    def _ended(self) -> list[Future]:
        until = time.monotonic() + LOOK_S
        while True:
            time.sleep(min(max(COLLECT_S * self._threads, SHORTEST_S), LOOK_S))
            ended = [future for _, future in self.units.values() if future.status != "pending"]
            if ended or time.monotonic() >= until:
                return ended

    def cancel(self) -> None:
        outstanding = [future for _, future in self.units.values()]
        if outstanding and self._client.status == "running":
            self._client.cancel(outstanding)
        self.units.clear()


def _outcome(future: Future) -> Record | BaseException:
    """Of one task: an error, or the record of a unit whose worker was lost between its end and the fetching."""
    if future.status == "cancelled":
        return ConnectionError("task was cancelled")
    error = future.exception()
    return future.result() if error is None else error


def _mind_environment(ledger: Ledger, record: Record) -> None:
    """Warn once of every environment that units are computed in besides the first."""
    name = record["environment"]
    if ledger.environments and name not in ledger.environments:
        changes = environment_change(ledger.blueprint.layout, next(iter(ledger.environments)), name)
        warnings.warn(
            f"{ledger.blueprint.layout.root}: units are computed in another environment than those before "
            f"({changes}); results may differ from theirs in rounding",
            stacklevel=2,
        )


def _cause(error: BaseException) -> str:
    if isinstance(error, KilledWorker):
        worker = error.last_worker
        held = f" (its limit was {worker.memory_limit / GIB:.2f} GiB)" if worker.memory_limit else ""
        return f"its worker process died again and again: out of memory{held}, or killed from outside"
    text = " ".join(str(error).split())
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"
