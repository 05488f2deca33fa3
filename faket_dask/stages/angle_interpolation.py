"""Which tilts of a reference stand for a tilt angle of a synthetic series.

The tilt counts and angles of a reference and of a series that takes its style need not agree.
"""

from collections.abc import Sequence
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike

AngleMatch = Literal["nearest", "interpolate"]
InterpolationWeights = list[tuple[int, float]]
T = TypeVar("T")


def interpolation_weights(
    reference_angles: ArrayLike, angle: float, match: AngleMatch
) -> InterpolationWeights:
    """Reference tilts that stand for an angle, with their shares, which add up to 1.

    Parameters
    ----------
    reference_angles
        ``(tilt,)`` degrees, in any order.
    angle
        Degrees. Beyond the reference's range its outermost tilt stands alone.
    match
        ``"nearest"`` gives one tilt, ``"interpolate"`` the two neighbours with linear weights.
    """
    angles = np.asarray(reference_angles, dtype=np.float64)
    if match == "nearest":
        return [(int(np.argmin(np.abs(angles - angle))), 1.0)]
    order = np.argsort(angles, kind="stable")
    place = float(np.interp(angle, angles[order], np.arange(angles.size)))
    left = int(place)
    share = place - left
    if share < 1e-9:
        return [(int(order[left]), 1.0)]
    return [(int(order[left]), 1.0 - share), (int(order[left + 1]), share)]


def weighted_mean(values: ArrayLike, shares: InterpolationWeights) -> float:
    """Weighted mean of per-tilt values, ``(tilt,)``, over the shares of one angle."""
    per_tilt = np.asarray(values, dtype=np.float64)
    return float(sum(share * per_tilt[tilt] for tilt, share in shares))


def combine_weights(parts: Sequence[tuple[float, list[tuple[T, float]]]]) -> list[tuple[T, float]]:
    """Shares of a weighted mixture; the weights are normalised to add up to 1."""
    total = sum(weight for weight, _ in parts)
    return [(key, weight / total * share) for weight, shares in parts for key, share in shares]
