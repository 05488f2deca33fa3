"""Block of a specimen that objects are rendered into, and loops over its voxels."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Labels(NamedTuple):
    """Values of one object in the masks."""

    class_id: np.uint8
    instance: np.uint16


class Canvas(NamedTuple):
    """Consecutive y slices ``(z, y, x)`` from `y_start` on, the edge of their voxels in Å, and the labels to give.

    Kernels add an object to `density`, and set `class_mask` and `instance_mask` to `labels` where it is.
    """

    density: NDArray[np.float32]
    class_mask: NDArray[np.uint8]
    instance_mask: NDArray[np.uint16]
    y_start: int
    voxel_A: float
    labels: Labels


@njit(cache=True, nogil=True)
def first_voxel(position: float, reach: float) -> int:
    """Return the first index of an axis that is within reach of a position, in voxels."""
    return max(0, int(np.ceil(position - reach)))


@njit(cache=True, nogil=True)
def last_voxel(position: float, reach: float, count: int) -> int:
    """Return the last of `count` indices of an axis that is within reach of a position, in voxels."""
    return min(count - 1, int(np.floor(position + reach)))
