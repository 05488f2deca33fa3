"""Assignment of picks to particles, one to one, by distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from faket_dask.errors import InputError
from faket_dask.scoring.picks import Picks

NOBODY = -1
"""Particle of a pick that has none."""

MOST_PAIRS = 20_000_000
"""Most pairs of picks and particles within reach of each other; more take a radius far beyond any particle's."""


@dataclass(frozen=True, eq=False)
class PickAssignment:
    """Particle of each pick.

    Parameters
    ----------
    truth
        ``(picks,)`` int64: index of the particle, `NOBODY` for none.
    distance
        ``(picks,)`` float64: distance to that particle, NaN for none.
    is_ignored
        ``(picks,)`` bool: true of picks without a particle that lie on an ignored one.
    """

    truth: NDArray[np.int64]
    distance: NDArray[np.float64]
    is_ignored: NDArray[np.bool_]

    @property
    def is_assigned(self) -> NDArray[np.bool_]:
        """``(picks,)`` bool: true of picks with a particle."""
        return self.truth != NOBODY


def assign(
    picks: Picks,
    truth: Picks,
    radius: float | NDArray[np.float64],
    is_ignored: NDArray[np.bool_] | None = None,
) -> PickAssignment:
    """Assign picks to particles, each to one at most.

    Picks choose in the order of their scores, the best first, each the nearest particle that is still free; those of
    one score, or without scores, by distance. All of them choose among the particles of their own class first; picks
    and particles that are left are then assigned whatever their class, which tells what is taken for what.

    Parameters
    ----------
    picks
        Picks.
    truth
        Particles, in the unit of the picks.
    radius
        Largest distance of a pick from its particle: one for all, or ``(truth,)`` that of each particle.
    is_ignored
        ``(truth,)`` bool: particles that need not be found; a pick that is left over and within the radius of one is
        no error. None by default.

    Raises
    ------
    ValueError
        If a radius is not positive and finite.
    InputError
        If so many picks are within reach of so many particles that no radius of particles can be meant.

    Examples
    --------
    >>> truth = Picks(np.array([[0.0, 0, 0], [10, 0, 0]]), np.array([1, 1]))
    >>> picks = Picks(np.array([[1.0, 0, 0], [2, 0, 0], [9, 0, 0]]), np.array([1, 1, 2]), np.array([0.1, 0.9, 0.5]))
    >>> assign(picks, truth, radius=3.0).truth
    array([-1,  0,  1])
    """
    radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), (len(truth),))
    if not (np.isfinite(radii).all() and (radii > 0).all()):
        raise ValueError("the radius of an assignment is positive and finite")
    ignored = np.zeros(len(truth), np.bool_) if is_ignored is None else is_ignored
    pairs = _list_pairs(picks, truth, radii)
    counted = pairs.select(~ignored[pairs.truth])
    is_same = picks.class_id[counted.pick] == truth.class_id[counted.truth]
    assignment = PickAssignment(
        np.full(len(picks), NOBODY, dtype=np.int64),
        np.full(len(picks), np.nan),
        np.zeros(len(picks), np.bool_),
    )
    is_free = np.ones(len(truth), np.bool_)
    for part in (counted.select(is_same), counted.select(~is_same)):
        _take(part, assignment, is_free)
    beside = np.unique(pairs.pick[ignored[pairs.truth]])
    assignment.is_ignored[beside] = ~assignment.is_assigned[beside]
    return assignment


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Picks and particles within reach of each other, in the order in which they are assigned."""

    pick: NDArray[np.int64]
    truth: NDArray[np.int64]
    distance: NDArray[np.float64]

    def select(self, rows: NDArray[np.bool_]) -> _Pairs:
        return _Pairs(self.pick[rows], self.truth[rows], self.distance[rows])


def _list_pairs(picks: Picks, truth: Picks, radii: NDArray[np.float64]) -> _Pairs:
    if not (len(picks) and len(truth)):
        none = np.empty(0, dtype=np.int64)
        return _Pairs(none, none, np.empty(0))
    tree = KDTree(picks.positions)
    reached = int(tree.query_ball_point(truth.positions, radii, return_length=True).sum())
    if reached > MOST_PAIRS:
        raise InputError(
            f"within a radius of {radii.max():g}, each particle has {reached / len(truth):.0f} picks; give one in the "
            "order of a particle's"
        )
    near = tree.query_ball_point(truth.positions, radii)
    owner = np.repeat(np.arange(len(truth)), [len(row) for row in near])
    pick = np.array([index for row in near for index in row], dtype=np.int64)
    distance = np.linalg.norm(picks.positions[pick] - truth.positions[owner], axis=1)
    keys = (owner, pick, distance)
    order = np.lexsort(keys if picks.score is None else (*keys, -picks.score[pick]))
    return _Pairs(pick[order], owner[order], distance[order])


def _take(pairs: _Pairs, assignment: PickAssignment, is_free: NDArray[np.bool_]) -> None:
    """Assign what is free of the pairs, in their order."""
    for pick, truth, distance in zip(pairs.pick, pairs.truth, pairs.distance, strict=True):
        if is_free[truth] and assignment.truth[pick] == NOBODY:
            assignment.truth[pick], assignment.distance[pick] = truth, distance
            is_free[truth] = False
