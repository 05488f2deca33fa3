"""Targets of networks about the centres of particles: spheres and Gaussians, drawn in boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_REACH = 4.0
"""Standard deviations beyond which a Gaussian is 0: it is 0.0003 there."""


@dataclass(frozen=True, eq=False)
class Spheres:
    """Volume with the label of a particle in a sphere about its centre; where spheres meet, the nearest centre's.

    Parameters
    ----------
    shape
        Voxels ``(z, y, x)``.
    centres
        ``(n, 3)``, ``(z, y, x)`` in voxels.
    radii
        ``(n,)`` voxels.
    labels
        ``(n,)`` positive numbers.

    Examples
    --------
    >>> spheres = Spheres((1, 1, 6), np.array([[0, 0, 1], [0, 0, 4]]), np.array([1.2, 0.5]), np.array([7, 9]))
    >>> spheres[:, :, :]
    array([[[7, 7, 7, 0, 9, 0]]], dtype=uint16)
    """

    shape: tuple[int, int, int]
    centres: NDArray[np.float64]
    radii: NDArray[np.float64]
    labels: NDArray[np.int64]

    dtype = np.dtype(np.uint16)

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.uint16]:
        low, high = _bounds(self.shape, key)
        block = np.zeros(high - low, self.dtype)
        nearest = np.full(high - low, np.inf, np.float32)
        for centre, radius, label in zip(self.centres, self.radii, self.labels, strict=True):
            box = _box(centre, radius, low, high)
            if box is None:
                continue
            squares = _squared_distances(centre - low, box)
            own = (squares <= radius**2) & (squares < nearest[box])
            block[box][own] = label
            nearest[box][own] = squares[own]
        return block


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Volume with a Gaussian of height 1 about each centre; where they meet, the greatest.

    Parameters
    ----------
    shape
        Voxels ``(z, y, x)``.
    centres
        ``(n, 3)``, ``(z, y, x)`` in voxels.
    sigmas
        ``(n,)`` standard deviations in voxels.

    Examples
    --------
    >>> Gaussians((1, 1, 3), np.array([[0, 0, 1]]), np.array([1.0]))[:, :, :].round(2)
    array([[[0.61, 1.  , 0.61]]], dtype=float32)
    """

    shape: tuple[int, int, int]
    centres: NDArray[np.float64]
    sigmas: NDArray[np.float64]

    dtype = np.dtype(np.float32)

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        low, high = _bounds(self.shape, key)
        block = np.zeros(high - low, self.dtype)
        for centre, sigma in zip(self.centres, self.sigmas, strict=True):
            box = _box(centre, _REACH * sigma, low, high)
            if box is not None:
                values = np.exp(_squared_distances(centre - low, box) / (-2 * sigma**2))
                np.maximum(block[box], values, out=block[box])
        return block


def _bounds(
    shape: tuple[int, int, int], key: tuple[slice, slice, slice]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first voxel of a block and the one behind its last."""
    pairs = [part.indices(size)[:2] for part, size in zip(key, shape, strict=True)]
    low, high = np.array(pairs, dtype=np.int64).T
    return low, np.maximum(low, high)


def _box(
    centre: NDArray[np.float64], reach: float, low: NDArray[np.int64], high: NDArray[np.int64]
) -> tuple[slice, slice, slice] | None:
    """Return the part of a block within a distance of a centre along each axis, ``None`` where there is none."""
    first = np.maximum(np.ceil(centre - reach).astype(np.int64), low) - low
    last = np.minimum(np.floor(centre + reach).astype(np.int64) + 1, high) - low
    if (first >= last).any():
        return None
    z, y, x = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return z, y, x


def _squared_distances(centre: NDArray[np.float64], box: tuple[slice, slice, slice]) -> NDArray[np.float32]:
    """Return the squared distance of each voxel of a box from a centre, in voxels."""
    z, y, x = (np.arange(part.start, part.stop) - place for part, place in zip(box, centre, strict=True))
    return (z[:, None, None] ** 2 + y[:, None] ** 2 + x**2).astype(np.float32)
