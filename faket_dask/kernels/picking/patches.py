"""Patches of a tomogram about objects, as a network is trained on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels.moments import standardise


def place_patch(centre: ArrayLike, side: int, shape: Sequence[int]) -> tuple[slice, slice, slice]:
    """Return the voxels of a patch about a centre, moved into the volume where it would reach beyond it.

    Parameters
    ----------
    centre
        Voxel ``(z, y, x)``, rounded to the nearest whole one.
    side
        Edge of the patch in voxels; the centre is at ``side // 2``.
    shape
        Voxels of the volume, none fewer than `side`.

    Examples
    --------
    >>> place_patch((10.4, 3, 60), 8, (20, 64, 64))
    (slice(6, 14, None), slice(0, 8, None), slice(56, 64, None))
    """
    first = np.round(np.asarray(centre, dtype=np.float64)).astype(np.int64) - side // 2
    z, y, x = (int(start) for start in np.clip(first, 0, np.asarray(shape) - side))
    return slice(z, z + side), slice(y, y + side), slice(x, x + side)


def turn_about_y(patch: NDArray[np.generic]) -> NDArray[np.generic]:
    """Turn a patch ``(z, y, x)`` by 180° about the tilt axis, y.

    It is the one rotation, besides none, after which a tomogram has its missing wedge where it was.

    Examples
    --------
    >>> turn_about_y(np.arange(4).reshape(2, 1, 2)).ravel()
    array([3, 2, 1, 0])
    """
    return patch[::-1, :, ::-1]


def prepare_patch(values: NDArray[np.generic], *, turned: bool = False) -> NDArray[np.float32]:
    """Return a patch of mean 0 and standard deviation 1, turned about the tilt axis or not.

    Parameters
    ----------
    values
        ``(z, y, x)`` in the unit of the tomogram; a patch without contrast becomes 0.
    turned
        True to turn it by 180°.

    Raises
    ------
    ValueError
        If it holds NaN or infinity.
    """
    patch = standardise(values)
    return np.ascontiguousarray(turn_about_y(patch)) if turned else patch
