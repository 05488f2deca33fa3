"""Ready queue: units whose inputs exist, in the plan's order."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import islice
from typing import Any

from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.plan import Plan
from faket_dask.engine.stage import BatchKey
from faket_dask.engine.unit import Unit

TaskUnits = tuple[Unit, ...]
"""Units of one batch that a worker computes one after the other in one task."""


class ReadyQueue:
    """Units that can run, in the plan's order; batches that wait for others are passed over.

    A batch is complete when its units are done and all batches that it waits for are complete, so that nothing reads
    a result whose inputs are being remade. A batch becomes ready when the last that it waits for completes; taking a
    unit costs the same however many batches there are.

    Dask's scheduler gives up a unit under which several workers have died, and with it those that only waited on the
    same workers. Such units are put in *quarantine* until nothing else can run, and then tried one at a time: a unit
    that fails alone has failed for good.
    """

    def __init__(self, plan: Plan[Any], completed: CompletedUnits) -> None:
        self._plan = plan
        self._completed = completed
        self._left = {batch.key: len(completed.missing(batch)) for batch in plan.batches}
        self._waits: dict[int, set[BatchKey]] = {}
        self._followers: dict[BatchKey, list[int]] = {}
        self._ready: list[int] = []
        self._ready_units = 0
        """Units of ready batches that have not been taken."""
        complete: set[BatchKey] = set()
        for place, batch in enumerate(plan.batches):
            waits = set(batch.after) - complete
            if waits:
                self._waits[place] = waits
                for key in waits:
                    self._followers.setdefault(key, []).append(place)
            elif self._left[batch.key]:
                self._make_ready(place)
            else:
                complete.add(batch.key)
        self._retries: deque[Unit] = deque()
        self._quarantine: deque[Unit] = deque()
        self._last_attempt: Unit | None = None
        self._units: Iterator[Unit] = iter(())

    def take(self, most: int, idle: bool, size: Callable[[str], int], shares: int) -> list[TaskUnits]:
        """Take units that can run now.

        Parameters
        ----------
        most
            Largest number of tasks.
        idle
            True when nothing runs.
        size
            Number of units per task for a stage.
        shares
            Number of workers to share among: tasks get smaller as the units that can run get fewer.

        Returns
        -------
        tasks
            Units of each task.
        """
        if idle:
            self._last_attempt = None
        if self._last_attempt is not None:
            return []
        tasks: list[TaskUnits] = []
        while len(tasks) < most and (units := self._next_task(size, shares)):
            tasks.append(units)
        if idle and not tasks and self._quarantine:
            self._last_attempt = self._quarantine.popleft()
            return [(self._last_attempt,)]
        return tasks

    def _next_task(self, size: Callable[[str], int], shares: int) -> TaskUnits:
        if self._retries:
            return (self._retries.popleft(),)
        unit = next(self._units, None)
        if unit is None and self._ready:
            batch = self._plan.batches[heappop(self._ready)]
            self._plan.stage(batch.stage).set_up(self._plan.spec, batch.item)
            self._units = map(batch.unit, self._completed.missing(batch))
            unit = next(self._units)
        if unit is None:
            return ()
        units = min(size(unit.stage), math.ceil(self._ready_units / shares))
        task = (unit, *islice(self._units, units - 1))
        self._ready_units -= len(task)
        return task

    def complete(self, unit: Unit) -> None:
        """Count a unit as done; batches that waited for its batch may become ready."""
        key = BatchKey(unit.stage, unit.item)
        self._left[key] -= 1
        complete = [] if self._left[key] else [key]
        while complete:
            key = complete.pop()
            for place in self._followers.pop(key, ()):
                self._waits[place].remove(key)
                if self._waits[place]:
                    continue
                del self._waits[place]
                if self._left[self._plan.batches[place].key]:
                    self._make_ready(place)
                else:
                    complete.append(self._plan.batches[place].key)

    def retry(self, unit: Unit) -> None:
        """Give a unit out once more, in a task of its own."""
        self._retries.append(unit)

    def quarantine(self, unit: Unit) -> None:
        """Give a unit out once more when nothing else runs."""
        self._quarantine.append(unit)

    def is_last_attempt(self, unit: Unit) -> bool:
        """Tell whether a unit runs alone, from quarantine."""
        return unit == self._last_attempt

    def _make_ready(self, place: int) -> None:
        heappush(self._ready, place)
        self._ready_units += self._left[self._plan.batches[place].key]
