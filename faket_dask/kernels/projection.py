"""Parallel projection of a volume tilted about the y axis: a tilt-series without noise.

Every y slice is projected with the same rays, so for each ray the voxels it touches and their bilinear
weights are computed once and applied to a whole block of y slices. No system matrix is kept: what a ray
needs fits in a few kilobytes. Inside, the block lies as ``(z, x, y)``, so that the innermost loop runs over
contiguous y and vectorises.

All arithmetic is elementwise over y. A slice therefore projects to the same bytes whatever the block of
slices it is handed over in.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels._checks import as_angles, as_real

_BLOCK = 64
"""Slices that share the weights of a ray: enough that weights cost little, few enough that the transposed copy of the
block stays small (52 MB for 1024 columns and 200 layers)."""


def project(
    volume: NDArray[np.generic],
    tilt_angles: ArrayLike,
    width: int | None = None,
) -> NDArray[np.float32]:
    """Return negated ray sums of a volume at every tilt angle: dense specimens come out dark.

    Detector column ``p`` lies at ``s = p - width // 2`` from the tilt axis and sums, at unit steps ``t``
    and with bilinear interpolation (zero outside), the voxels at

    ``z = Z // 2 - s sin(angle) + t cos(angle)``,  ``x = X // 2 + s cos(angle) + t sin(angle)``,

    so that a point ``(z', x')`` from the centre appears at ``s = x' cos(angle) - z' sin(angle)``: at a
    positive tilt, what lies above the centre moves towards -x. For a cube this is the Radon transform of
    every y slice.

    Parameters
    ----------
    volume
        ``(z, y, x)`` densities of any real type (converted to float32 by value). A block of y slices gives the same
        bytes as those rows of the whole volume.
    tilt_angles
        ``(tilt,)`` degrees.
    width
        Number of central columns to project, in voxels, at most ``x``; all of them if not given. Narrower
        than the volume, it keeps the sides of the field of view filled at high tilt.

    Returns
    -------
    stack
        ``(tilt, y, width)`` float32 projections, in units of density times voxels.

    Raises
    ------
    ValueError
        If the volume is not three-dimensional, empty or not real, an angle is not finite, or the width is not
        between 1 and ``x``.

    Examples
    --------
    >>> volume = np.zeros((3, 1, 5))
    >>> volume[1, 0, 3] = 1
    >>> project(volume, [0.0])[0, 0]
    array([ 0.,  0.,  0., -1.,  0.], dtype=float32)
    """
    volume = as_real("volume", "(z, y, x)", volume)
    angles = as_angles(tilt_angles)
    columns = check_width(width, volume.shape[2])
    depth, rows, _ = volume.shape
    stack = np.empty((angles.size, rows, columns), dtype=np.float32)
    for start in range(0, rows, _BLOCK):
        block = volume[:, start : start + _BLOCK, :]
        voxels = np.empty((depth, volume.shape[2], block.shape[1]), dtype=np.float32)
        for layer in range(depth):
            voxels[layer] = block[layer].T
        sums = _sum_rays(
            voxels.reshape(depth * volume.shape[2], -1), depth, volume.shape[2], columns, np.deg2rad(angles)
        )
        # Subtracted from zero rather than negated: nothing is 0, not -0.
        np.subtract(0, sums.transpose(0, 2, 1), out=stack[:, start : start + _BLOCK, :])
    return stack


def check_width(width: int | None, columns: int) -> int:
    """Return the number of detector columns, all of the volume's if none is given.

    Examples
    --------
    >>> check_width(None, 8), check_width(5, 8)
    (8, 5)
    >>> check_width(9, 8)
    Traceback (most recent call last):
    ValueError: width must be between 1 and the volume's 8 columns, got 9
    """
    if width is None:
        return columns
    if not 1 <= width <= columns:
        raise ValueError(f"width must be between 1 and the volume's {columns} columns, got {width}")
    return width


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _sum_rays(
    voxels: NDArray[np.float32], depth: int, columns: int, width: int, angles: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return ``(tilt, width, y)`` ray sums of the ``(z * columns + x, y)`` voxels."""
    rows = voxels.shape[1]
    position = np.full(depth * columns, -1, dtype=np.int32)
    touched = np.empty(4 * (depth + columns + 4), dtype=np.int64)
    weight = np.empty(touched.size, dtype=np.float64)
    sums = np.zeros((angles.size, width, rows), dtype=np.float32)
    for tilt in range(angles.size):
        cosine, sine = np.cos(angles[tilt]), np.sin(angles[tilt])
        for p in range(width):
            count = _trace_ray(p - width // 2, cosine, sine, depth, columns, position, touched, weight)
            total = sums[tilt, p]
            # Four voxels at a time: the running sums are then loaded and stored a quarter as often.
            k = 0
            while k + 4 <= count:
                a, b = voxels[touched[k]], voxels[touched[k + 1]]
                c, d = voxels[touched[k + 2]], voxels[touched[k + 3]]
                wa, wb = np.float32(weight[k]), np.float32(weight[k + 1])
                wc, wd = np.float32(weight[k + 2]), np.float32(weight[k + 3])
                for y in range(rows):
                    total[y] += (wa * a[y] + wb * b[y]) + (wc * c[y] + wd * d[y])
                k += 4
            while k < count:
                a, wa = voxels[touched[k]], np.float32(weight[k])
                for y in range(rows):
                    total[y] += wa * a[y]
                k += 1
    return sums


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _trace_ray(
    s: int,
    cosine: float,
    sine: float,
    depth: int,
    columns: int,
    position: NDArray[np.int32],
    touched: NDArray[np.int64],
    weight: NDArray[np.float64],
) -> int:
    """List the voxels (z * columns + x) that the ray at `s` touches with their summed bilinear weights.

    Neighbouring samples share voxels: `position` finds a voxel in the list again, which halves the work per
    slice.
    """
    z0, x0 = depth // 2 - s * sine, columns // 2 + s * cosine
    first, last = -np.inf, np.inf
    for origin, step, size in ((z0, cosine, depth), (x0, sine, columns)):
        if abs(step) > 1e-12:
            ends = ((-1 - origin) / step, (size - origin) / step)
            first, last = max(first, min(ends)), min(last, max(ends))
        elif not -1 < origin < size:
            return 0
    count = 0
    for t in range(int(np.ceil(first)), int(np.floor(last)) + 1):
        z, x = z0 + t * cosine, x0 + t * sine
        zi, xi = int(np.floor(z)), int(np.floor(x))
        fz, fx = z - zi, x - xi
        for dz in range(2):
            wz = fz if dz else 1 - fz
            if not 0 <= zi + dz < depth or wz == 0:
                continue
            for dx in range(2):
                w = wz * (fx if dx else 1 - fx)
                if not 0 <= xi + dx < columns or w == 0:
                    continue
                voxel = (zi + dz) * columns + xi + dx
                if position[voxel] < 0:
                    position[voxel] = count
                    touched[count] = voxel
                    weight[count] = w
                    count += 1
                else:
                    weight[position[voxel]] += w
    for k in range(count):
        position[touched[k]] = -1
    return count
