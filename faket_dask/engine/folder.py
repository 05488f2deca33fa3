"""Paths of a run's folder; nothing here touches the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faket_dask.engine.unit import Item, Unit


@dataclass(frozen=True)
class RunFolder:
    """Paths below the root of a run: its description, and everything about its progress.

    Parameters
    ----------
    root
        Absolute path of the folder.
    """

    root: Path

    @property
    def description(self) -> Path:
        """Pipeline, layout version, fingerprint and inputs, as JSON."""
        return self.root / "plan.json"

    @property
    def progress(self) -> Path:
        """Folder of markers, events and run records; deleting it forgets what is done."""
        return self.root / "progress"

    @property
    def lock(self) -> Path:
        """Lock file of the driver."""
        return self.progress / "driver.lock"

    @property
    def event_log(self) -> Path:
        """Events of all runs, a line of JSON each."""
        return self.progress / "events.jsonl"

    @property
    def runs(self) -> Path:
        """Folder with one record of each run."""
        return self.progress / "runs"

    @property
    def job_logs(self) -> Path:
        """Folder of the output of batch jobs."""
        return self.progress / "jobs"

    def environment(self, name: str) -> Path:
        """Record of the libraries and the processor that units were computed with."""
        return self.progress / "environments" / f"{name}.yaml"

    def markers(self, stage: str, item: Item) -> Path:
        """Folder of the markers of one batch."""
        return self.progress / stage / item.path

    def marker(self, unit: Unit) -> Path:
        """Marker of one unit."""
        return self.markers(unit.stage, unit.item) / f"{unit.index}.json"
