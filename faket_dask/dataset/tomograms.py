"""Which tomograms a data set makes, where they lie, and in what geometry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.acquisition import Acquisition
from faket_dask.dataset.modality_stores import owning_item, stack_store
from faket_dask.dataset.pairing import Series
from faket_dask.dataset.parts import Parts
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.modalities import MODALITIES, Owner
from faket_dask.stages.reconstruction import (
    binned_coordinates,
    binned_shape,
    choose_tilts,
    filtered_shape,
)


@dataclass(frozen=True)
class Tomogram:
    """The tomogram of one modality of a series, or of a specimen for a modality that is the specimen's.

    Parameters
    ----------
    spec
        Of its data set.
    owner
        Name of the series or specimen.
    modality
        Of the tilt-series that it is reconstructed from.
    """

    spec: DatasetSpec
    owner: str
    modality: str

    @classmethod
    def of_item(cls, spec: DatasetSpec, item: str) -> Tomogram:
        """The tomogram that the units of an item make."""
        owner, _, modality = item.rpartition(".")
        return cls(spec, owner, modality)

    @property
    def item(self) -> str:
        """Name of the units' item."""
        return f"{self.owner}.{self.modality}"

    @property
    def source(self) -> tuple[str, str]:
        """Stage and item of the units that make the tilt-series."""
        return MODALITIES.get(self.modality).stage, self.owner

    @property
    def specimen(self) -> str:
        """What was imaged."""
        if MODALITIES.get(self.modality).owner is Owner.SPECIMEN:
            return self.owner
        return self.spec.series_by_name[self.owner].specimen

    @property
    def acquisition(self) -> Acquisition:
        """How the tilt-series is recorded."""
        return self.spec.geometry.acquisition(self.owner)

    @property
    def stack_group(self) -> Path:
        """Store of the tilt-series."""
        return stack_store(self.spec.folder, self.owner, self.modality)

    @property
    def group(self) -> Path:
        """Store of the tomogram, an array with the modality's name."""
        return self.stack_group / "reconstruction"

    @property
    def tilts(self) -> NDArray[np.intp]:
        """Indices of the tilts that it is reconstructed from."""
        return choose_tilts(self.acquisition.tilt_angles, self.spec.config.reconstruction.every)

    @property
    def tilt_angles(self) -> NDArray[np.float64]:
        """``(tilt,)`` degrees, of those tilts."""
        return np.asarray(self.acquisition.tilt_angles, dtype=np.float64)[self.tilts]

    @property
    def voxel_size_A(self) -> float:
        """Edge of a voxel."""
        return self.acquisition.pixel_size_A * self.spec.config.reconstruction.pixels_per_voxel

    @property
    def filtered_shape(self) -> tuple[int, int, int]:
        """Tilts, rows and columns of the filtered tilts, whose rows are those of the tomogram."""
        section = self.spec.config.reconstruction
        shape = filtered_shape(self.spec.geometry.tilt_shape, section.binning, section.binning_after)
        return (self.tilts.size, *shape)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels ``(z, y, x)``."""
        section = self.spec.config.reconstruction
        layers = self.spec.geometry.volume_shape(self.specimen)[0]
        if section.thickness_A is not None:
            layers = round(section.thickness_A / self.acquisition.pixel_size_A)
        rows, columns = binned_shape(self.spec.geometry.tilt_shape, section.pixels_per_voxel)
        return max(1, layers // section.pixels_per_voxel), rows, columns

    def coordinates(self) -> dict[str, NDArray[np.float64]]:
        """Places in Å of the layers, rows and columns by axis, in the frame of the specimen's volume."""
        spec = self.spec
        binning, pixel = spec.config.reconstruction.pixels_per_voxel, self.acquisition.pixel_size_A
        specimen_layers, _, specimen_columns = spec.geometry.volume_shape(self.specimen)
        rows, columns = spec.geometry.tilt_shape
        layers = self.shape[0]
        steps = np.arange(layers, dtype=np.float64) - layers // 2
        first_column = specimen_columns // 2 - columns // 2
        return {
            "z": steps * self.voxel_size_A + specimen_layers // 2 * pixel,
            "y": binned_coordinates(rows, binning, pixel),
            "x": binned_coordinates(columns, binning, pixel) + first_column * pixel,
        }

    @property
    def parts(self) -> Parts:
        """What the units make."""
        return Parts(self.shape)


def tomograms_of(spec: DatasetSpec, series: Series) -> list[Tomogram]:
    """The tomograms of a series that the configuration asks for, those of its specimen among them."""
    return [
        Tomogram(spec, owning_item(series, modality), modality) for modality in spec.config.reconstruction.of
    ]
