"""Loss of detail by radiation damage.

Source: Grant & Grigorieff, eLife 4, e06980 (2015).
"""

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.frequency_grid import frequency_grid


def critical_exposure(frequency: NDArray[np.float64], voltage_kV: float) -> NDArray[np.float64]:
    """Return the exposure at which a spatial frequency's signal has fallen to ``exp(−1/2)``.

    Parameters
    ----------
    frequency
        Any shape, 1/Å.
    voltage_kV
        Acceleration voltage; the factor is 1 at 300 kV, 0.8 at 200 kV, and linear between the two.

    Returns
    -------
    exposure
        Same shape, electrons per Å²: ``0.245 k^−1.665 + 2.81``; infinite at zero frequency.
    """
    with np.errstate(divide="ignore"):
        exposure = 0.245 * np.power(frequency, -1.665) + 2.81
    return exposure * np.interp(voltage_kV, (200.0, 300.0), (0.8, 1.0))


def damage_curve(
    frequency: NDArray[np.float64], voltage_kV: float, exposure_before: float, dose: float
) -> NDArray[np.float64]:
    """Return the share of a spatial frequency's signal that is left, averaged over one exposure.

    Parameters
    ----------
    frequency
        Any shape, 1/Å.
    voltage_kV
        Acceleration voltage.
    exposure_before, dose
        Electrons per Å² before and during the exposure.

    Returns
    -------
    share
        Same shape, in [0, 1]: the mean of ``exp(−N / 2 N_c(k))`` over N during the exposure.
    """
    rate = 0.5 / critical_exposure(frequency, voltage_kV)
    spent = rate * dose
    # (1 − exp(−s)) / s, and its limit where nothing is spent.
    mean = np.where(spent > 1e-9, -np.expm1(-spent) / np.maximum(spent, 1e-9), 1.0)
    return np.exp(-rate * exposure_before) * mean


def damage_envelope(
    shape: tuple[int, int], pixel_size_A: float, voltage_kV: float, exposure_before: float, dose: float
) -> NDArray[np.float64]:
    """Return the share of the signal that is left, averaged over one exposure.

    Parameters
    ----------
    shape
        Image shape ``(y, x)``.
    pixel_size_A
        Pixel edge in Å.
    voltage_kV
        Acceleration voltage.
    exposure_before, dose
        Electrons per Å² before and during the exposure.

    Returns
    -------
    envelope
        ``(y, x)``, unshifted, of `damage_curve`.
    """
    ky, kx = frequency_grid(shape, pixel_size_A)
    return damage_curve(np.hypot(kx, ky), voltage_kV, exposure_before, dose)
