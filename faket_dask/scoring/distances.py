"""Distances between picks and the particles nearest to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree


def measure_nearest(positions: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure the distance from each position to the nearest true one.

    Parameters
    ----------
    positions, truth
        ``(n, 3)`` and ``(m, 3)`` positions in one unit.

    Returns
    -------
    distance
        ``(n,)`` in that unit; infinite where there is no truth.

    Examples
    --------
    >>> measure_nearest(np.array([[0.0, 0, 3], [0, 4, 0]]), np.zeros((1, 3)))
    array([3., 4.])
    """
    if not len(truth):
        return np.full(len(positions), np.inf)
    distance, _ = KDTree(truth).query(positions)
    return np.asarray(distance, dtype=np.float64).reshape(len(positions))


def median_or_none(distance: NDArray[np.float64]) -> float | None:
    """Return the median of distances, ``None`` of none.

    Examples
    --------
    >>> median_or_none(np.array([1.0, 5, 2])), median_or_none(np.array([]))
    (2.0, None)
    """
    return float(np.median(distance)) if distance.size else None
