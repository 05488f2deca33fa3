"""Progress of every tilt of every series, which a heat map shows."""

from __future__ import annotations

from collections import defaultdict, deque
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from faket_dask.engine.unit import Unit
from faket_dask.pipeline.plan import BatchKey, Plan


class State(IntEnum):
    """Progress of one tilt."""

    WAITING = 0
    BUILT = 1
    PROJECTED = 2
    READY = 3
    DONE = 4
    FAILED = 5

    @property
    def label(self) -> str:
        """Name in legends."""
        return _LABELS[self]


_LABELS = {
    State.WAITING: "waiting",
    State.BUILT: "specimen built",
    State.PROJECTED: "projected",
    State.READY: "noise fitted",
    State.DONE: "done",
    State.FAILED: "failed",
}

_REACHED = {"build": State.BUILT, "project": State.PROJECTED, "levels": State.READY}
"""State that all tilts of an item are in once all units of a stage are done."""


class ProgressGrid:
    """States of all tilts, series × tilts.

    A tilt is done when the last stage that writes it is: the series' own, or in a data set without series the image
    or projection of the specimen. It has failed when a unit that it needs has failed for good.

    Parameters
    ----------
    plan
        Plan of the run.

    Attributes
    ----------
    series
        Names of the series.
    tilt_angles
        Tilt angles of each series in degrees, ``(tilt,)``.
    states
        ``(series, tilt)`` values of `State`.
    absent
        ``(series, tilt)``, True beyond the last tilt of series with fewer tilts than others.
    """

    def __init__(self, plan: Plan) -> None:
        spec = plan.spec
        self.series = [series.name for series in spec.series]
        self.tilt_angles = [spec.acquisition(name).tilt_angles for name in self.series]
        self._tilts = np.array([angles.size for angles in self.tilt_angles])
        self.states: NDArray[np.uint8] = np.full(
            (len(self.series), self._tilts.max()), State.WAITING, np.uint8
        )
        self.absent: NDArray[np.bool_] = np.arange(self._tilts.max()) >= self._tilts[:, None]
        stages = {batch.stage for batch in plan.batches}
        self._last = next(stage for stage in ("style", "image", "project") if stage in stages)
        self._by_tilt = self._last != "project"
        self._rows: dict[str, list[int]] = defaultdict(list)
        for row, series in enumerate(spec.series):
            self._rows[series.name].append(row)
            self._rows[series.specimen].append(row)
        self._left = {batch.key: batch.count for batch in plan.batches}
        self._next: dict[BatchKey, list[BatchKey]] = defaultdict(list)
        for batch in plan.batches:
            for before in batch.after:
                self._next[before].append(batch.key)
        self._tilts_done = np.zeros(len(self.series), dtype=np.int64)

    @property
    def series_done(self) -> int:
        """Number of series whose tilts are all done."""
        return int((self._tilts_done == self._tilts).sum())

    def mark_done(self, unit: Unit) -> None:
        """Take note of a finished unit."""
        key = (unit.stage, unit.item)
        self._left[key] -= 1
        rows = self._rows.get(unit.item, [])
        if unit.stage == self._last and self._by_tilt:
            self.states[rows, unit.index] = State.DONE
            self._tilts_done[rows] += 1
        elif unit.stage == self._last and self._left[key] == 0:
            self.states[rows] = State.DONE
            self._tilts_done[rows] = self._tilts[rows]
        elif unit.stage in _REACHED and self._left[key] == 0:
            self.states[rows] = np.maximum(self.states[rows], _REACHED[unit.stage])

    def mark_failed(self, unit: Unit) -> None:
        """Take note of a unit that failed for good, and with it all units that wait for it."""
        lost = self._successors((unit.stage, unit.item))
        if unit.stage == self._last and self._by_tilt:
            self.states[self._rows[unit.item], unit.index] = State.FAILED
        else:
            lost.add((unit.stage, unit.item))
        for row in [row for stage, item in lost if stage == self._last for row in self._rows[item]]:
            self.states[row, self.states[row] != State.DONE] = State.FAILED

    def _successors(self, key: BatchKey) -> set[BatchKey]:
        """Return all batches that wait for a batch, directly or not."""
        successors: set[BatchKey] = set()
        waiting = deque(self._next[key])
        while waiting:
            batch = waiting.popleft()
            if batch not in successors:
                successors.add(batch)
                waiting.extend(self._next[batch])
        return successors
