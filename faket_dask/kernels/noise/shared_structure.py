"""Spectrum of the matter that all tilts of a recording share, from the power that neighbouring tilts have in common.

Neighbouring tilts have in common what is in the specimen. Matter with the power spectrum P(k) in a slab of thickness T
gives a tilt at angle θ the power ``P(k) T / cos θ``; the microscope multiplies it by its transfer squared, and two
tilts some degrees apart have the share of it in common that `slab_coherence` gives. P(k) is fitted to the cross-power
of all pairs by least squares, over neighbouring rings together: where the transfer is zero, the rings around decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.noise.spectra import ring_frequencies
from faket_dask.kernels.similarity.slab_decorrelation import slab_coherence

_SMOOTHING = 0.1
"""Standard deviation of the weights of neighbouring rings, in natural logarithms of the frequency."""

_LEAST_DEVIATIONS = 2.0
"""Standard errors below which a power is taken for chance."""


@dataclass(frozen=True, eq=False)
class TiltPair:
    """Transfer of two tilts whose cross-power is measured.

    Parameters
    ----------
    first_angle, second_angle
        Tilt angles in degrees.
    squared_transfer
        ``(rings,)`` product of the factors by which both show a unit of projected matter.
    """

    first_angle: float
    second_angle: float
    squared_transfer: NDArray[np.float64]


def predict_common_power(power: NDArray[np.float64], depth: float, pair: TiltPair) -> NDArray[np.float64]:
    """Return the cross-power that two tilts of a random slab have.

    Parameters
    ----------
    power
        ``(rings,)`` power of the matter between 0 and 0.5 cycles per voxel.
    depth
        Thickness of the slab in voxels.
    pair
        Angles and transfer.

    Returns
    -------
    common
        ``(rings,)``; that of white noise is its variance.

    Examples
    --------
    >>> pair = TiltPair(0.0, 0.0, np.ones(2))
    >>> predict_common_power(np.array([2.0, 1.0]), 100, pair)
    array([200., 100.])
    """
    cosine = np.cos(np.deg2rad(0.5 * (pair.first_angle + pair.second_angle)))
    coherence = slab_coherence(ring_frequencies(power.size), depth, pair.first_angle, pair.second_angle)
    return power * pair.squared_transfer * coherence * depth / cosine


def fit_matter_power(
    common: NDArray[np.float64],
    standard_error: NDArray[np.float64],
    number: NDArray[np.float64],
    depth: float,
    pairs: list[TiltPair],
) -> NDArray[np.float64]:
    """Fit the power spectrum of the matter in a slab to the mean cross-power of pairs of tilts.

    Parameters
    ----------
    common, standard_error
        ``(rings,)`` mean cross-power of the pairs and its error, as of `measure_common_power`.
    number
        ``(rings,)`` coefficients in each ring, the weights of the rings.
    depth
        Thickness of the slab in voxels.
    pairs
        Angles and transfer of the pairs.

    Returns
    -------
    power
        ``(rings,)``; 0 where it does not differ from 0 by more than chance, and at the lowest frequencies that of the
        first ring that does.
    """
    unit = np.ones(common.size)
    model = np.mean([predict_common_power(unit, depth, pair) for pair in pairs], axis=0)
    logarithm = np.log(ring_frequencies(common.size))
    near = np.exp(-0.5 * ((logarithm[:, None] - logarithm) / _SMOOTHING) ** 2) * number
    power = near @ (common * model) / (near @ model**2)
    deviation = np.sqrt(near**2 @ (standard_error * model) ** 2) / (near @ model**2)
    significant = power > _LEAST_DEVIATIONS * deviation
    if not significant.any():
        return np.zeros(power.size)
    first = int(np.argmax(significant))
    # Waves of the shape of the ice are taken off tilts before they are compared.
    return np.where(significant, power, np.where(np.arange(power.size) < first, power[first], 0.0))
