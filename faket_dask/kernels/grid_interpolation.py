"""Cubic spline interpolation of a volume on a rectangular grid, several times as fast as point by point.

The weights of a spline are those of an axis, and are computed once for each of its places. The arithmetic and its order
are those of `scipy.ndimage.map_coordinates`.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


def interpolate_grid(
    coefficients: NDArray[np.float64],
    z: NDArray[np.float64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Interpolate a volume on a rectangular grid; zero outside the volume.

    Parameters
    ----------
    coefficients
        ``(z, y, x)`` spline coefficients from ``scipy.ndimage.spline_filter`` of order 3.
    z, y, x
        Places along each axis, in voxels.

    Returns
    -------
    values
        ``(z.size, y.size, x.size)`` float64.

    Examples
    --------
    >>> import scipy.ndimage
    >>> ramp = np.arange(5.0) * np.ones((5, 5, 5))
    >>> coefficients = scipy.ndimage.spline_filter(ramp, order=3)
    >>> middle = np.array([2.0])
    >>> interpolate_grid(coefficients, middle, middle, np.array([2.0, 3.0, 7.0])).round(6)
    array([[[2., 3., 0.]]])
    """
    (iz, wz), (iy, wy), (ix, wx) = (
        _list_neighbours(places, size) for places, size in zip((z, y, x), coefficients.shape, strict=True)
    )
    return _interpolate(np.ascontiguousarray(coefficients, np.float64), iz, wz, iy, wy, ix, wx)


def _list_neighbours(places: NDArray[np.float64], size: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return indices and weights ``(n, 4)`` of the coefficients about each place; index −1 for places outside."""
    places = np.asarray(places, dtype=np.float64)
    lower = np.floor(places)
    y = places - lower
    z = 1.0 - y
    weights = np.empty((places.size, 4))
    weights[:, 1] = (y * y * (y - 2.0) * 3.0 + 4.0) / 6.0
    weights[:, 2] = (z * z * (z - 2.0) * 3.0 + 4.0) / 6.0
    weights[:, 0] = z * z * z / 6.0
    weights[:, 3] = 1.0 - weights[:, 0] - weights[:, 1] - weights[:, 2]
    indices = lower.astype(np.int64)[:, None] + np.arange(-1, 3)
    period = max(1, 2 * size - 2)
    indices = np.abs(indices) % period  # the coefficients are mirrored about the outermost ones
    indices = np.where(indices >= size, period - indices, indices)
    indices[(places < 0) | (places > size - 1)] = -1
    return indices, weights


@njit(cache=True, nogil=True)
def _interpolate(
    coefficients: NDArray[np.float64],
    iz: NDArray[np.int64],
    wz: NDArray[np.float64],
    iy: NDArray[np.int64],
    wy: NDArray[np.float64],
    ix: NDArray[np.int64],
    wx: NDArray[np.float64],
) -> NDArray[np.float64]:
    values = np.zeros((iz.shape[0], iy.shape[0], ix.shape[0]))
    for k in range(iz.shape[0]):
        if iz[k, 0] < 0:
            continue
        for j in range(iy.shape[0]):
            if iy[j, 0] < 0:
                continue
            for i in range(ix.shape[0]):
                if ix[i, 0] < 0:
                    continue
                total = 0.0
                for c in range(4):
                    for b in range(4):
                        row = coefficients[iz[k, c], iy[j, b]]
                        u, v = wz[k, c], wy[j, b]
                        total += row[ix[i, 0]] * u * v * wx[i, 0]
                        total += row[ix[i, 1]] * u * v * wx[i, 1]
                        total += row[ix[i, 2]] * u * v * wx[i, 2]
                        total += row[ix[i, 3]] * u * v * wx[i, 3]
                values[k, j, i] = total
    return values
