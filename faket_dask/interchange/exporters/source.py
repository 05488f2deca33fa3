"""What exporters write from: the series of a data set, their labels in view, their tomograms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from faket_dask.dataset.acquisition import Acquisition
from faket_dask.dataset.dataset import Dataset
from faket_dask.dataset.grids import Grid, tomogram_grid, view_grid
from faket_dask.dataset.modality_stores import owning_item, stack_store
from faket_dask.dataset.pairing import Series
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.tomograms import Tomogram
from faket_dask.engine.arrays import open_array, read_tilt
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.geometry import TiltGeometry, acquisition_order
from faket_dask.specimen.particles import ParticleTable, read_particles


@dataclass(frozen=True)
class Source:
    """A data set and which modalities of it are exported; all of them are complete.

    Parameters
    ----------
    dataset
        The data set.
    modalities
        Names of the tilt-series to write of each series.
    """

    dataset: Dataset
    modalities: tuple[str, ...]

    @property
    def spec(self) -> DatasetSpec:
        return self.dataset.spec

    @property
    def series(self) -> list[Series]:
        return self.spec.series

    @property
    def specimens(self) -> list[str]:
        """Specimens of the series, each once."""
        return list(dict.fromkeys(series.specimen for series in self.series))

    def stack_shape(self, series: Series) -> tuple[int, int, int]:
        """Tilts, rows, columns."""
        return self.spec.stack_shape(series.specimen)

    def tilts(self, series: Series, modality: str) -> Iterator[NDArray[np.float32]]:
        """The tilts of a series, one by one, ``(y, x)``."""
        store = stack_store(self.spec.layout, owning_item(series, modality), modality)
        return (read_tilt(store, modality, tilt) for tilt in range(self.stack_shape(series)[0]))

    def geometry(self, series: Series, modality: str) -> TiltGeometry:
        """How a series was tilted, with exposures where its images know of any."""
        spec = self.spec
        own, seen = spec.acquisition(series.specimen), self._seen_in(series, modality)
        if seen is None:
            return TiltGeometry(own.tilt_angles, own.pixel_size_A)
        return TiltGeometry(
            own.tilt_angles,
            own.pixel_size_A,
            exposure_e_per_A2=np.full(own.tilt_angles.size, seen.dose_e_per_A2),
            acquisition_order=acquisition_order(own.tilt_angles, spec.config.microscope.tilt_order),
        )

    def _seen_in(self, series: Series, modality: str) -> Acquisition | None:
        """The acquisition whose optics an image shows: its own, or that of the simulated reference of its style.

        Of a blend, the one with the largest share; nothing where the reference was recorded, and its optics are
        not known.
        """
        spec = self.spec
        if modality == "benchmark":
            return spec.acquisition(series.specimen)
        parts = spec.parts(series.reference)
        if modality == "noiseless" or any(name in spec.inputs.recordings for name, _ in parts):
            return None
        largest, _ = max(parts, key=lambda part: part[1])
        return spec.acquisition(spec.reference_specimen(largest))

    def defocus_um(self, series: Series, modality: str) -> NDArray[np.float64] | None:
        """``(tilt,)`` underfocus of the images, where they have one."""
        seen = self._seen_in(series, modality)
        return None if seen is None else np.full(self.stack_shape(series)[0], seen.defocus_um)

    def tomogram(self, series: Series, modality: str) -> zarr.Array | None:
        """A tomogram ``(z, y, x)`` in its store, if the data set makes it."""
        if modality not in self.spec.config.reconstruction.modalities:
            return None
        return open_array(self._tomogram(series, modality).group, modality, "r")

    def _tomogram(self, series: Series, modality: str) -> Tomogram:
        return Tomogram(self.spec, owning_item(series, modality), modality)

    def view(self, specimen: str) -> Grid:
        """The voxels of a specimen in the field of view."""
        return view_grid(self.spec, specimen)

    def grid(self, series: Series) -> Grid:
        """The voxels of a series' tomograms where it has any, otherwise those of its specimen in view."""
        made = [name for name in self.modalities if name in self.spec.config.reconstruction.modalities]
        if made:
            return tomogram_grid(self._tomogram(series, made[0]))
        return self.view(series.specimen)

    def volume(self, specimen: str, name: str, grid: Grid) -> ArrayLike3D:
        """``density``, ``class_mask`` or ``instance_mask`` of a specimen on a grid."""
        return grid.sample(open_array(self.spec.layout.volume(specimen), name, "r"))

    def particles(self, specimen: str, grid: Grid) -> ParticleTable:
        """The labelled particles of a specimen centred on a grid, in Å from its first voxel."""
        return grid.particles(read_particles(self.spec.layout.particles(specimen)))

    def class_ids(self, specimen: str) -> dict[str, int]:
        """Label of each class."""
        attributes: Any = zarr.open_group(self.spec.layout.volume(specimen), mode="r").attrs.asdict()
        return {str(name): int(number) for name, number in attributes["class_ids"].items()}
