"""Back-projection of filtered tilts into a slab.

The adjoint of `projection.project`, with linear instead of bilinear interpolation: every voxel collects, from
every tilt, the value at the place where it is imaged. The volume is as deep as the slab, not as wide as it is
deep. All y slices share the geometry, so the place and the two interpolation weights are computed once per
voxel column and tilt and applied to a block of y slices, over which the innermost loop runs contiguously.

All arithmetic is elementwise over y, and blocks are filled up with zeros to one width, so that every slice goes
through the same instructions: it comes out with the same bytes whatever the block of slices it is handed over
in. So does a layer when a volume is made slab by slab, by way of the layer where the axis lies.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels._checks import as_angles, as_real

_BLOCK = 64
"""Slices that share places and weights: enough that computing these costs little beside applying them. A constant,
so that the compiler knows the length of the innermost loop."""

_TILE = 32
"""Columns of voxels that go through all layers before the next: what they collect from stays in the cache."""


def back_project(
    stack: NDArray[np.generic],
    tilt_angles: ArrayLike,
    depth: int,
    centre: float | None = None,
    z_centre: float | None = None,
    *,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Return the sum of the tilts smeared back along their rays.

    The voxel ``(z, y, x)`` collects from row y of every tilt, less that row's mean, the linearly interpolated
    value at column

    ``u = (x - centre) cos(angle) - (z - z_centre) sin(angle) + centre``

    (nothing where that lies outside), and the sum is multiplied by π / tilts. With the default centres this is
    the geometry of `projection.project`.

    Parameters
    ----------
    stack
        ``(tilt, y, x)`` filtered tilts of any real type. A block of rows gives the same bytes as those slices of the
        whole volume.
    tilt_angles
        ``(tilt,)`` degrees.
    depth
        Layers of the volume.
    centre
        Column of the tilts, and of the volume, where the tilt axis lies; ``x // 2`` if not given.
    z_centre
        Layer of the volume where the tilt axis lies; if not given, ``depth // 2``, or ``centre`` where that is
        given and the volume is as deep as it is wide.
    device
        ``"cpu"`` (one thread), or an accelerator by PyTorch's name, such as ``"cuda"``: the same up to rounding.

    Returns
    -------
    volume
        ``(depth, y, x)`` float32.

    Raises
    ------
    ValueError
        If the stack is not three-dimensional, empty or not real, the angles are not as many as the tilts or not
        finite, the tilts are narrower than two columns, or the depth is not positive.

    Examples
    --------
    >>> stack = np.zeros((1, 1, 4), np.float32)
    >>> stack[0, 0, 2] = 4
    >>> back_project(stack, [0.0], depth=2)[:, 0].round(2)
    array([[-3.14, -3.14,  9.42, -3.14],
           [-3.14, -3.14,  9.42, -3.14]], dtype=float32)
    """
    stack = as_real("stack", "(tilt, y, x)", stack)
    angles = np.deg2rad(as_angles(tilt_angles, stack.shape[0]))
    if depth < 1:
        raise ValueError(f"depth must be positive, got {depth}")
    height, width = stack.shape[1:]
    if width < 2:
        raise ValueError("tilts must have at least two columns")
    if z_centre is None:
        z_centre = centre if centre is not None and depth == width else depth // 2
    if centre is None:
        centre = width // 2
    if device != "cpu":
        from faket_dask.kernels.backprojection_torch import back_project_on

        block = np.ascontiguousarray(stack, dtype=np.float32)
        return back_project_on(device, block, angles, depth, float(centre), float(z_centre))
    volume = np.empty((depth, height, width), dtype=np.float32)
    for start in range(0, height, _BLOCK):
        block = np.ascontiguousarray(stack[:, start : start + _BLOCK], dtype=np.float32)
        filled = volume[:, start : start + _BLOCK]
        _collect(_columns(block), np.cos(angles), np.sin(angles), float(centre), float(z_centre), filled)
    return volume


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _columns(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``(tilt, y, x)`` rows less their means, as ``(tilt * width + x, _BLOCK)``."""
    tilts, rows, width = block.shape
    columns = np.zeros((tilts * width, _BLOCK), dtype=np.float32)
    means = np.empty(rows, dtype=np.float64)
    for tilt in range(tilts):
        for y in range(rows):
            total = 0.0
            for x in range(width):
                total += np.float64(block[tilt, y, x])
            means[y] = total / width
        for x in range(width):
            for y in range(rows):
                columns[tilt * width + x, y] = np.float32(np.float64(block[tilt, y, x]) - means[y])
    return columns


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _collect(
    columns: NDArray[np.float32],
    cosine: NDArray[np.float64],
    sine: NDArray[np.float64],
    centre: float,
    z_centre: float,
    volume: NDArray[np.float32],
) -> None:
    """Fill the ``(z, y, x)`` volume of at most `_BLOCK` rows."""
    depth, rows, width = volume.shape
    tilts = cosine.size
    scale = np.float32(np.pi / tilts)
    sums = np.empty((_TILE, _BLOCK), dtype=np.float32)
    left = np.empty(tilts, dtype=np.int64)
    weight = np.empty((2, tilts), dtype=np.float32)
    for x0 in range(0, width, _TILE):
        x1 = min(x0 + _TILE, width)
        for z in range(depth):
            for x in range(x0, x1):
                for tilt in range(tilts):
                    u = (x - centre) * cosine[tilt] - (z - z_centre) * sine[tilt] + centre
                    inside = min(max(u, 0.0), width - 1.0)
                    i = min(int(inside), width - 2)
                    covered = np.float32(1) if u == inside else np.float32(0)
                    left[tilt] = tilt * width + i
                    weight[0, tilt] = np.float32(1 - (inside - i)) * covered
                    weight[1, tilt] = np.float32(inside - i) * covered
                total = sums[x - x0]
                total[:] = 0
                # Four tilts at a time: the running sums are then loaded and stored a quarter as often.
                k = 0
                while k + 4 <= tilts:
                    a0, a1, wa0, wa1 = columns[left[k]], columns[left[k] + 1], weight[0, k], weight[1, k]
                    k += 1
                    b0, b1, wb0, wb1 = columns[left[k]], columns[left[k] + 1], weight[0, k], weight[1, k]
                    k += 1
                    c0, c1, wc0, wc1 = columns[left[k]], columns[left[k] + 1], weight[0, k], weight[1, k]
                    k += 1
                    d0, d1, wd0, wd1 = columns[left[k]], columns[left[k] + 1], weight[0, k], weight[1, k]
                    k += 1
                    for y in range(_BLOCK):
                        total[y] += ((wa0 * a0[y] + wa1 * a1[y]) + (wb0 * b0[y] + wb1 * b1[y])) + (
                            (wc0 * c0[y] + wc1 * c1[y]) + (wd0 * d0[y] + wd1 * d1[y])
                        )
                while k < tilts:
                    a0, a1, wa0, wa1 = columns[left[k]], columns[left[k] + 1], weight[0, k], weight[1, k]
                    k += 1
                    for y in range(_BLOCK):
                        total[y] += wa0 * a0[y] + wa1 * a1[y]
            for y in range(rows):
                for x in range(x1 - x0):
                    volume[z, y, x0 + x] = sums[x, y] * scale
