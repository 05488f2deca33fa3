"""Precision and recall of picks as a threshold of their scores falls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """Curve of precision against recall.

    Parameters
    ----------
    threshold
        ``(k,)`` float64: the scores that occur, falling; picks of at least that score are kept.
    precision, recall
        ``(k,)`` float64: those of the picks that are kept.
    """

    threshold: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    @property
    def average_precision(self) -> float:
        """Sum of the precisions, each weighted by the rise of recall at its threshold; nothing is interpolated."""
        return float(np.sum(np.diff(self.recall, prepend=0.0) * self.precision))


def trace_curve(score: NDArray[np.float64], is_hit: NDArray[np.bool_], particles: int) -> PrecisionRecall:
    """Compute precision and recall at every score.

    Parameters
    ----------
    score
        ``(n,)`` score of each pick; picks of one score are kept or left out together.
    is_hit
        ``(n,)`` picks that hit a particle of their own.
    particles
        Number of particles, those that no pick hits included.

    Raises
    ------
    ValueError
        If there are fewer particles than hits.

    Examples
    --------
    >>> curve = trace_curve(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), particles=4)
    >>> curve.precision.round(2), curve.recall, round(curve.average_precision, 4)
    (array([1.  , 0.5 , 0.67]), array([0.25, 0.25, 0.5 ]), 0.4167)
    """
    if np.count_nonzero(is_hit) > particles:
        raise ValueError(
            f"{np.count_nonzero(is_hit)} picks hit {particles} particles; each hits one of its own"
        )
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)) if falling.size else np.empty(0, int)
    hits = np.cumsum(is_hit[order])[last]
    recall = hits / particles if particles else np.zeros(last.size)
    return PrecisionRecall(falling[last], hits / (last + 1), recall)
