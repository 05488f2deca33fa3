"""Where everything of a data set lies on disk."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths of one data set; nothing here touches the disk."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def plan(self) -> Path:
        return self.root / "plan.json"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    @property
    def realism(self) -> Path:
        return self.root / "realism.json"

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.csv"

    @property
    def lock(self) -> Path:
        return self.root / "progress" / "driver.lock"

    @property
    def journal(self) -> Path:
        """What drivers tell of their runs while they go on, a line of JSON per event."""
        return self.root / "progress" / "journal.jsonl"

    @property
    def runs(self) -> Path:
        """One record of each run."""
        return self.root / "progress" / "runs"

    def environment(self, name: str) -> Path:
        """Libraries and processor that units were computed with."""
        return self.root / "progress" / "environments" / f"{name}.yaml"

    @property
    def job_logs(self) -> Path:
        """What worker jobs of a batch system print."""
        return self.root / "progress" / "jobs"

    def specimen(self, specimen: str) -> Path:
        """Zarr group: `noiseless`, `benchmark`; its subgroup `volume` holds density and labels."""
        return self.root / "specimens" / f"{specimen}.zarr"

    def volume(self, specimen: str) -> Path:
        return self.specimen(specimen) / "volume"

    def particles(self, specimen: str) -> Path:
        return self.root / "specimens" / f"{specimen}.particles.csv"

    def reference(self, reference: str) -> Path:
        """Zarr group: statistics and Gram matrices per tilt of a reference."""
        return self.root / "references" / f"{reference}.zarr"

    def series(self, series: str) -> Path:
        """Zarr group: what the reference changes of a specimen's tilt-series."""
        return self.root / "series" / f"{series}.zarr"

    def markers(self, stage: str, item: str) -> Path:
        return self.root / "progress" / stage / item

    def marker(self, stage: str, item: str, index: int) -> Path:
        return self.markers(stage, item) / f"{index}.json"
