"""Range of tilt angles: the one bound for run files, angle files and kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

LARGEST_TILT_DEG = 90.0
"""Bound of tilt angles, itself not included: at 90° a slab is infinitely thick along the beam."""

RANGE_TEXT = f"tilt angles lie between -{LARGEST_TILT_DEG:g}° and {LARGEST_TILT_DEG:g}°, not at either"
"""Statement of the bound, for messages."""


def find_impossible_angles(tilt_angles: ArrayLike) -> NDArray[np.bool_]:
    """Return a mask of the angles, in degrees, that are no tilt angles, NaN among them.

    Examples
    --------
    >>> find_impossible_angles([-90, -89.9, 0, float("nan")])
    array([ True, False, False,  True])
    """
    return ~(np.abs(np.asarray(tilt_angles, dtype=np.float64)) < LARGEST_TILT_DEG)
