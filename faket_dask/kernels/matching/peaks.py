"""Peaks of a score volume, and the score that chance reaches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from faket_dask.kernels._checks import check_positive


class Peaks(NamedTuple):
    """Voxels ``(n, 3)``, ``(z, y, x)``, and their scores ``(n,)``, the highest first."""

    voxel: NDArray[np.intp]
    score: NDArray[np.float32]


def find_peaks(score: NDArray[np.floating], radius: float, least: float = 0.0) -> Peaks:
    """Find peaks by non-maximum suppression: each takes all voxels within a radius away from lower ones.

    Parameters
    ----------
    score
        ``(z, y, x)``.
    radius
        Least distance of two peaks, in voxels.
    least
        Score that peaks are above.

    Raises
    ------
    ValueError
        If the array is no volume, or the radius is not positive.

    Examples
    --------
    >>> score = np.zeros((3, 3, 12))
    >>> score[1, 1, [2, 4, 9]] = 0.5, 0.7, 0.6
    >>> find_peaks(score, radius=3.0).voxel[:, 2]
    array([4, 9])
    """
    if score.ndim != 3:
        raise ValueError(f"score must be a (z, y, x) array, got shape {score.shape}")
    check_positive("radius", radius)
    # A peak is the largest in the cube inscribed in its sphere, too, which takes few operations to know.
    half = int(radius / np.sqrt(3))
    highest = ndimage.maximum_filter(score, 2 * half + 1, mode="nearest")
    candidates = np.argwhere((score == highest) & (score > least))
    values = score[tuple(candidates.T)]
    order = np.argsort(-values, kind="stable")
    candidates, values = candidates[order], values[order]
    if not len(candidates):
        return Peaks(candidates, values.astype(np.float32))
    tree = KDTree(candidates)
    is_free = np.ones(len(candidates), np.bool_)
    for index in range(len(candidates)):
        if is_free[index]:
            is_free[tree.query_ball_point(candidates[index], radius)] = False
            is_free[index] = True
    return Peaks(candidates[is_free], values[is_free].astype(np.float32))


def score_of_chance(null: NDArray[np.floating], false_peaks: float) -> float:
    """Return the score above which a search for what is not there has a number of peaks at most.

    Parameters
    ----------
    null
        ``(n,)`` scores of the peaks of a null search in the same tomogram.
    false_peaks
        Number of false peaks that are accepted.

    Examples
    --------
    >>> score_of_chance(np.array([0.2, 0.5, 0.3]), 0), score_of_chance(np.array([0.2, 0.5, 0.3]), 1)
    (0.5, 0.3)
    """
    accepted = int(false_peaks)
    if not 0 <= false_peaks < np.inf:
        raise ValueError(f"false_peaks must be a number from 0, got {false_peaks}")
    ordered = np.sort(null)[::-1]
    return float(ordered[accepted]) if accepted < len(ordered) else 0.0
