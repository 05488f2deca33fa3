"""Faults of a detector's pixels, the same in all images of a series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HOT_FLOOR, HOT_MEAN = 5.0, 20.0
"""Counts of a hot pixel over the mean of the image: at least the first, and exponentially distributed beyond it."""


@dataclass(frozen=True, eq=False)
class SensorFaults:
    """Errors of the gain reference, and pixels that count without electrons.

    Parameters
    ----------
    gain
        ``(y, x)`` factor on the counts that is left after gain correction.
    hot
        ``(y, x)`` True where a pixel is hot.
    """

    gain: NDArray[np.float32]
    hot: NDArray[np.bool_]

    def apply(self, counts: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.float32]:
        """Return counts ``(y, x)`` as a faulty sensor has them.

        Parameters
        ----------
        counts
            ``(y, x)`` counts of a faultless one.
        rng
            Source of the counts of hot pixels.
        """
        faulty = (counts * self.gain).astype(np.float32)
        number = int(self.hot.sum())
        faulty[self.hot] += counts.mean() * (HOT_FLOOR + rng.exponential(HOT_MEAN, number))
        return faulty


def draw_sensor_faults(
    shape: tuple[int, int], gain_deviation: float, hot_share: float, rng: np.random.Generator
) -> SensorFaults:
    """Draw the faults of a sensor.

    Parameters
    ----------
    shape
        Image shape ``(y, x)``.
    gain_deviation
        Standard deviation of the gain about 1.
    hot_share
        Share of pixels that are hot.
    rng
        Source of the faults.

    Examples
    --------
    >>> faults = draw_sensor_faults((64, 64), 0.02, 0.01, np.random.default_rng(0))
    >>> round(float(faults.gain.std()), 3), int(faults.hot.sum())
    (0.02, 41)
    """
    normal = rng.standard_normal(shape, dtype=np.float32)
    gain = np.maximum(np.float32(1) + np.float32(gain_deviation) * normal, np.float32(0))
    hot = np.zeros(shape, dtype=bool)
    hot.flat[rng.choice(hot.size, round(hot_share * hot.size), replace=False)] = True
    return SensorFaults(gain, hot)
