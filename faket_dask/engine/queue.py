"""What can run: units whose inputs are there, in the plan's order."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import islice

from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.unit import Unit
from faket_dask.pipeline import STAGES
from faket_dask.pipeline.plan import BatchKey, Plan

Group = tuple[Unit, ...]
"""Units of one batch that a worker computes one after the other."""


class Queue:
    """Units that can run, in the plan's order: it looks past batches that wait for others.

    A batch has ended when its units are done and all that it comes after has ended: what is done already passes the
    wait on, so that nothing reads what is made again further up. A batch is put among the ready ones when the last
    that it waits for ends, and giving out a unit costs the same however many batches there are.

    The scheduler gives up a unit under which several workers have died, and with it those that only waited on the
    same workers. Such *suspects* are put off until nothing else can run, and then tried one at a time: what fails
    alone has failed for good.
    """

    def __init__(self, plan: Plan, completed: CompletedUnits) -> None:
        self._spec = plan.spec
        self._ledger = completed
        self._batches = plan.batches
        self._left = {batch.key: len(completed.missing(batch)) for batch in plan.batches}
        self._waits: dict[int, set[BatchKey]] = {}
        self._followers: dict[BatchKey, list[int]] = {}
        self._ready: list[int] = []
        self._open = 0
        """Units of ready batches that have not been given out."""
        ended: set[BatchKey] = set()
        for place, batch in enumerate(plan.batches):
            waits = set(batch.after) - ended
            if waits:
                self._waits[place] = waits
                for key in waits:
                    self._followers.setdefault(key, []).append(place)
            elif self._left[batch.key]:
                self._make_ready(place)
            else:
                ended.add(batch.key)
        self._again: deque[Unit] = deque()
        self._suspects: deque[Unit] = deque()
        self._alone: Unit | None = None
        self._units: Iterator[Unit] = iter(())

    def take(self, most: int, alone: bool, size: Callable[[str], int], shares: int) -> list[Group]:
        """Units that can run now, in groups: as many groups as there are, and at `most` so many.

        Parameters
        ----------
        alone
            Says that nothing runs.
        size
            For a stage, how many units a group should have.
        shares
            Groups are smaller where they would not go round: as what can run gets less, so do they.
        """
        if alone:
            self._alone = None
        if self._alone is not None:
            return []
        groups: list[Group] = []
        while len(groups) < most and (group := self._next_group(size, shares)):
            groups.append(group)
        if alone and not groups and self._suspects:
            self._alone = self._suspects.popleft()
            return [(self._alone,)]
        return groups

    def _next_group(self, size: Callable[[str], int], shares: int) -> Group:
        if self._again:
            return (self._again.popleft(),)
        unit = next(self._units, None)
        if unit is None and self._ready:
            batch = self._batches[heappop(self._ready)]
            STAGES[batch.stage].set_up(self._spec, batch.item)
            self._units = (Unit(batch.stage, batch.item, i) for i in self._ledger.missing(batch))
            unit = next(self._units)
        if unit is None:
            return ()
        wanted = min(size(unit.stage), math.ceil(self._open / shares))
        group = (unit, *islice(self._units, wanted - 1))
        self._open -= len(group)
        return group

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
                    self._make_ready(place)
                else:
                    ended.append(self._batches[place].key)

    def again(self, unit: Unit) -> None:
        """Give a unit out once more, in a group of its own."""
        self._again.append(unit)

    def suspect(self, unit: Unit) -> None:
        """Give a unit out once more, when nothing else runs."""
        self._suspects.append(unit)

    def is_alone(self, unit: Unit) -> bool:
        return unit == self._alone

    def _make_ready(self, place: int) -> None:
        heappush(self._ready, place)
        self._open += self._left[self._batches[place].key]
