"""Progress of every product of a run, which a heat map shows."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.engine.plan import Batch, Plan
from faket_dask.engine.stage import BatchKey
from faket_dask.engine.unit import Unit

WAITING = 0
"""State of a unit none of whose milestones is reached."""


class ProgressGrid:
    """States of the units of all products (such as the tilts of all series), products × units.

    A state is `WAITING`, the number of milestones that a product has reached, `done`, or `failed`. A milestone, such
    as "projected", is reached when all batches of its stage that the product depends on are complete. A unit has
    failed when it, or a unit that it needs, failed for good.

    Parameters
    ----------
    plan
        Plan of the run.

    Attributes
    ----------
    product_name, unit_name
        Plural nouns for products and their units.
    names
        Names of the products.
    unit_labels
        Labels of each product's units, such as tilt angles.
    labels
        Name of each state: waiting, the milestones in order, done, failed.
    states
        ``(product, unit)`` states.
    absent
        ``(product, unit)``, True beyond the last unit of products with fewer units than others.
    """

    def __init__(self, plan: Plan[Any]) -> None:
        products = plan.product_batches()
        self.product_name, self.unit_name = plan.pipeline.product_name, plan.pipeline.unit_name
        self.names = [str(batch.item) for batch in products]
        self.unit_labels = [plan.stage(batch.stage).unit_labels(plan.spec, batch.item) for batch in products]
        self._counts = np.array([batch.count for batch in products], dtype=np.int64)
        width = int(self._counts.max(initial=0))
        self.states: NDArray[np.uint8] = np.full((len(products), width), WAITING, np.uint8)
        self.absent: NDArray[np.bool_] = np.arange(width) >= self._counts[:, None]
        self._rows = {batch.key: row for row, batch in enumerate(products)}
        self._left = {batch.key: batch.count for batch in plan.batches}
        self._dependants = self._list_dependants(plan, products)
        stages = [stage for stage in plan.stages if stage.milestone is not None]
        present = [
            stage
            for stage in stages
            if any(key.stage == stage.name and rows for key, rows in self._dependants.items())
        ]
        self._levels = {stage.name: level for level, stage in enumerate(present, start=1)}
        self.labels = ["waiting", *(str(stage.milestone) for stage in present), "done", "failed"]
        self.done, self.failed = len(self.labels) - 2, len(self.labels) - 1
        self._incomplete = np.zeros((len(products), len(self._levels) + 1), dtype=np.int64)
        for key, rows in self._dependants.items():
            if key.stage in self._levels:
                self._incomplete[rows, self._levels[key.stage]] += 1
        self._units_done = np.zeros(len(products), dtype=np.int64)

    def _list_dependants(self, plan: Plan[Any], products: list[Batch]) -> dict[BatchKey, list[int]]:
        """Return the rows of the products that depend on each batch."""
        after = {batch.key: batch.after for batch in plan.batches}
        dependants: dict[BatchKey, list[int]] = defaultdict(list)
        for row, batch in enumerate(products):
            needed: set[BatchKey] = set()
            waiting = list(batch.after)
            while waiting:
                key = waiting.pop()
                if key not in needed:
                    needed.add(key)
                    waiting.extend(after[key])
            for key in needed:
                dependants[key].append(row)
        return dependants

    @property
    def products_done(self) -> int:
        """Number of products whose units are all done."""
        return int((self._units_done == self._counts).sum())

    def mark_done(self, unit: Unit) -> None:
        """Take note of a finished unit."""
        key = BatchKey(unit.stage, unit.item)
        self._left[key] -= 1
        if key in self._rows:
            self.states[self._rows[key], unit.index] = self.done
            self._units_done[self._rows[key]] += 1
        elif self._left[key] == 0 and key.stage in self._levels:
            self._reach(self._levels[key.stage], self._dependants[key])

    def _reach(self, level: int, rows: list[int]) -> None:
        """Count a complete batch of a milestone; products that depend on no other of it have reached it."""
        self._incomplete[rows, level] -= 1
        for row in rows:
            if not self._incomplete[row, level]:
                waiting = self.states[row] < level
                self.states[row, waiting] = level

    def mark_failed(self, unit: Unit) -> None:
        """Take note of a unit that failed for good, and with it all units that wait for it."""
        key = BatchKey(unit.stage, unit.item)
        if key in self._rows:
            self.states[self._rows[key], unit.index] = self.failed
        for row in self._dependants.get(key, ()):
            self.states[row, self.states[row] != self.done] = self.failed
