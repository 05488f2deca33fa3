"""Waves of random direction and phase, whose sum is a height over a plane."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faket_dask.specimen.amounts import Amount, check_amount

_COUNT = 48


@dataclass(frozen=True, eq=False)
class Waves:
    """Sum of cosines over a plane.

    Parameters
    ----------
    frequency
        ``(n, 2)`` float64: radians per Å along ``(x, y)``.
    phase
        ``(n,)`` float64: radians.
    amplitude_A
        Amplitude of each of them, in Å.
    """

    frequency: NDArray[np.float64]
    phase: NDArray[np.float64]
    amplitude_A: float

    def evaluate(self, x_A: NDArray[np.float64], y_A: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the heights ``(y, x)`` in Å over the points of a grid; each depends on its own point alone."""
        along_x = np.exp(1j * np.outer(x_A, self.frequency[:, 0]))
        along_y = np.exp(1j * (np.outer(y_A, self.frequency[:, 1]) + self.phase))
        return self.amplitude_A * _add_up(along_x, along_y)


def draw_waves(
    deviation_A: float,
    length_A: Amount,
    rng: np.random.Generator,
    direction_rad: float | None = None,
    count: int = _COUNT,
) -> Waves:
    """Draw waves whose lengths are equally likely in proportion.

    Parameters
    ----------
    deviation_A
        Standard deviation of the height, in Å.
    length_A
        Wavelength in Å, one number or (smallest, largest).
    rng
        Source of randomness.
    direction_rad
        Direction of all waves, from x towards y; any by default.
    count
        Number of waves.

    Examples
    --------
    >>> waves = draw_waves(10.0, (500.0, 2000.0), np.random.default_rng(0))
    >>> axis = np.arange(0.0, 40_000.0, 100.0)
    >>> round(float(waves.evaluate(axis, axis).std()))
    10
    """
    low, high = check_amount(length_A, "length_A", 1.0)
    lengths = np.exp(rng.uniform(np.log(low), np.log(high), count))
    directions = rng.uniform(0, 2 * np.pi, count) if direction_rad is None else np.full(count, direction_rad)
    frequency = 2 * np.pi / lengths[:, None] * np.column_stack((np.cos(directions), np.sin(directions)))
    return Waves(frequency, rng.uniform(0, 2 * np.pi, count), deviation_A * np.sqrt(2 / count))


@njit(cache=True, nogil=True)
def _add_up(along_x: NDArray[np.complex128], along_y: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Add up the real parts of products ``(y, x)`` in the order of the waves, so that blocks get the same bits."""
    height = np.zeros((along_y.shape[0], along_x.shape[0]))
    for y in range(height.shape[0]):
        for x in range(height.shape[1]):
            total = 0.0
            for wave in range(along_x.shape[1]):
                total += (along_x[x, wave] * along_y[y, wave]).real
            height[y, x] = total
    return height
