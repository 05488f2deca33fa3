"""Score of picks that are assigned to particles one to one, by distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.scoring.assignment import PickAssignment, assign
from faket_dask.scoring.confusion import count_class, count_confusion
from faket_dask.scoring.counts import Counts
from faket_dask.scoring.distances import median_or_none
from faket_dask.scoring.picks import BACKGROUND, Picks
from faket_dask.scoring.precision_recall import PrecisionRecall, trace_curve


@dataclass(frozen=True, eq=False)
class OneToOneScore:
    """Score of picks against the particles of one tomogram.

    Parameters
    ----------
    assignment
        Particle of each pick.
    confusion
        ``(classes, classes)`` int64: particles of the class of a row that picks take for the class of a column; missed
        particles are in column 0, picks of nothing in row 0.
    localisation
        Hits and errors whatever the class.
    by_class
        Hits and errors of each class; a particle that is taken for another class is missed, and a false pick of that.
    curves
        Precision against recall of each class with particles; empty for picks without scores.
    median_distance
        Median distance of the hits of each class to their particles, in the unit of the positions; ``None`` without
        hits.
    """

    assignment: PickAssignment
    confusion: NDArray[np.int64]
    localisation: Counts
    by_class: Mapping[int, Counts]
    curves: Mapping[int, PrecisionRecall]
    median_distance: Mapping[int, float | None]

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes in `by_class`; picks of a class that has no particles bring it down."""
        scores = [counts.f_score() for counts in self.by_class.values()]
        return float(np.mean(scores)) if scores else 0.0

    @property
    def mean_average_precision(self) -> float | None:
        """Mean of the average precisions of the classes with particles; ``None`` for picks without scores."""
        values = [curve.average_precision for curve in self.curves.values()]
        return float(np.mean(values)) if values else None


def score_one_to_one(
    picks: Picks,
    truth: Picks,
    radius: float | NDArray[np.float64],
    is_ignored: NDArray[np.bool_] | None = None,
) -> OneToOneScore:
    """Assign picks to particles one to one, and count hits and errors.

    Parameters
    ----------
    picks, truth, radius, is_ignored
        As for `assignment.assign`. Picks on ignored particles are left out of all counts.

    Raises
    ------
    ValueError
        If a radius is not positive and finite.

    Examples
    --------
    >>> truth = Picks(np.array([[0.0, 0, 0], [9, 0, 0]]), np.array([1, 2]))
    >>> picks = Picks(np.array([[1.0, 0, 0], [9, 1, 0], [5, 5, 5]]), np.array([1, 1, 2]))
    >>> score = score_one_to_one(picks, truth, 2.0)
    >>> score.confusion
    array([[0, 0, 1],
           [0, 1, 0],
           [0, 1, 0]])
    >>> score.localisation, score.by_class[2]
    (Counts(hits=2, false=1, missed=0), Counts(hits=0, false=1, missed=1))
    """
    ignored = np.zeros(len(truth), np.bool_) if is_ignored is None else is_ignored
    assignment = assign(picks, truth, radius, ignored)
    assigned = assignment.is_assigned
    lone = ~assigned & ~assignment.is_ignored
    is_missed = ~ignored
    is_missed[assignment.truth[assigned]] = False
    hit_class, missed_class = truth.class_id[assignment.truth[assigned]], truth.class_id[is_missed]
    confusion = count_confusion(
        np.concatenate((hit_class, np.full(np.count_nonzero(lone), BACKGROUND), missed_class)),
        np.concatenate(
            (picks.class_id[assigned], picks.class_id[lone], np.full(missed_class.size, BACKGROUND))
        ),
        1 + int(max(picks.class_id.max(initial=0), truth.class_id.max(initial=0))),
    )
    present = np.flatnonzero(confusion.sum(axis=0) + confusion.sum(axis=1)).tolist()
    classes = [class_id for class_id in present if class_id != BACKGROUND]
    particles = np.bincount(truth.class_id[~ignored], minlength=len(confusion))
    is_hit = assigned.copy()
    is_hit[assigned] = hit_class == picks.class_id[assigned]
    curves: dict[int, PrecisionRecall] = {}
    median_distance: dict[int, float | None] = {}
    for class_id in classes:
        rows = picks.class_id == class_id
        median_distance[class_id] = median_or_none(assignment.distance[rows & is_hit])
        counted = rows & ~assignment.is_ignored
        if picks.score is not None and particles[class_id]:
            curves[class_id] = trace_curve(picks.score[counted], is_hit[counted], int(particles[class_id]))
    return OneToOneScore(
        assignment=assignment,
        confusion=confusion,
        localisation=Counts(
            hits=int(np.count_nonzero(assigned)),
            false=int(np.count_nonzero(lone)),
            missed=int(missed_class.size),
        ),
        by_class={class_id: count_class(confusion, class_id) for class_id in classes},
        curves=curves,
        median_distance=median_distance,
    )
