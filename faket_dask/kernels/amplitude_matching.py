"""Simulated images with the Fourier amplitudes of recorded ones, ring by ring.

Source: Gubins et al., *SHREC 2021* (2021), where the amplitudes of simulated tilts were scaled to those of a recording
after the electrons had been counted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.moments import match_moments
from faket_dask.kernels.noise.spectral import shaped_field


def match_amplitudes(
    image: NDArray[np.floating],
    own_power: NDArray[np.float64],
    recorded_power: NDArray[np.float64],
    mean: float,
    deviation: float,
) -> NDArray[np.float32]:
    """Return an image with the amplitudes of another, its own phases, and a mean and standard deviation.

    Parameters
    ----------
    image
        ``(y, x)`` image.
    own_power, recorded_power
        ``(rings,)`` power of the image and of the other between 0 and 0.5 cycles per pixel, each standardised; the
        corners beyond have the last.
    mean, deviation
        Mean and standard deviation of the result.

    Raises
    ------
    ValueError
        If the powers differ in their rings, or one is not positive.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(size=(32, 32))
    >>> matched = match_amplitudes(image, np.ones(4), np.array([4.0, 2.0, 1.0, 0.5]), 10.0, 3.0)
    >>> round(float(matched.mean()), 3), round(float(matched.std()), 3)
    (10.0, 3.0)
    """
    if own_power.shape != recorded_power.shape or not (own_power > 0).all() or not (recorded_power > 0).all():
        raise ValueError("amplitudes are matched by the positive powers of equally many rings")
    return match_moments(shaped_field(image, recorded_power / own_power), mean, deviation)
