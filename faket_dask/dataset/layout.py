"""Paths of a data set: those of any run's folder, and the stores of specimens, references and series."""

from dataclasses import dataclass
from pathlib import Path

from faket_dask.engine.folder import RunFolder


@dataclass(frozen=True)
class Layout(RunFolder):
    """Paths of one data set; nothing here touches the disk."""

    @property
    def config(self) -> Path:
        """Resolved run file."""
        return self.root / "config.yaml"

    @property
    def report(self) -> Path:
        """HTML report."""
        return self.root / "report.html"

    @property
    def realism(self) -> Path:
        """Distances to the references, as JSON."""
        return self.root / "realism.json"

    @property
    def manifest(self) -> Path:
        """Table of the series."""
        return self.root / "manifest.csv"

    @property
    def outputs(self) -> Path:
        """Record of report, table and distances as they were written."""
        return self.progress / "outputs.jsonl"

    def specimen(self, specimen: str) -> Path:
        """Zarr group of `noiseless` and `benchmark`; its subgroup `volume` holds density and labels."""
        return self.root / "specimens" / f"{specimen}.zarr"

    def volume(self, specimen: str) -> Path:
        """Zarr group of a specimen's density and labels."""
        return self.specimen(specimen) / "volume"

    def particles(self, specimen: str) -> Path:
        """Particle table of a specimen."""
        return self.root / "specimens" / f"{specimen}.particles.csv"

    def reference(self, reference: str) -> Path:
        """Zarr group of a reference's statistics and Gram matrices per tilt."""
        return self.root / "references" / f"{reference}.zarr"

    def series(self, series: str) -> Path:
        """Zarr group of the stacks of a series that depend on its reference."""
        return self.root / "series" / f"{series}.zarr"
