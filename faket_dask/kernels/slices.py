"""Slices of a tilted volume, projected along the beam, for multislice simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray


def divide_depth(depth: int, layers_per_slice: int) -> list[tuple[int, int]]:
    """Divide the layers of voxels of a slab into slices, the highest first.

    Returns
    -------
    slices
        First layer of each slice, and the one behind its last.

    Examples
    --------
    >>> divide_depth(7, 3)
    [(4, 7), (1, 4), (0, 1)]
    """
    return [(max(0, stop - layers_per_slice), stop) for stop in range(depth, 0, -layers_per_slice)]


def project_slices(
    volume: NDArray[np.float32], slices: Sequence[tuple[int, int]], tilt_angle: float, width: int
) -> NDArray[np.float32]:
    """Project slices of a volume that is tilted about the y axis.

    The geometry is that of `faket_dask.kernels.projection.project`: a ray at distance s from the tilt axis passes the
    layer at height z at ``x = s / cos θ + z tan θ``. Each layer of voxels is integrated over the pixel's width.

    Parameters
    ----------
    volume
        ``(z, y, x)`` densities; any block of y.
    slices
        First layer of voxels of each slice, and the one behind its last.
    tilt_angle
        Degrees, within ±90 (not included).
    width
        Columns of the image.

    Returns
    -------
    stack
        ``(slice, y, width)`` ray sums in units of density times voxels.

    Examples
    --------
    >>> volume = np.zeros((3, 1, 5), np.float32)
    >>> volume[2, 0, 3] = 1
    >>> project_slices(volume, [(2, 3), (0, 2)], 0.0, 5)[:, 0]
    array([[0., 0., 0., 1., 0.],
           [0., 0., 0., 0., 0.]], dtype=float32)
    """
    theta = math.radians(tilt_angle)
    bounds = np.array(slices, dtype=np.int64).reshape(-1, 2)
    block = np.ascontiguousarray(volume, dtype=np.float32)
    return _project_slices(block, bounds, 1 / math.cos(theta), math.tan(theta), width)


@numba.njit(nogil=True, cache=True)
def _project_slices(
    volume: NDArray[np.float32], bounds: NDArray[np.int64], stretch: float, slope: float, width: int
) -> NDArray[np.float32]:
    depth, rows, columns = volume.shape
    stack = np.zeros((bounds.shape[0], rows, width), dtype=np.float32)
    running = np.zeros(columns + 1)
    for part in range(bounds.shape[0]):
        for z in range(bounds[part, 0], bounds[part, 1]):
            # Where the left edge of the first pixel meets the layer, counted from the left edge of its first voxel.
            start = columns // 2 + 0.5 + (-0.5 - width // 2) * stretch + (z - depth // 2) * slope
            for y in range(rows):
                for x in range(columns):
                    running[x + 1] = running[x] + volume[z, y, x]
                last = _interpolate(running, start)
                for p in range(width):
                    following = _interpolate(running, start + (p + 1) * stretch)
                    stack[part, y, p] += following - last
                    last = following
    return stack


@numba.njit(nogil=True, cache=True)
def _interpolate(running: NDArray[np.float64], position: float) -> float:
    if position <= 0:
        return 0.0
    if position >= running.size - 1:
        return float(running[-1])
    whole = int(position)
    return float(running[whole] + (position - whole) * (running[whole + 1] - running[whole]))
