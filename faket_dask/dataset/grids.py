"""Voxel grids of labels: that of a specimen in the field of view, and coarser or thicker ones of tomograms.

A grid's voxels lie on voxels of the specimen, every `step`-th one; since binning keeps the centre and not the
corner, its first voxel need not be the specimen's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from faket_dask.dataset.field_of_view import select_columns
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.tomograms import Tomogram
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.kernels.binning import low_pass
from faket_dask.specimen.particles import ParticleTable


@dataclass(frozen=True)
class Grid:
    """Grid of voxels ``(z, y, x)`` that lie at ``origin + step * index`` of the specimen's voxels.

    Parameters
    ----------
    shape
        Number of voxels along each axis.
    origin
        Voxel of the specimen where voxel (0, 0, 0) lies; it may lie outside.
    step
        Voxels of the specimen per voxel.
    specimen_voxel_size_A
        Edge of a voxel of the specimen in Å.
    """

    shape: tuple[int, int, int]
    origin: tuple[int, int, int]
    step: int
    specimen_voxel_size_A: float

    @property
    def voxel_size_A(self) -> float:
        """Edge of a voxel in Å."""
        return self.step * self.specimen_voxel_size_A

    def sample(self, volume: ArrayLike3D) -> ArrayLike3D:
        """Return a volume of the specimen on this grid, read lazily where it is sliced: nearest voxels, 0 outside."""
        return _Sampled(volume, self)

    def resample(self, volume: ArrayLike3D) -> ArrayLike3D:
        """Return a volume of the specimen on this grid, low-passed as `kernels.binning.bin_axes` does; 0 outside."""
        return _Resampled(volume, self) if self.step > 1 else self.sample(volume)

    def particles(self, table: ParticleTable) -> ParticleTable:
        """Return the labelled particles centred on the grid, in Å from the centre of its first voxel.

        Those that the grid's faces may cut, by the spheres about them, are flagged as cut.
        """
        labelled = table.labelled()
        origin_A = np.array(self.origin[::-1]) * self.specimen_voxel_size_A
        centre_A = labelled.centre_A - origin_A
        place = centre_A / self.voxel_size_A
        ends = np.array(self.shape[::-1]) - 0.5
        inside = np.logical_and.reduce((place >= -0.5) & (place < ends), axis=1)
        reach = (labelled.radius_A / self.voxel_size_A)[:, None]
        is_cut = labelled.is_cut | ((place - reach < -0.5) | (place + reach > ends)).any(axis=1)
        return replace(labelled, centre_A=centre_A, is_cut=is_cut).select(inside)


@dataclass(frozen=True)
class _Sampled:
    volume: ArrayLike3D
    grid: Grid

    @property
    def shape(self) -> tuple[int, ...]:
        return self.grid.shape

    @property
    def dtype(self) -> Any:
        return self.volume.dtype

    def __getitem__(self, key: Sequence[slice]) -> NDArray[Any]:
        inside_masks, read = [], []
        for inside, present in self._locate(key):
            inside_masks.append(inside)
            stop = int(present[-1]) + 1 if present.size else 0
            read.append(slice(int(present[0]) if present.size else 0, stop, self.grid.step))
        block = np.zeros(tuple(inside.size for inside in inside_masks), dtype=self.dtype)
        # Plain slices are read and thinned here: stores take no steps.
        whole = np.asarray(self.volume[tuple(slice(part.start, part.stop) for part in read)])
        block[np.ix_(*inside_masks)] = whole[:: self.grid.step, :: self.grid.step, :: self.grid.step]
        return block

    def _locate(self, key: Sequence[slice]) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
        """Yield for each axis which of the voxels asked for lie in the volume, and their places there."""
        for part, size, origin, length in zip(
            key, self.shape, self.grid.origin, self.volume.shape, strict=True
        ):
            first, last, _ = part.indices(size)
            index = origin + self.grid.step * np.arange(first, last)
            inside = (index >= 0) & (index < length)
            yield inside, index[inside]


@dataclass(frozen=True)
class _Resampled(_Sampled):
    @property
    def dtype(self) -> Any:
        return np.dtype(np.float32)

    def __getitem__(self, key: Sequence[slice]) -> NDArray[Any]:
        weights = low_pass(self.grid.step)
        halo = weights.size // 2
        inside_masks, read, samples = [], [], []
        for (inside, present), length in zip(self._locate(key), self.volume.shape, strict=True):
            start = max(0, int(present[0]) - halo) if present.size else 0
            stop = min(length, int(present[-1]) + halo + 1) if present.size else 0
            inside_masks.append(inside)
            read.append(slice(start, stop))
            samples.append(present - start)
        block = np.zeros(tuple(inside.size for inside in inside_masks), dtype=np.float32)
        if all(inside.any() for inside in inside_masks):
            values = np.asarray(self.volume[tuple(read)], dtype=np.float32)
            for axis, chosen in enumerate(samples):
                values = correlate1d(values, weights, axis=axis, mode="mirror").take(chosen, axis=axis)
            block[np.ix_(*inside_masks)] = values
        return block


def view_grid(spec: DatasetSpec, specimen: str) -> Grid:
    """Return the grid of the specimen's own voxels in the field of view."""
    depth, rows, _ = spec.geometry.volume_shape(specimen)
    columns = select_columns(spec, specimen)
    shape = (depth, rows, columns.stop - columns.start)
    return Grid(shape, (0, 0, columns.start), 1, spec.geometry.acquisition(specimen).pixel_size_A)


def tomogram_grid(tomogram: Tomogram) -> Grid:
    """Return the grid of a tomogram's voxels."""
    pixel = tomogram.acquisition.pixel_size_A
    places = tomogram.coordinates()
    z, y, x = (round(float(places[axis][0]) / pixel) for axis in "zyx")
    return Grid(tomogram.shape, (z, y, x), tomogram.spec.config.reconstruction.pixels_per_voxel, pixel)
