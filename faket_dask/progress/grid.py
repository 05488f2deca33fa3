"""Progress of every unit of a run's products, such as the tilts of all series, which a heat map shows."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.engine.plan import Batch, Plan
from faket_dask.engine.stage import BatchKey
from faket_dask.engine.unit import Unit

WAITING, DONE, FAILED = "waiting", "done", "failed"


class ProgressGrid:
    """States of the units of all products, product × unit.

    A product has reached a milestone when all batches of the milestone's stage that it depends on are complete. A unit
    has failed when it, or any unit that it depends on, has failed for good.

    Parameters
    ----------
    plan
        Plan of the run.

    Attributes
    ----------
    products
        Names of the products, such as series.
    labels
        Names of the states: waiting, the milestones in the order of the pipeline, done, failed.
    states
        ``(product, unit)`` indices of `labels`.
    absent
        ``(product, unit)``, True beyond the last unit of products with fewer units than others.
    """

    def __init__(self, plan: Plan[Any]) -> None:
        batches = plan.products
        self.products = [batch.item for batch in batches]
        milestones = [stage.milestone for stage in plan.stages if stage.milestone]
        self.labels = (WAITING, *milestones, DONE, FAILED)
        counts = np.array([batch.count for batch in batches], dtype=np.intp)
        self.states: NDArray[np.uint8] = np.zeros((len(batches), counts.max(initial=0)), np.uint8)
        self.absent: NDArray[np.bool_] = np.arange(self.states.shape[1]) >= counts[:, None]
        self._rows = {batch.key: row for row, batch in enumerate(batches)}
        self._left = {batch.key: batch.count for batch in plan.batches}
        self._successors: dict[BatchKey, list[BatchKey]] = defaultdict(list)
        for batch in plan.batches:
            for predecessor in batch.after:
                self._successors[predecessor].append(batch.key)
        self._milestones = {
            stage.name: self.labels.index(stage.milestone) for stage in plan.stages if stage.milestone
        }
        self._awaited = self._count_awaited({batch.key: batch for batch in plan.batches})

    def _count_awaited(self, batches: Mapping[BatchKey, Batch]) -> dict[tuple[int, str], int]:
        """Return the number of batches of each milestone's stage that each product depends on."""
        awaited: dict[tuple[int, str], int] = defaultdict(int)
        for key in batches:
            if key.stage in self._milestones:
                for row in self._dependent_rows(key):
                    awaited[row, key.stage] += 1
        return awaited

    def has_product(self, unit: Unit) -> bool:
        """Tell whether a unit belongs to a product."""
        return BatchKey(unit.stage, unit.item) in self._rows

    @property
    def done_state(self) -> int:
        """Index of the state of finished units."""
        return len(self.labels) - 2

    @property
    def failed_state(self) -> int:
        """Index of the state of failed units."""
        return len(self.labels) - 1

    @property
    def products_done(self) -> int:
        """Number of products whose units are all done."""
        return int(((self.states == self.done_state) | self.absent).all(axis=1).sum())

    def mark_done(self, unit: Unit) -> None:
        """Take note of a finished unit."""
        key = BatchKey(unit.stage, unit.item)
        self._left[key] -= 1
        if key in self._rows:
            self.states[self._rows[key], unit.index] = self.done_state
        if self._left[key] == 0 and unit.stage in self._milestones:
            for row in self._dependent_rows(key):
                self._awaited[row, unit.stage] -= 1
                if self._awaited[row, unit.stage] == 0:
                    self._raise(row, self._milestones[unit.stage])

    def mark_failed(self, unit: Unit) -> None:
        """Take note of a unit that failed for good, and with it all units that depend on it."""
        key = BatchKey(unit.stage, unit.item)
        if key in self._rows:
            self.states[self._rows[key], unit.index] = self.failed_state
        for row in self._dependent_rows(key):
            if self._rows.get(key) != row:
                self._raise(row, self.failed_state)

    def _raise(self, row: int, state: int) -> None:
        """Raise the state of a product's units that are in a lower one and not done."""
        lower = (self.states[row] < state) & (self.states[row] != self.done_state)
        self.states[row, lower] = state

    def _dependent_rows(self, key: BatchKey) -> list[int]:
        """Return the rows of all products that a batch makes or that depend on it."""
        reached = {key}
        waiting = deque([key])
        while waiting:
            for successor in self._successors.get(waiting.popleft(), ()):
                if successor not in reached:
                    reached.add(successor)
                    waiting.append(successor)
        return [self._rows[batch] for batch in reached if batch in self._rows]
