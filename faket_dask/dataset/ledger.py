"""What of a data set is done, as the markers on disk say."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from faket_dask.dataset.blueprint import Blueprint
from faket_dask.dataset.plan import Batch, BatchKey, Plan
from faket_dask.dataset.units import STAGES
from faket_dask.dataset.units.unit import Record, Unit, is_done, read_marker


@dataclass
class Ledger:
    """Units that are done, by batch, with their records."""

    blueprint: Blueprint
    records: dict[BatchKey, dict[int, Record]] = field(default_factory=dict)

    @classmethod
    def read(cls, plan: Plan) -> Ledger:
        """Read every marker of a plan's batches, and see that the files they speak of are there."""
        ledger = cls(plan.blueprint)
        for batch in plan.batches:
            ledger.records[batch.key] = dict(ledger._done(batch))
        return ledger

    def _done(self, batch: Batch) -> list[tuple[int, Record]]:
        stage = STAGES[batch.stage]
        folder = self.blueprint.layout.markers(batch.stage, batch.item)
        try:
            present = {entry.name for entry in os.scandir(folder)}
        except FileNotFoundError:
            return []
        found = []
        for index in range(batch.count):
            if f"{index}.json" not in present:
                continue
            unit = Unit(batch.stage, batch.item, index)
            record = read_marker(folder / f"{index}.json")
            files = stage.owned_files(self.blueprint, batch.item, index)
            if record is not None and is_done(record, self.blueprint, unit, files):
                found.append((index, record))
        return found

    def counts(self) -> dict[BatchKey, int]:
        """Number of units done of each batch."""
        return {key: len(records) for key, records in self.records.items()}

    def missing(self, batch: Batch) -> list[int]:
        """Indices of a batch's units that are yet to be computed."""
        return [index for index in range(batch.count) if index not in self.records[batch.key]]
