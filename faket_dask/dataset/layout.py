"""Paths of a data set: those of any run's folder, and the stores of specimens, references and series.

A store has attributes at its root and arrays in its groups only. Arrays of one group share their dimensions: two
groups may have an ``x`` of different lengths, so that `xarray.open_datatree` opens every store.
"""

from dataclasses import dataclass
from pathlib import Path

from faket_dask.engine.folder import RunFolder

TILTS = "tilts"
"""Group of a store's tilt stacks ``(tilt, y, x)``, and of what is known of each tilt."""

VOLUME = "volume"
"""Group of a specimen's density and labels ``(z, y, x)``."""

TOMOGRAMS = "tomograms"
"""Group of the tomograms ``(z, y, x)`` that are made from the stacks of a store."""

FILTERED_TILTS = "filtered_tilts"
"""Group of the binned and filtered tilts that tomograms are back-projected from."""

STATISTICS = "statistics"
"""Group of what is measured on each tilt of a reference."""


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
        """Zarr store of a specimen: its volume, and the stacks and tomograms that depend on nothing else."""
        return self.root / "specimens" / f"{specimen}.zarr"

    def volume(self, specimen: str) -> Path:
        """Zarr group of a specimen's density and labels."""
        return self.specimen(specimen) / VOLUME

    def specimen_tilts(self, specimen: str) -> Path:
        """Zarr group of a specimen's stacks: `noiseless` and `benchmark`."""
        return self.specimen(specimen) / TILTS

    def particles(self, specimen: str) -> Path:
        """Particle table of a specimen."""
        return self.root / "specimens" / f"{specimen}.particles.csv"

    def filaments(self, specimen: str) -> Path:
        """Centre lines of the filaments of a specimen, if it has any."""
        return self.root / "specimens" / f"{specimen}.filaments.csv"

    def faces(self, specimen: str) -> Path:
        """Faces of a specimen's ice, if they are not those of the volume."""
        return self.root / "specimens" / f"{specimen}.faces.csv"

    def reference(self, reference: str) -> Path:
        """Zarr store of a reference."""
        return self.root / "references" / f"{reference}.zarr"

    def statistics(self, reference: str) -> Path:
        """Zarr group of a reference's statistics and Gram matrices per tilt."""
        return self.reference(reference) / STATISTICS

    def series(self, series: str) -> Path:
        """Zarr store of a series: the stacks and tomograms that depend on its reference."""
        return self.root / "series" / f"{series}.zarr"

    def series_tilts(self, series: str) -> Path:
        """Zarr group of the stacks of a series that depend on its reference, and of the noise fitted to each tilt."""
        return self.series(series) / TILTS
