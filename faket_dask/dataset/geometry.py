"""Shapes, angles and pixel sizes of a data set's specimens and series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from faket_dask.config import BuiltSpecimen, RunConfig
from faket_dask.dataset.acquisition import Acquisition, draw_acquisition
from faket_dask.dataset.inputs import VolumeInput

BLOCK_ROWS = 64
"""Rows of y in one block: 16 files of 61 x 1024² projections, and 0.1 GB of density at 1024 x 200."""


@dataclass(frozen=True)
class DatasetGeometry:
    """Shapes, angles and pixel sizes; a specimen and all series of it share them.

    Parameters
    ----------
    config
        Resolved run file.
    specimens
        Names of the data set's specimens.
    volumes
        Facts about existing volumes, one per specimen; empty where specimens are built.
    specimen_by_series
        Name of the specimen of each series.
    """

    config: RunConfig
    specimens: Sequence[str]
    volumes: Sequence[VolumeInput]
    specimen_by_series: dict[str, str]
    _drawn: dict[str, Acquisition] = field(default_factory=dict, compare=False)

    def acquisition(self, name: str) -> Acquisition:
        """Return the acquisition of a specimen or of a series of it, drawn where the run file has ranges."""
        specimen = self.specimen_by_series.get(name, name)
        if specimen not in self._drawn:
            self._drawn[specimen] = draw_acquisition(self.config, specimen)
        return self._drawn[specimen]

    @property
    def tilt_shape(self) -> tuple[int, int]:
        """``(y, x)`` pixels of the detector."""
        return self.config.acquisition.detector_px

    def stack_shape(self, name: str) -> tuple[int, int, int]:
        """Return the ``(tilt, y, x)`` shape of the stacks of a specimen or series."""
        return (self.acquisition(name).tilt_angles.size, *self.tilt_shape)

    @cached_property
    def tilt_counts(self) -> tuple[int, int]:
        """Smallest and largest number of tilts of a series."""
        drawn = self.specimens if self.config.acquisition.varies else self.specimens[:1]
        counts = [self.acquisition(specimen).tilt_angles.size for specimen in drawn]
        return min(counts), max(counts)

    @property
    def stack_text(self) -> str:
        """Human-readable shape of the stacks: tilts x rows x columns."""
        tilts = "-".join(map(str, dict.fromkeys(self.tilt_counts)))
        return f"{tilts} x {self.tilt_shape[0]} x {self.tilt_shape[1]}"

    @property
    def nominal_pixel_size_A(self) -> float:
        """Middle of the range of pixel sizes; references are resampled to it."""
        return self.config.acquisition.nominal_pixel_size_A

    def volume_shape(self, specimen: str) -> tuple[int, int, int]:
        """Return the ``(z, y, x)`` voxels of a specimen."""
        section = self.config.specimen
        if isinstance(section, BuiltSpecimen):
            return self.config.built_shape(section, self.acquisition(specimen).pixel_size_A)
        return self.volumes[self.specimens.index(specimen)].shape

    @property
    def block_count(self) -> int:
        """Number of blocks of rows."""
        return -(-self.tilt_shape[0] // BLOCK_ROWS)

    def block_rows(self, block: int) -> slice:
        """Return the rows of y of a block."""
        return slice(block * BLOCK_ROWS, min((block + 1) * BLOCK_ROWS, self.tilt_shape[0]))
