"""Noiseless projections turned into noisy ones with the statistics of a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.moments import match_moments
from faket_dask.kernels.noise import NoiseCurves, add_noise
from faket_dask.methods.arrays import TiltArrays, blend_arrays
from faket_dask.methods.noise import NoiseModel, SignalSpectrum


@dataclass(frozen=True)
class TiltStatistics:
    """Noise statistics at one tilt.

    Parameters
    ----------
    signal_scale, noise_scale
        Strengths of signal and noise in the standardised tilt.
    mean, std
        Moments of the tilt, in the unit of the reference.
    """

    signal_scale: float
    noise_scale: float
    mean: float
    std: float


def select_statistics(curves: NoiseCurves, tilt: int) -> TiltStatistics:
    """Return the statistics of one tilt of a series' curves.

    Examples
    --------
    >>> curves = NoiseCurves(*np.array([[0.5, 0.6], [0.8, 0.7], [0.0, 1.0], [1.0, 2.0]]))
    >>> select_statistics(curves, 1)
    TiltStatistics(signal_scale=0.6, noise_scale=0.7, mean=1.0, std=2.0)
    """
    per_tilt = (curves.signal_scale, curves.noise_scale, curves.mean, curves.std)
    return TiltStatistics(*(float(values[tilt]) for values in per_tilt))


def shape_noise(
    model: NoiseModel,
    white: NDArray[np.float32],
    *,
    tilt_angle: float,
    reference: Sequence[tuple[TiltArrays, float]],
    signal: SignalSpectrum | None,
) -> NDArray[np.float32]:
    """Return the noise field of a tilt, ``(y, x)``, by a model.

    Parameters
    ----------
    model
        Noise model.
    white
        ``(y, x)`` standard normal draw of this tilt.
    tilt_angle
        Angle of the tilt in degrees.
    reference
        Estimates of the reference tilts that stand for this angle, each with its weight; the weights add up to 1.
        Empty for a model that does not study references.
    signal
        Power of the signal in this tilt, for a model that studies references.
    """
    estimates = blend_arrays(reference) if reference else {}
    return model.field(white, tilt_angle=tilt_angle, reference=estimates, signal=signal)


def synthesise(
    *,
    noiseless: NDArray[np.float32],
    statistics: TiltStatistics,
    field: NDArray[np.float32],
    level: float = 1.0,
) -> NDArray[np.float32]:
    """Return a tilt with noise added and the reference's mean and standard deviation.

    Parameters
    ----------
    noiseless
        ``(y, x)`` projection.
    statistics
        Noise statistics of the reference at this tilt.
    field
        ``(y, x)`` noise of mean 0 and standard deviation 1, the same for every modality of this tilt.
    level
        Part of the noise level: 1 gives `noisy`, 0.25 the published `content`.
    """
    tilt = add_noise(noiseless, statistics.signal_scale, level * statistics.noise_scale, field)
    return match_moments(tilt, statistics.mean, statistics.std)
