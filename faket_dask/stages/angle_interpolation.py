"""Angle-dependent weights of reference tilts.

The tilt counts and angles of a reference and of a series that takes its style need not agree.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

AngleMatch = Literal["nearest", "interpolate"]
"""Choice of the tilts for an angle: the nearest one, or the two neighbours."""

InterpolationWeights = list[tuple[int, float]]
"""Tilts with their weights, which add up to 1."""


def interpolation_weights(
    reference_angles: ArrayLike, angle: float, match: AngleMatch
) -> InterpolationWeights:
    """Return the reference tilts that stand for an angle, with their weights, which add up to 1.

    Parameters
    ----------
    reference_angles
        ``(tilt,)`` degrees, in any order.
    angle
        Degrees. Beyond the reference's range its outermost tilt stands alone.
    match
        ``"nearest"`` gives one tilt, ``"interpolate"`` the two neighbours with linear weights.

    Examples
    --------
    >>> interpolation_weights([-30, 0, 30], 6.0, "nearest")
    [(1, 1.0)]
    >>> interpolation_weights([-30, 0, 30], 6.0, "interpolate")
    [(1, 0.8), (2, 0.19999999999999996)]
    """
    angles = np.asarray(reference_angles, dtype=np.float64)
    if match == "nearest":
        return [(int(np.argmin(np.abs(angles - angle))), 1.0)]
    order = np.argsort(angles, kind="stable")
    place = float(np.interp(angle, angles[order], np.arange(angles.size)))
    left = int(place)
    right_weight = place - left
    if right_weight < 1e-9:
        return [(int(order[left]), 1.0)]
    return [(int(order[left]), 1.0 - right_weight), (int(order[left + 1]), right_weight)]


def weighted_mean(values: ArrayLike, weights: InterpolationWeights) -> float:
    """Return the weighted mean of per-tilt values, ``(tilt,)``.

    Examples
    --------
    >>> weighted_mean([1.0, 3.0, 5.0], [(0, 0.5), (1, 0.5)])
    2.0
    """
    per_tilt = np.asarray(values, dtype=np.float64)
    return float(sum(weight * per_tilt[tilt] for tilt, weight in weights))
