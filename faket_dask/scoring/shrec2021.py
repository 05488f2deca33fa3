"""Scoring of the SHREC 2021 track of cryo-electron tomograms (Gubins et al., Eurographics 3DOR, 2021), as published.

A pick belongs to the particle in whose voxels it lies, after these are dilated once; there is no threshold of distance,
and the class plays no part. The published results leave out 4V94 and vesicles after that: picks on them remain in the
number of picks, and vesicles, not 4V94, in the number of particles.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.scoring.confusion import count_confusion, macro_f1
from faket_dask.scoring.counts import Counts
from faket_dask.scoring.picks import BACKGROUND, Picks

RIBOSOME, VESICLE = 1, 14
"""Numbers of 4V94 and of vesicles among SHREC's classes."""

LEFT_OUT = (RIBOSOME, VESICLE)
"""Classes that the published results leave out."""

NOT_EXPECTED = (RIBOSOME,)
"""Classes that do not count as particles to be found; vesicles do, although none of them is a hit."""

_CROSS = np.array([(0, 0, 0), *(sign * row for row in np.eye(3, dtype=np.int64) for sign in (-1, 1))])


@dataclass(frozen=True, eq=False)
class Shrec2021Score:
    """Score of picks against one tomogram.

    Parameters
    ----------
    instance
        ``(picks,)`` int64: particle at each pick, numbered from 1; 0 for none.
    clipped
        Number of picks outside the frame, which were moved to its faces.
    hit
        ``(hits,)`` int64: distinct particles that are hit, of classes that are not left out.
    picks
        Number of picks.
    expected
        Number of particles to be found.
    confusion
        ``(classes, classes)`` int64: particles of the class of a row, of classes that are not left out, by the class of
        the first pick that hit them; background for none, or one of a class that is left out.
    distance
        ``(hits,)`` float64: distance in voxels from the first pick of a particle that is hit, rounded and clipped, to
        the particle's position.
    """

    instance: NDArray[np.int64]
    clipped: int
    hit: NDArray[np.int64]
    picks: int
    expected: int
    confusion: NDArray[np.int64]
    distance: NDArray[np.float64]

    @property
    def localisation(self) -> Counts:
        """Hits among the picks and among the particles to be found; duplicates are false picks."""
        return Counts(self.hit.size, self.picks - self.hit.size, self.expected - self.hit.size)

    @property
    def macro_f1(self) -> float:
        """F1 of the classification, the mean over the classes that occur."""
        return macro_f1(self.confusion)


def score_shrec2021(
    picks: Picks,
    truth: Picks,
    occupancy: NDArray[np.integer],
    *,
    left_out: Collection[int] = LEFT_OUT,
    not_expected: Collection[int] = NOT_EXPECTED,
) -> Shrec2021Score:
    """Score picks by SHREC's rules.

    Parameters
    ----------
    picks
        Picks in voxels of the whole frame, in the order of their file.
    truth
        Particles in these voxels; row k is the instance k + 1 of the mask. Their classes are SHREC's numbers, unless
        the next two are given.
    occupancy
        ``(z, y, x)`` instance of each voxel, 0 for background.
    left_out
        Classes that are left out once the picks are assigned.
    not_expected
        Those of them that do not count as particles to be found.

    Raises
    ------
    ValueError
        If a pick lies on an instance that the truth does not list.

    Examples
    --------
    >>> occupancy = np.zeros((8, 8, 8), int)
    >>> occupancy[4, 4, 4] = 1
    >>> truth = Picks(np.array([[4.0, 4, 4], [1, 1, 1]]), np.array([5, 6]))
    >>> score = score_shrec2021(Picks(np.array([[5.2, 4, 4]]), np.array([5])), truth, occupancy)
    >>> score.localisation, score.macro_f1.__round__(4)
    (Counts(hits=1, false=0, missed=1), 0.3333)
    """
    rounded = np.rint(picks.positions)
    inside = np.clip(rounded, 0, np.array(occupancy.shape[::-1]) - 1).astype(np.int64)
    instance = find_instances(occupancy, inside)
    if instance.max(initial=0) > len(truth):
        raise ValueError(f"the mask has the instance {instance.max()}, and the truth lists {len(truth)}")
    is_left_out = np.isin(truth.class_id, list(left_out))
    hit, first = np.unique(instance, return_index=True)
    hit, first = hit[hit > 0], first[hit > 0]
    kept = ~is_left_out[hit - 1]
    hit, first = hit[kept], first[kept]
    predicted = np.full(len(truth), BACKGROUND, dtype=np.int64)
    predicted[hit - 1] = picks.class_id[first]
    predicted[np.isin(predicted, list(left_out))] = BACKGROUND
    return Shrec2021Score(
        instance=instance,
        clipped=int(np.count_nonzero((rounded != inside).any(axis=1))),
        hit=hit,
        picks=len(picks),
        expected=int(np.count_nonzero(~np.isin(truth.class_id, list(not_expected)))),
        confusion=count_confusion(
            truth.class_id[~is_left_out],
            predicted[~is_left_out],
            1 + int(max(truth.class_id.max(initial=0), predicted.max(initial=0))),
        ),
        distance=np.linalg.norm(inside[first] - truth.positions[hit - 1], axis=1),
    )


def find_instances(occupancy: NDArray[np.integer], voxels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the instance at each voxel of a mask that is dilated once: the highest of the voxel and its six neighbours.

    Parameters
    ----------
    occupancy
        ``(z, y, x)`` instance of each voxel, 0 for background.
    voxels
        ``(n, 3)`` int64: ``(x, y, z)`` within the mask.

    Returns
    -------
    instance
        ``(n,)`` int64.

    Examples
    --------
    >>> occupancy = np.zeros((3, 3, 3), int)
    >>> occupancy[0, 0, 0], occupancy[0, 0, 2] = 2, 1
    >>> find_instances(occupancy, np.array([[1, 0, 0], [2, 0, 0], [2, 2, 2]]))
    array([2, 1, 0])
    """
    last = np.array(occupancy.shape[::-1]) - 1
    # A neighbour beyond a face is clipped to the voxel itself.
    x, y, z = np.moveaxis(np.clip(voxels[:, None] + _CROSS, 0, last), -1, 0)
    return np.asarray(occupancy[z, y, x].max(axis=1), dtype=np.int64)
