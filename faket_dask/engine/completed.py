"""What of a data set is done, as the markers on disk say.

Kept in memory is one byte for each unit and a few sums for each batch, whatever the units found: a run's driver
holds as good as nothing of the series that it has behind it. Records are read again where they are asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.unit import Record, Unit, is_done, read_marker
from faket_dask.pipeline import STAGES
from faket_dask.pipeline.plan import Batch, BatchKey, Plan

READERS = 8
"""Threads that read markers: on a parallel file system most of the time is waiting for its answers."""


@dataclass
class Done:
    """What is done of a batch.

    Parameters
    ----------
    flags
        For each unit, 1 when it is done.
    seconds
        That those took, together.
    """

    flags: bytearray
    seconds: float = 0.0

    @property
    def count(self) -> int:
        """Number of units that are done."""
        return self.flags.count(1)

    def indices(self) -> list[int]:
        """The units that are done."""
        return [index for index, flag in enumerate(self.flags) if flag]


@dataclass
class CompletedUnits:
    """Units that are done, by batch.

    Parameters
    ----------
    spec
        Of the data set.
    done
        What is done of each batch of its plan.
    hosts
        Machines that computed it.
    ended
        When the last unit did, UTC in ISO 8601.
    environments
        Names of those that it was computed in, the first one first.
    """

    spec: DatasetSpec
    done: dict[BatchKey, Done] = field(default_factory=dict)
    hosts: set[str] = field(default_factory=set)
    ended: str | None = None
    environments: dict[str, None] = field(default_factory=dict)

    @classmethod
    def read(cls, plan: Plan) -> CompletedUnits:
        """Read every marker of a plan's batches, and see that the files they speak of are there."""
        completed = cls.blank(plan)
        for _ in completed.look(plan.batches):
            pass
        return completed

    @classmethod
    def blank(cls, plan: Plan) -> CompletedUnits:
        """A completed that has not looked at any marker yet."""
        return cls(plan.spec, {batch.key: Done(bytearray(batch.count)) for batch in plan.batches})

    def look(self, batches: Sequence[Batch]) -> Iterator[tuple[Unit, Record]]:
        """Read and note the markers of batches that are not noted yet, and give what they hold."""
        with ThreadPoolExecutor(READERS) as pool:
            for batch, found in zip(batches, pool.map(self._read, batches), strict=True):
                for index, record in found:
                    unit = Unit(batch.stage, batch.item, index)
                    self.add(unit, record)
                    yield unit, record

    def add(self, unit: Unit, record: Record) -> None:
        """Note that a unit is done."""
        batch = self.done[unit.stage, unit.item]
        batch.flags[unit.index] = 1
        batch.seconds += record["seconds"]
        self.hosts.add(record["host"])
        self.ended = max(self.ended or "", record["ended"])
        if name := record.get("environment"):
            self.environments.setdefault(name)

    def _read(self, batch: Batch) -> list[tuple[int, Record]]:
        """Units of a batch that are done and not noted yet."""
        folder = self.spec.layout.markers(batch.stage, batch.item)
        try:
            present = {entry.name for entry in os.scandir(folder)}
        except FileNotFoundError:
            return []
        files_of = STAGES[batch.stage].ownership(self.spec, batch.item)
        found = []
        for index in range(batch.count):
            if self.done[batch.key].flags[index] or f"{index}.json" not in present:
                continue
            record = read_marker(folder / f"{index}.json")
            unit = Unit(batch.stage, batch.item, index)
            if record is not None and is_done(record, self.spec, unit, files_of(index)):
                found.append((index, record))
        return found

    @property
    def records(self) -> Mapping[BatchKey, dict[int, Record]]:
        """Records of the units that are done, read from their markers one batch at a time."""
        return _Records(self)

    def counts(self) -> dict[BatchKey, int]:
        """Number of units done of each batch."""
        return {key: batch.count for key, batch in self.done.items()}

    def missing(self, batch: Batch) -> list[int]:
        """Indices of a batch's units that are yet to be computed."""
        return [index for index, flag in enumerate(self.done[batch.key].flags) if not flag]


@dataclass(frozen=True)
class _Records(Mapping[BatchKey, dict[int, Record]]):
    completed: CompletedUnits

    def __getitem__(self, key: BatchKey) -> dict[int, Record]:
        layout = self.completed.spec.layout
        read = {
            index: read_marker(layout.marker(*key, index)) for index in self.completed.done[key].indices()
        }
        return {index: record for index, record in read.items() if record is not None}

    def __contains__(self, key: object) -> bool:
        return key in self.completed.done

    def __iter__(self) -> Iterator[BatchKey]:
        return iter(self.completed.done)

    def __len__(self) -> int:
        return len(self.completed.done)
