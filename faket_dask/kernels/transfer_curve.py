"""Measured transfer of a detector over spatial frequency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NYQUIST = 0.5
"""Highest frequency that a detector records, in cycles per pixel of its own."""

_ROUNDING = 5e-3


@dataclass(frozen=True)
class TransferCurve:
    """Transfer at increasing frequencies, interpolated linearly between them.

    Parameters
    ----------
    frequencies
        Cycles per pixel of the detector, increasing, from 0 (or a first value near it) to its Nyquist frequency, 0.5.
    values
        Transfer at each of them, above 0 and at most about 1.

    Raises
    ------
    ValueError
        If the frequencies do not increase, end before the Nyquist frequency, or a value is no transfer.

    Examples
    --------
    >>> TransferCurve((0.0, 0.25, 0.5), (1.0, 0.8, 0.4)).interpolate(np.array([0.125, 0.5]))
    array([0.9, 0.4])
    """

    frequencies: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        frequencies, values = np.array(self.frequencies), np.array(self.values)
        if frequencies.shape != values.shape or frequencies.size < 2:
            raise ValueError("a curve has at least two frequencies with one value each")
        if not (np.diff(frequencies) > 0).all() or frequencies[0] < 0:
            raise ValueError("frequencies start at 0 and increase from row to row")
        if frequencies[-1] < NYQUIST - _ROUNDING:
            raise ValueError(
                f"the curve ends at {frequencies[-1]:g} cycles per pixel, before the detector's Nyquist frequency of "
                f"{NYQUIST:g}; give it up to there, in 1/pixel"
            )
        wrong = ~((values > 0) & (values <= 1.05))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"row {row + 1} has the transfer {values[row]:g}; it is above 0 and at most 1, at zero frequency"
            )

    def interpolate(self, frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the transfer relative to that at zero frequency; beyond its ends the curve goes on level.

        Parameters
        ----------
        frequencies
            Any shape, cycles per pixel of the detector.
        """
        return np.interp(frequencies, self.frequencies, self.values) / self.values[0]
