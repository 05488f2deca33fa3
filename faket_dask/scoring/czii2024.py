"""Scoring of the challenge "CZII - CryoET Object Identification" (Kaggle, 2024): F-beta by distance.

A particle is found if a pick of its class lies within half its radius. Hits are counted by class over all tomograms; a
class' F-beta of β = 4 weighs recall far above precision; classes weigh by their difficulty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from faket_dask.scoring.counts import Counts
from faket_dask.scoring.distances import measure_nearest
from faket_dask.scoring.picks import Picks

BETA = 4.0
RADIUS_FACTOR = 0.5
"""Largest distance of a hit in radii of its particle."""

RADIUS_A = {
    "apo-ferritin": 60.0,
    "beta-amylase": 65.0,
    "beta-galactosidase": 90.0,
    "ribosome": 150.0,
    "thyroglobulin": 130.0,
    "virus-like-particle": 135.0,
}
"""Radius of each class of the challenge in Å."""

WEIGHT = {"beta-galactosidase": 2.0, "thyroglobulin": 2.0, "beta-amylase": 0.0}
"""Weights of the challenge's hard classes and of the one that is not scored; all others weigh 1."""


def count_czii2024(picks: Picks, truth: Picks, radius: Mapping[int, float]) -> dict[int, Counts]:
    """Count hits and errors of each class in one tomogram.

    Parameters
    ----------
    picks, truth
        Picks and particles, in one unit.
    radius
        Radius of the particles of each class, in that unit.

    Returns
    -------
    counts
        Counts of the classes in `radius`. A pick within reach of two particles finds both, so there may be fewer false
        picks than none, as in the challenge's own counts.

    Examples
    --------
    >>> truth = Picks(np.array([[0.0, 0, 0], [99, 0, 0]]), np.array([1, 1]))
    >>> count_czii2024(Picks(np.array([[4.0, 0, 0], [0, 4, 0]]), np.array([1, 1])), truth, {1: 10.0})
    {1: Counts(hits=1, false=1, missed=1)}
    """
    counts = {}
    for class_id, size in radius.items():
        found = picks.positions[picks.class_id == class_id]
        there = truth.positions[truth.class_id == class_id]
        hits = int(np.count_nonzero(measure_nearest(there, found) <= RADIUS_FACTOR * size))
        counts[class_id] = Counts(hits, len(found) - hits, len(there) - hits)
    return counts


def score_czii2024(tomograms: Iterable[Mapping[int, Counts]], weight: Mapping[int, float]) -> float:
    """Compute the weighted mean of the classes' F-beta.

    Parameters
    ----------
    tomograms
        Counts of each tomogram, by class.
    weight
        Weight of each class; 0 leaves it out.

    Raises
    ------
    ValueError
        If no class weighs anything.

    Examples
    --------
    >>> score_czii2024([{1: Counts(1, 0, 0), 2: Counts(0, 1, 1)}], {1: 1.0, 2: 2.0}).__round__(4)
    0.3333
    """
    if not sum(weight.values()) > 0:
        raise ValueError("a score needs a class with a weight above 0")
    total = dict.fromkeys(weight, Counts(0, 0, 0))
    for counts in tomograms:
        total |= {class_id: total[class_id] + counts[class_id] for class_id in counts if class_id in total}
    parts = [weight[class_id] * total[class_id].f_score(BETA) for class_id in weight]
    return sum(parts) / sum(weight.values())
