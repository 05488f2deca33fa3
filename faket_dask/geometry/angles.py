"""Checks of tilt angles."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.errors import InputError
from faket_dask.kernels.tilt_angles import RANGE_TEXT, find_impossible_angles

SMALLEST_STEP_DEG = 1e-3
"""Tilt angles closer than this are the same angle."""


def parse_angles(tilt_angles: ArrayLike) -> NDArray[np.float64]:
    """Return tilt angles as float64, in their order.

    Raises
    ------
    InputError
        If they are no list of degrees between -90 and 90, which are not included.
    """
    angles = np.array(tilt_angles, dtype=np.float64)
    if angles.ndim != 1 or angles.size == 0:
        raise InputError(f"tilt angles must be a list of degrees, got shape {angles.shape}")
    impossible = find_impossible_angles(angles)
    if impossible.any():
        tilt = int(np.argmax(impossible))
        raise InputError(
            f"tilt {tilt + 1} (counted from 1) has the angle {angles[tilt]:g}°; {RANGE_TEXT}: correct it, or leave the "
            "tilt out"
        )
    return angles


def check_increasing(angles: NDArray[np.float64]) -> None:
    """Refuse tilt angles that do not increase, each once.

    Raises
    ------
    InputError
        Naming the first tilt that is out of order, or two of the same angle.
    """
    sequence = np.argsort(angles, kind="stable")
    close = np.nonzero(np.diff(angles[sequence]) < SMALLEST_STEP_DEG)[0]
    if close.size:
        a, b = sorted((int(sequence[close[0]]), int(sequence[close[0] + 1])))
        raise InputError(
            f"tilts {a + 1} and {b + 1} (counted from 1) have the same angle, {angles[a]:g}°; leave one of them out of "
            "stack and angles"
        )
    step = np.diff(angles)
    if (step < 0).any():
        tilt = int(np.argmax(step < 0)) + 1
        raise InputError(
            f"tilt angles must increase, but number {tilt + 1}, {angles[tilt]:g}°, follows {angles[tilt - 1]:g}°; "
            "sort the tilts of the stack and its angles by increasing angle"
        )
