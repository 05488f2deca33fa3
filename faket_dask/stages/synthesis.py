"""Noiseless projections turned into noisy ones with the statistics of a reference."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.moments import match_moments
from faket_dask.kernels.noise import NoiseCurves, add_noise


@dataclass(frozen=True)
class TiltStatistics:
    """Noise statistics at one tilt: signal and noise scale (of standardised images), mean and std."""

    signal_scale: float
    noise_scale: float
    mean: float
    std: float


def at_tilt(curves: NoiseCurves, tilt: int) -> TiltStatistics:
    """The statistics of one tilt of a series' curves."""
    return TiltStatistics(
        *(
            float(values[tilt])
            for values in (curves.signal_scale, curves.noise_scale, curves.mean, curves.std)
        )
    )


def synthesise(
    noiseless: NDArray[np.float32], statistics: TiltStatistics, field: NDArray[np.float32], level: float = 1.0
) -> NDArray[np.float32]:
    """A tilt with noise added and the reference's mean and standard deviation.

    Parameters
    ----------
    noiseless
        ``(y, x)`` projection.
    statistics
        Of the reference at this tilt.
    field
        ``(y, x)`` standard normal draw, the same for every modality of this tilt.
    level
        Part of the noise level: 1 gives `noisy`, 0.25 the published `content`.
    """
    tilt = add_noise(noiseless, statistics.signal_scale, level * statistics.noise_scale, field)
    return match_moments(tilt, statistics.mean, statistics.std)
