"""Points with classes: picks, or the particles that are there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BACKGROUND = 0
"""Class of a place without a particle."""


@dataclass(frozen=True, eq=False)
class Picks:
    """Picks of one tomogram, or its true particles.

    Parameters
    ----------
    positions
        ``(n, 3)`` float64: ``(x, y, z)``, in any unit.
    class_id
        ``(n,)`` int64: number of each class, from 1; 0 is background.
    score
        ``(n,)`` float64: confidence in each pick, larger for a better one; ``None`` where there is none.

    Raises
    ------
    ValueError
        If the shapes disagree, a position or score is not finite, or a class is negative.

    Examples
    --------
    >>> len(Picks(np.array([[1.0, 2, 3]]), np.array([4])))
    1
    """

    positions: NDArray[np.float64]
    class_id: NDArray[np.int64]
    score: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        count = len(self.class_id)
        if self.positions.shape != (count, 3):
            raise ValueError(
                f"positions of {count} picks have the shape ({count}, 3), got {self.positions.shape}"
            )
        if self.score is not None and self.score.shape != (count,):
            raise ValueError(f"scores of {count} picks have the shape ({count},), got {self.score.shape}")
        if not np.isfinite(self.positions).all():
            raise ValueError("positions of picks are finite")
        if self.score is not None and not np.isfinite(self.score).all():
            raise ValueError("scores of picks are finite")
        if count and int(self.class_id.min()) < BACKGROUND:
            raise ValueError(f"classes of picks count from {BACKGROUND}, got {int(self.class_id.min())}")

    def __len__(self) -> int:
        return len(self.class_id)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Picks:
        """Return some of the picks, chosen by a mask or by indices."""
        score = None if self.score is None else self.score[rows]
        return Picks(self.positions[rows], self.class_id[rows], score)
