"""Results of a scorer, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.scoring.counts import Counts


@dataclass(frozen=True)
class ClassRow:
    """Score of one class.

    Parameters
    ----------
    name
        Name of the class.
    counts
        Hits and errors.
    f_score
        F1, or the scorer's own F-beta.
    average_precision
        Area under precision against recall; ``None`` for picks without scores.
    median_distance_A
        Median distance of the hits from their particles in Å; ``None`` without hits.
    """

    name: str
    counts: Counts
    f_score: float
    average_precision: float | None = None
    median_distance_A: float | None = None


@dataclass(frozen=True, eq=False)
class ScoreReport:
    """Score of one list of picks.

    Parameters
    ----------
    summary
        Figures of all classes together, by name.
    classes
        Score of each class.
    confusion
        ``(k, k)`` particles of the class of a row that are taken for that of a column; ``None`` where the scorer does
        not compare classes.
    confusion_names
        Names of its rows and columns, background first.
    """

    summary: Mapping[str, float | int | None]
    classes: Sequence[ClassRow]
    confusion: NDArray[np.int64] | None = None
    confusion_names: Sequence[str] = ()

    def describe(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        confusion = None
        if self.confusion is not None:
            confusion = {"names": list(self.confusion_names), "matrix": self.confusion.tolist()}
        return {
            "summary": dict(self.summary),
            "classes": [
                {
                    "name": row.name,
                    "particles": row.counts.hits + row.counts.missed,
                    "picks": row.counts.hits + row.counts.false,
                    "hits": row.counts.hits,
                    "false": row.counts.false,
                    "missed": row.counts.missed,
                    "precision": row.counts.precision,
                    "recall": row.counts.recall,
                    "f_score": row.f_score,
                    "average_precision": row.average_precision,
                    "median_distance_A": row.median_distance_A,
                }
                for row in self.classes
            ],
            "confusion": confusion,
        }
