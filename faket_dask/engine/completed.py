"""Completed units of a run, as the markers on disk record them.

Memory is constant per unit: one byte for each, and a few sums for each batch. Markers are read again where their
contents are needed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from faket_dask.engine.marker import Marker
from faket_dask.engine.plan import Batch, Plan
from faket_dask.engine.run_unit import is_done
from faket_dask.engine.stage import BatchKey
from faket_dask.engine.unit import Item, Unit

READERS = 8
"""Threads that read markers: on a parallel file system most of the time is spent waiting for it."""


@dataclass
class BatchProgress:
    """Completed units of one batch.

    Parameters
    ----------
    flags
        One byte per unit, 1 when it is done.
    seconds
        Total computing time of the units that are done.
    """

    flags: bytearray
    seconds: float = 0.0

    @property
    def count(self) -> int:
        """Number of units that are done."""
        return self.flags.count(1)

    def indices(self) -> list[int]:
        """Return the indices of units that are done."""
        return [index for index, flag in enumerate(self.flags) if flag]

    def missing(self) -> list[int]:
        """Return the indices of units that are yet to be computed."""
        return [index for index, flag in enumerate(self.flags) if not flag]


@dataclass
class CompletedUnits:
    """Completed units of a plan, by batch.

    Parameters
    ----------
    plan
        Plan of the run.
    batches
        Progress of each batch.
    hosts
        Machines that computed units.
    ended
        UTC time of the last completion, ISO 8601.
    environments
        Names of the environments that units were computed in, the first one first.
    """

    plan: Plan[Any]
    batches: dict[BatchKey, BatchProgress] = field(default_factory=dict)
    hosts: set[str] = field(default_factory=set)
    ended: str | None = None
    environments: dict[str, None] = field(default_factory=dict)

    @classmethod
    def read(cls, plan: Plan[Any]) -> CompletedUnits:
        """Read all markers of a plan, and check that the files they name exist."""
        completed = cls.empty(plan)
        for _ in completed.read_new(plan.batches):
            pass
        return completed

    @classmethod
    def empty(cls, plan: Plan[Any]) -> CompletedUnits:
        """Return an object that has read no marker yet."""
        return cls(plan, {batch.key: BatchProgress(bytearray(batch.count)) for batch in plan.batches})

    def read_new(self, batches: Sequence[Batch]) -> Iterator[tuple[Unit, Marker]]:
        """Read, add and yield markers of these batches that were not there before."""
        with ThreadPoolExecutor(READERS) as pool:
            for batch, markers in zip(batches, pool.map(self._read_batch, batches), strict=True):
                for index, marker in markers:
                    unit = batch.unit(index)
                    self.add(unit, marker)
                    yield unit, marker

    def add(self, unit: Unit, marker: Marker) -> None:
        """Add a unit that is done."""
        batch = self.batches[BatchKey(unit.stage, unit.item)]
        batch.flags[unit.index] = 1
        batch.seconds += marker.seconds
        self.hosts.add(marker.host)
        self.ended = max(self.ended or "", marker.ended)
        self.environments.setdefault(marker.environment)

    def _read_batch(self, batch: Batch) -> list[tuple[int, Marker]]:
        spec, stage = self.plan.spec, self.plan.stage(batch.stage)
        folder = spec.folder.markers(batch.stage, batch.item)
        try:
            present = {entry.name for entry in os.scandir(folder)}
        except FileNotFoundError:
            return []
        ownership = stage.ownership(spec, batch.item)
        markers = []
        for index in self.batches[batch.key].missing():
            if f"{index}.json" not in present:
                continue
            marker = Marker.read(folder / f"{index}.json")
            if marker and is_done(marker, stage, spec, batch.unit(index), ownership.files(index)):
                markers.append((index, marker))
        return markers

    def read_markers(self, stage: str, item: Item) -> dict[int, Marker]:
        """Read the markers of a batch's completed units by index; empty for a batch that the plan does not have."""
        progress = self.batches.get(BatchKey(stage, item))
        folder = self.plan.spec.folder.markers(stage, item)
        markers = {
            index: Marker.read(folder / f"{index}.json") for index in (progress.indices() if progress else ())
        }
        return {index: marker for index, marker in markers.items() if marker is not None}

    def counts(self) -> dict[BatchKey, int]:
        """Return the number of completed units of each batch."""
        return {key: progress.count for key, progress in self.batches.items()}

    def missing(self, batch: Batch) -> list[int]:
        """Return the indices of a batch's units that are yet to be computed."""
        return self.batches[batch.key].missing()

    def has(self, stage: str, item: Item) -> bool:
        """Tell whether the plan has a batch and all its units are done."""
        return (stage, item) in self.batches and self.why_missing(stage, item) is None

    def why_missing(self, stage: str, item: Item, index: int | None = None) -> str | None:
        """Explain why a result is missing; ``None`` when it is there.

        Parameters
        ----------
        stage, item
            Batch that makes it.
        index
            Index of the one unit that is needed; by default all of the batch are.
        """
        progress = self.batches.get(BatchKey(stage, item))
        if index is not None:
            return None if progress and progress.flags[index] else f"{Unit(stage, item, index)} is not done"
        count = len(progress.flags) if progress else self.plan.stage(stage).count(self.plan.spec, item)
        missing = count - (progress.count if progress else 0)
        return f"{missing} of {count} units of {stage} {item} are not done" if missing else None
