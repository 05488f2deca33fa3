"""Shapes: the voxels that an object has in the masks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Shape:
    """Voxels of an object, relative to the voxel that its centre lies in.

    An object keeps its shape when it is moved by whole voxels, and only then. A shape is therefore made for an
    orientation and for the place of the centre within its voxel, and positions are whole voxels.

    Parameters
    ----------
    voxels
        ``(n, 3)`` int32: ``(z, y, x)`` from the centre's voxel.
    fraction
        ``(3,)`` float64: ``(x, y, z)`` of the centre from the middle of its voxel, in voxels.

    Examples
    --------
    >>> shape = Shape(np.zeros((1, 3), np.int32), np.array([0.25, 0.0, 0.0]))
    >>> shape.centre_A((5, 4, 3), 10.0)
    array([32.5, 40. , 50. ])
    """

    voxels: NDArray[np.int32]
    fraction: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.voxels)

    def centre_A(self, position: tuple[int, int, int], voxel_size_A: float) -> NDArray[np.float64]:
        """Return the centre ``(x, y, z)`` in Å of an object whose centre lies in a voxel ``(z, y, x)``."""
        return (np.array(position[::-1], np.float64) + self.fraction) * voxel_size_A

    @cached_property
    def scattered(self) -> NDArray[np.int32]:
        """Voxels in an order in which neighbours lie far apart, so that a place that is taken shows early."""
        return self.voxels[_scatter(len(self.voxels))]

    def bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the lowest and the highest voxel, ``(z, y, x)``, both included."""
        return self._bounds

    @cached_property
    def _bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.voxels.min(axis=0).astype(np.int64), self.voxels.max(axis=0).astype(np.int64)


@lru_cache(maxsize=4096)
def _scatter(count: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).permutation(count)


@dataclass(frozen=True, eq=False)
class VoxelMask:
    """Voxels of an object too large to list: those of a box that are true.

    Parameters
    ----------
    low
        ``(3,)`` lowest voxel ``(z, y, x)`` of the box, in the frame of the volume.
    mask
        ``(z, y, x)`` bool.
    """

    low: NDArray[np.int64]
    mask: NDArray[np.bool_]

    def crop(self, first: NDArray[np.int64], last: NDArray[np.int64]) -> VoxelMask:
        """Return the part of the mask between two voxels ``(z, y, x)``, the second excluded."""
        low = np.maximum(self.low, first)
        high = np.maximum(low, np.minimum(self.low + self.mask.shape, last))
        part = tuple(slice(*pair) for pair in zip(low - self.low, high - self.low, strict=True))
        return VoxelMask(low, self.mask[part])


def draw_fraction(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the place ``(x, y, z)`` of a centre in its voxel, in voxels from the voxel's middle."""
    return rng.uniform(-0.5, 0.5, 3)


def split_position(
    centre_A: NDArray[np.float64], voxel_size_A: float
) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    """Split a centre into its voxel ``(z, y, x)`` and its place ``(x, y, z)`` within it.

    Examples
    --------
    >>> split_position(np.array([32.5, 40.0, 50.0]), 10.0)
    ((5, 4, 3), array([0.25, 0.  , 0.  ]))
    """
    place = centre_A / voxel_size_A
    voxel = np.rint(place)
    z, y, x = (int(index) for index in voxel[::-1])
    return (z, y, x), place - voxel


def grow_shape(shape: Shape, reach: float) -> Shape:
    """Return a shape with all voxels that are closer than `reach` voxels to one of its own.

    Examples
    --------
    >>> len(grow_shape(Shape(np.zeros((1, 3), np.int32), np.zeros(3)), 1.5))
    19
    """
    from scipy import ndimage

    margin = int(np.ceil(reach))
    low, high = shape.bounds()
    mask = np.ones(tuple(high - low + 1 + 2 * margin), bool)
    mask[tuple((shape.voxels - low + margin).T)] = False
    near = ndimage.distance_transform_edt(mask) < reach
    return Shape((np.argwhere(near) + low - margin).astype(np.int32), shape.fraction)
