"""Hits and errors, and the rates that follow from them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Numbers of hits and errors.

    Parameters
    ----------
    hits
        True positives.
    false
        False positives: picks of nothing.
    missed
        False negatives: particles that no pick hits.

    Examples
    --------
    >>> counts = Counts(hits=6, false=2, missed=4)
    >>> counts.precision, counts.recall, round(counts.f_score(), 4)
    (0.75, 0.6, 0.6667)
    """

    hits: int
    false: int
    missed: int

    @property
    def precision(self) -> float:
        """Share of the picks that are hits; 0 without picks."""
        return _divide(self.hits, self.hits + self.false)

    @property
    def recall(self) -> float:
        """Share of the particles that are hit; 0 without particles."""
        return _divide(self.hits, self.hits + self.missed)

    def f_score(self, beta: float = 1.0) -> float:
        """Compute ``(1 + β²) P R / (β² P + R)`` (van Rijsbergen, 1979) of precision P and recall R, 0 without hits.

        Parameters
        ----------
        beta
            Weight of the recall against the precision; 1 is their harmonic mean.
        """
        product = (1 + beta**2) * self.precision * self.recall
        return _divide(product, beta**2 * self.precision + self.recall)

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.hits + other.hits, self.false + other.false, self.missed + other.missed)


def _divide(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
