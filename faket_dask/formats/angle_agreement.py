"""Agreement of two lists of the tilt angles of one stack: those in its extended header, an angle file, an `.mdoc`.

An extended header goes with its images through every program that sorts a stack. Text files beside it do not, so
they may be in another order, such as that of acquisition.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

SAME_ANGLE_DEG = 0.5
"""Angles of one tilt that different files record are no further apart."""

_LARGEST_OFFSET_DEG = 20.0
_LARGEST_REFINEMENT_DEG = 1.5


class Agreement(Enum):
    """Relation of stated angles to those of the sections of a stack."""

    EQUAL = "the same angles, section by section"
    SAME_ORDER = "other angles in the same order, as after a refinement"
    OPPOSITE_SIGN = "the same angles with the opposite sign"
    OTHER_ORDER = "the same angles in another order"
    SUBSET = "among the stated angles"
    NONE = "other angles"


@dataclass(frozen=True, eq=False)
class Assignment:
    """Assignment of stated angles to the sections of a stack.

    Parameters
    ----------
    agreement
        Relation of the two lists.
    places
        ``(section,)`` place of each section in the stated list; empty for `Agreement.NONE`.
    """

    agreement: Agreement
    places: NDArray[np.intp]


def assign_sections(stated: ArrayLike, recorded: ArrayLike) -> Assignment:
    """Find which of the stated angles each section of a stack has.

    Parameters
    ----------
    stated
        ``(n,)`` degrees, in the order of their file.
    recorded
        ``(section,)`` degrees of the sections, of the same sign.

    Examples
    --------
    >>> assigned = assign_sections([0, 3, -3, -6], [-6, -3, 0, 3])
    >>> assigned.agreement.name, assigned.places
    ('OTHER_ORDER', array([3, 2, 0, 1]))
    >>> assign_sections([-3, 0, 3], [3, 0, -3]).agreement.name
    'OPPOSITE_SIGN'
    """
    a, b = np.asarray(stated, dtype=np.float64), np.asarray(recorded, dtype=np.float64)
    identity = np.arange(b.size)
    if a.size != b.size:
        return _assign_nearest(a, b)
    if (np.abs(a - b) <= SAME_ANGLE_DEG).all():
        return Assignment(Agreement.EQUAL, identity)
    if np.array_equal(_rank(a), _rank(b)):
        return Assignment(Agreement.SAME_ORDER, identity)
    if (np.abs(a + b) <= SAME_ANGLE_DEG).all():
        return Assignment(Agreement.OPPOSITE_SIGN, identity)
    apart = np.sort(a) - np.sort(b)
    offset = np.median(apart)
    if abs(offset) <= _LARGEST_OFFSET_DEG and (np.abs(apart - offset) <= _LARGEST_REFINEMENT_DEG).all():
        return Assignment(Agreement.OTHER_ORDER, np.argsort(a, kind="stable")[_rank(b)])
    return Assignment(Agreement.NONE, identity[:0])


def _assign_nearest(stated: NDArray[np.float64], recorded: NDArray[np.float64]) -> Assignment:
    """Assign the nearest stated angle to each section, where there are more of them."""
    if stated.size > recorded.size:
        apart = np.abs(stated[None] - recorded[:, None])
        nearest = apart.argmin(axis=1)
        close = (apart.min(axis=1) <= SAME_ANGLE_DEG).all()
        if close and np.unique(nearest).size == nearest.size:
            return Assignment(Agreement.SUBSET, nearest)
    return Assignment(Agreement.NONE, np.arange(0))


def _rank(angles: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.argsort(np.argsort(angles, kind="stable"))
