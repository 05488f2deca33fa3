"""Signal of a series' tilts: its specimen and the matter beside it, through the microscope."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_tilt
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
    pixel_size_A
        Edge of a pixel.
    """

    noiseless_store: Path
    background_store: Path | None
    imaging: Imaging | None
    pixel_size_A: float

    @classmethod
    def open(cls, spec: DatasetSpec, series: str) -> SignalTilts:
        """Return the source of a data set's series."""
        return cls(
            spec.folder.specimen_tilts(spec.series_by_name[series].specimen),
            spec.folder.series_tilts(series) if spec.shares_background else None,
            open_imaging(spec, series),
            spec.geometry.acquisition(series).pixel_size_A,
        )

    def read(self, tilt: int) -> NDArray[np.float32]:
        """Return the signal of a tilt, ``(y, x)`` in volts times voxels, dark where there is matter at underfocus."""
        matter = read_tilt(self.noiseless_store, "noiseless", tilt)
        if self.background_store is not None:
            matter = matter + read_tilt(self.background_store, BACKGROUND, tilt)
        if self.imaging is None:
            return matter
        return self.imaging.transfer(matter, self.pixel_size_A, tilt)
