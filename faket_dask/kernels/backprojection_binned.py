"""Back-projection into fewer, larger voxels: at full resolution, low-passed before it is thinned.

Along the tilt axis binning and back-projection can change places, for every row is made by itself: rows are binned
while they are filtered tilts, which leaves less to do. Across it, the layers of full resolution are made a few at a
time, binned along x, and added to the layers that they are a part of.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.binning import bin_axes, low_pass

FINE_LAYERS = 32
"""Layers of full resolution that are held at a time."""


def back_project_binned(
    stack: NDArray[np.generic],
    tilt_angles: ArrayLike,
    depth: int,
    factor: int,
    z_centre: int | None = None,
    *,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Return the back-projection reduced by `binning.bin_axes`, without ever holding it at full resolution.

    Layers beyond the first and the last are back-projected, too, where `bin_axes` has to mirror.

    Parameters
    ----------
    stack
        ``(tilt, y, x)`` filtered tilts, binned along y by `binning.bin_axes`; a block of rows will do.
    tilt_angles
        ``(tilt,)`` degrees.
    depth
        Layers of the binned volume.
    factor
        Pixels per voxel along x, and layers of full resolution per layer.
    z_centre
        Layer of the binned volume where the tilt axis lies; ``depth // 2`` if not given.
    device
        Device of `back_project`.

    Returns
    -------
    volume
        ``(depth, y, x // factor)`` float32.

    Raises
    ------
    ValueError
        If `back_project` refuses its arguments, or the factor is less than 1 or more than the tilts' columns.

    Examples
    --------
    >>> back_project_binned(np.zeros((3, 4, 16), np.float32), [-10, 0, 10], depth=5, factor=2).shape
    (5, 4, 8)
    """
    if z_centre is None:
        z_centre = depth // 2
    if factor == 1:
        return back_project(stack, tilt_angles, depth, z_centre=z_centre, device=device)
    weights = low_pass(factor).astype(np.float32)
    reach = weights.size // 2
    height, width = stack.shape[1:]
    volume = np.zeros((depth, height, width // factor), dtype=np.float32)
    end = (depth - 1) * factor + reach + 1
    for start in range(-reach, end, FINE_LAYERS):
        layers = min(FINE_LAYERS, end - start)
        fine = back_project(stack, tilt_angles, layers, z_centre=z_centre * factor - start, device=device)
        for z, layer in enumerate(bin_axes(fine, factor, (2,)), start):
            first = max(0, -((reach - z) // factor))
            for coarse in range(first, min(depth, (z + reach) // factor + 1)):
                volume[coarse] += weights[z - coarse * factor + reach] * layer
    return volume
