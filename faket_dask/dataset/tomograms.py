"""Tomograms of a data set: which there are, where they lie, and in what geometry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from faket_dask.config import ReconstructionSection
from faket_dask.dataset.acquisition import Acquisition
from faket_dask.dataset.layout import FILTERED_TILTS, TOMOGRAMS
from faket_dask.dataset.modality_stores import owning_item, stack_group
from faket_dask.dataset.pairing import Series
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.tomogram_chunks import TomogramChunks
from faket_dask.engine.arrays import read_tilt
from faket_dask.engine.unit import Item
from faket_dask.modalities import MODALITIES, Owner
from faket_dask.stages.reconstruction import (
    HALVES,
    Half,
    binned_coordinates,
    binned_shape,
    choose_tilts,
    filtered_shape,
)


@dataclass(frozen=True)
class Tomogram:
    """Tomogram of one modality of a series, or of a specimen for a modality that belongs to specimens.

    Parameters
    ----------
    spec
        Specification of its data set.
    owner
        Name of the series or specimen.
    modality
        Modality that it is reconstructed from.
    half
        Half of the tilts that are back-projected; all of them if ``None``.
    """

    spec: DatasetSpec
    owner: str
    modality: str
    half: Half | None = None

    @classmethod
    def from_item(cls, spec: DatasetSpec, item: Item) -> Self:
        """Return the tomogram whose units an item names."""
        if item.part in MODALITIES:
            return cls(spec, item.owner, item.part)
        modality, _, half = item.part.rpartition("_")
        return cls(spec, item.owner, modality, Half(half))

    @property
    def item(self) -> Item:
        """Item of the units that make it."""
        return Item(self.owner, self.array_name)

    @property
    def filtered_item(self) -> Item:
        """Item of the units that filter its tilts, which it shares with the tomograms of halves."""
        return Item(self.owner, self.modality)

    @property
    def specimen(self) -> str:
        """Name of the imaged specimen."""
        if MODALITIES.get(self.modality).owner is Owner.SPECIMEN:
            return self.owner
        return self.spec.series_by_name[self.owner].specimen

    @property
    def acquisition(self) -> Acquisition:
        """Angles and pixel size of the tilt-series."""
        return self.spec.geometry.acquisition(self.owner)

    @property
    def section(self) -> ReconstructionSection:
        """Settings of the run file."""
        return self.spec.config.reconstruction

    @property
    def array_name(self) -> str:
        """Name of the tomogram's array: its modality, and the half of the tilts."""
        return self.modality if self.half is None else f"{self.modality}_{self.half}"

    @property
    def filtered_name(self) -> str:
        """Name of the array of filtered tilts: the modality."""
        return self.modality

    @property
    def stack_group(self) -> Path:
        """Zarr group of the tilt-series."""
        return stack_group(self.spec.folder, self.owner, self.modality)

    @property
    def group(self) -> Path:
        """Zarr group of the tomogram, an array called `array_name`."""
        return self.stack_group.with_name(TOMOGRAMS)

    @property
    def filtered_group(self) -> Path:
        """Zarr group of the filtered tilts, an array with the modality's name."""
        return self.stack_group.with_name(FILTERED_TILTS)

    @property
    def tilts(self) -> NDArray[np.intp]:
        """Indices of the tilts that are filtered."""
        return choose_tilts(self.acquisition.tilt_angles, self.section.tilt_stride)

    @property
    def tilt_angles(self) -> NDArray[np.float64]:
        """``(tilt,)`` degrees, of those tilts."""
        return np.asarray(self.acquisition.tilt_angles, dtype=np.float64)[self.tilts]

    @property
    def voxel_size_A(self) -> float:
        """Edge of a voxel."""
        return self.acquisition.pixel_size_A * self.section.pixels_per_voxel

    @property
    def thickness_px(self) -> float:
        """Thickness that the weighting assumes, configured or the specimen's, in pixels of the binned tilts."""
        pixel = self.acquisition.pixel_size_A
        thickness_A = self.spec.geometry.volume_shape(self.specimen)[0] * pixel
        if self.section.thickness_A is not None:
            thickness_A = self.section.thickness_A
        return thickness_A / (pixel * self.section.binning)

    def read_tilt(self, index: int) -> NDArray[np.float32]:
        """Read one of `tilts`, ``(y, x)``."""
        return read_tilt(self.stack_group, self.modality, int(self.tilts[index]))

    @property
    def filtered_shape(self) -> tuple[int, int, int]:
        """Tilts, rows and columns of the filtered tilts, whose rows are those of the tomogram."""
        section = self.section
        shape = filtered_shape(self.spec.geometry.tilt_shape, section.binning, section.post_binning)
        return (self.tilts.size, *shape)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels ``(z, y, x)``."""
        section = self.section
        layers = self.spec.geometry.volume_shape(self.specimen)[0]
        if section.thickness_A is not None:
            layers = round(section.thickness_A / self.acquisition.pixel_size_A)
        rows, columns = binned_shape(self.spec.geometry.tilt_shape, section.pixels_per_voxel)
        return max(1, layers // section.pixels_per_voxel), rows, columns

    def coordinates(self) -> dict[str, NDArray[np.float64]]:
        """Return the places in Å of layers, rows and columns by axis, in the frame of the specimen's volume."""
        geometry = self.spec.geometry
        binning, pixel = self.section.pixels_per_voxel, self.acquisition.pixel_size_A
        specimen_layers, _, specimen_columns = geometry.volume_shape(self.specimen)
        rows, columns = geometry.tilt_shape
        layers = self.shape[0]
        steps = np.arange(layers, dtype=np.float64) - layers // 2
        first_column = specimen_columns // 2 - columns // 2
        return {
            "z": steps * self.voxel_size_A + specimen_layers // 2 * pixel,
            "y": binned_coordinates(rows, binning, pixel),
            "x": binned_coordinates(columns, binning, pixel) + first_column * pixel,
        }

    @property
    def chunks(self) -> TomogramChunks:
        """Pieces that units make, one at a time."""
        return TomogramChunks(self.shape)


def list_tomograms(spec: DatasetSpec, series: Series) -> list[Tomogram]:
    """Return the tomograms of a series that the run file asks for, those of its specimen among them."""
    section = spec.config.reconstruction
    halves = [half for kind in dict.fromkeys(section.halves) for half in HALVES[kind]]
    return [
        Tomogram(spec, owning_item(series, modality), modality, half)
        for modality in section.modalities
        for half in (None, *halves)
    ]
