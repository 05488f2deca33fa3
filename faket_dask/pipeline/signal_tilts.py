"""Signal of a series' tilts: its specimen and the matter beside it, through the microscope."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.contents import read_contents
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_tilt
from faket_dask.kernels.gold import Beads, project_beads
from faket_dask.pipeline.series_arrays import BACKGROUND
from faket_dask.references.imaging import Imaging, open_imaging


@dataclass(frozen=True)
class SignalTilts:
    """Source of the signal of a series' tilts.

    Parameters
    ----------
    noiseless_store
        Zarr group of the specimen's projections.
    background_store
        Zarr group of those of the matter beside it; ``None`` where there is none.
    imaging
        Imaging conditions; ``None`` where the signal has no contrast transfer.
    beads
        Gold beads of the specimen, which radiation does not damage; ``None`` where there are none.
    pixel_size_A
        Edge of a pixel.
    """

    noiseless_store: Path
    background_store: Path | None
    imaging: Imaging | None
    beads: Beads | None
    pixel_size_A: float

    @classmethod
    def open(cls, spec: DatasetSpec, series: str) -> SignalTilts:
        """Return the source of a data set's series."""
        specimen, imaging = spec.series_by_name[series].specimen, open_imaging(spec, series)
        return cls(
            spec.folder.specimen_tilts(specimen),
            spec.folder.series_tilts(series) if spec.shares_background else None,
            imaging,
            None if imaging is None else read_contents(spec, specimen).beads,
            spec.geometry.acquisition(series).pixel_size_A,
        )

    def read(self, tilt: int) -> NDArray[np.float32]:
        """Return the signal of a tilt, ``(y, x)`` in volts times voxels, dark where there is matter at underfocus."""
        matter = read_tilt(self.noiseless_store, "noiseless", tilt)
        if self.background_store is not None:
            matter = matter + read_tilt(self.background_store, BACKGROUND, tilt)
        if self.imaging is None:
            return matter
        return self.imaging.transfer(matter, self.pixel_size_A, tilt, self._project_gold(matter.shape, tilt))

    def _project_gold(self, shape: tuple[int, ...], tilt: int) -> NDArray[np.float32] | None:
        """Return the beads' part of a noiseless tilt."""
        if self.beads is None or self.imaging is None:
            return None
        angle = self.imaging.exposures[tilt].tilt_angle
        gold = project_beads(self.beads, (shape[0], shape[1]), self.pixel_size_A, angle)
        return gold.path_A * np.float32(-gold.potential_V / self.pixel_size_A)
