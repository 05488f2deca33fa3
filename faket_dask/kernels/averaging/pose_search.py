"""Search of poses: correlation with a turned reference at the coefficients that a particle has measured.

With the coefficients T of the reference in an orientation and G of a particle moved back by a shift, both over the
band B of coefficients that the particle's tilts have measured and that lie below the limit of the alignment,

    c = Re Σ_B T* G / sqrt(Σ_B T* T · Σ_B G* G).

This is the constrained cross-correlation of Förster et al., PNAS 102, 4729 (2005). All orientations and shifts of a
particle are one product of matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.kernels.averaging.band import Band
from faket_dask.kernels.averaging.finer import FINENESS, sample_finer
from faket_dask.kernels.matching.turning import turn_density

_ROTATIONS_AT_ONCE = 512
"""Orientations whose coefficients are held at a time."""


class Poses(NamedTuple):
    """Rotations ``(n, 3, 3)``, particle to specimen, shifts ``(n, 3)`` in voxels ``(x, y, z)``, and scores ``(n,)``."""

    rotation: NDArray[np.float64]
    shift: NDArray[np.float64]
    score: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TurnableReference:
    """Volume that particles are compared with.

    Parameters
    ----------
    finer
        ``(2 n, 2 n, 2 n)`` as `sample_finer` returns it.
    band
        Coefficients of the comparison.
    """

    finer: NDArray[np.float32]
    band: Band

    @classmethod
    def prepare(
        cls, volume: NDArray[np.floating], mask: NDArray[np.floating], band: Band
    ) -> TurnableReference:
        """Prepare a cube ``(n, n, n)``, n even, within a mask of the same shape."""
        masked = (volume * mask).astype(np.float32)
        return cls(sample_finer(scipy.fft.rfftn(masked)), band)

    def turn(self, rotations: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the coefficients ``(r, 2 m)`` of power 1 in orientations ``(r, 3, 3)``, particle to specimen."""
        rows = np.empty((len(rotations), 2 * len(self.band)), np.float32)
        for row, rotation in zip(rows, rotations, strict=True):
            row[:] = self.band.take(
                turn_density(self.finer, np.ascontiguousarray(rotation.T), float(FINENESS), self.band.edge)
            )
        power = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.divide(rows, power, out=np.zeros_like(rows), where=power > 0)


def search_all(
    boxes: NDArray[np.floating],
    reference: TurnableReference,
    rotations: NDArray[np.float64],
    shifts: NDArray[np.float64],
) -> Poses:
    """Find the best of orientations and shifts for each particle.

    Parameters
    ----------
    boxes
        ``(n, edge, edge, edge)``.
    reference
        Reference in its own frame.
    rotations
        ``(r, 3, 3)``.
    shifts
        ``(s, 3)`` voxels ``(x, y, z)`` of the particle off the middle of its box.

    Returns
    -------
    poses
        The first orientation of those with equal scores.
    """
    moved = [_normalise(reference.band.shift(reference.band.take(box), shifts)) for box in boxes]
    score = np.full(len(boxes), -np.inf)
    best = np.zeros((len(boxes), 2), np.intp)
    for start in range(0, len(rotations), _ROTATIONS_AT_ONCE):
        rows = reference.turn(rotations[start : start + _ROTATIONS_AT_ONCE])
        for number, columns in enumerate(moved):
            scores = rows @ columns
            at = np.unravel_index(int(scores.argmax()), scores.shape)
            if scores[at] > score[number]:
                score[number], best[number] = scores[at], (start + at[0], at[1])
    return Poses(rotations[best[:, 0]], shifts[best[:, 1]], score)


def search_near(
    boxes: NDArray[np.floating],
    reference: TurnableReference,
    poses: Poses,
    turns: NDArray[np.float64],
    shifts: NDArray[np.float64],
) -> Poses:
    """Find the best pose near a given one for each particle.

    Parameters
    ----------
    boxes
        ``(n, edge, edge, edge)``.
    reference
        Reference in its own frame.
    poses
        Pose of each particle.
    turns
        ``(r, 3, 3)`` small rotations, applied after that of the pose; the identity among them keeps it.
    shifts
        ``(s, 3)`` voxels to add.
    """
    found = []
    for box, rotation, shift in zip(boxes, poses.rotation, poses.shift, strict=True):
        rotations, tried = turns @ rotation, shift + shifts
        scores = reference.turn(rotations) @ _normalise(reference.band.shift(reference.band.take(box), tried))
        at = np.unravel_index(int(scores.argmax()), scores.shape)
        found.append((rotations[at[0]], tried[at[1]], float(scores[at])))
    rotation, shift, score = (np.array(column) for column in zip(*found, strict=True))
    return Poses(rotation, shift, score)


def _normalise(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return coefficients of power 1, or 0 throughout for a box without detail."""
    power = np.linalg.norm(columns[:, :1])
    return columns / power if power > 0 else columns
