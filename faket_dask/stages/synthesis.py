"""Noiseless projections turned into noisy ones with the statistics of a reference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.moments import match_moments
from faket_dask.kernels.noise import NoiseCurves, add_noise
from faket_dask.kernels.noise.spectral import anisotropy, noise_power, shaped_field
from faket_dask.kernels.noise.unpaired import fill_artefacts, ring_power


@dataclass(frozen=True)
class TiltStatistics:
    """Noise statistics at one tilt: signal and noise scale (of standardised images), mean and std."""

    signal_scale: float
    noise_scale: float
    mean: float
    std: float


def select_statistics(curves: NoiseCurves, tilt: int) -> TiltStatistics:
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


@dataclass(frozen=True, eq=False)
class RecordedSpectrum:
    """Spectrum of a recorded tilt: power in rings of equal frequency, and how it departs from them by direction."""

    power: NDArray[np.float64]
    directions: NDArray[np.float64]


def measure_spectrum(
    tilt: NDArray[np.float32], rings: int, valid_mask: NDArray[np.bool_] | None = None
) -> tuple[RecordedSpectrum, NDArray[np.float64], tuple[float, float]]:
    """Spectrum of a recorded tilt, ``(y, x)``, as if it had no artefacts: as found, or where it is not valid_mask.

    Returns
    -------
    spectrum
        Of its noise and signal together.
    ring_power
        ``(2, rings)`` power off and on the axes, which unpaired statistics are taken from.
    moments
        Mean and standard deviation of the pixels that are no artefacts.
    """
    clean, moments = fill_artefacts(tilt, valid_mask)
    power = ring_power(clean, rings)
    return RecordedSpectrum(power[0], anisotropy(clean)), power, moments


def blend_spectra(parts: Sequence[tuple[float, RecordedSpectrum]]) -> RecordedSpectrum:
    """Spectrum of a mixture of recorded tilts with shares that add up to 1."""
    return RecordedSpectrum(
        np.sum([share * part.power for share, part in parts], axis=0),
        np.sum([share * part.directions for share, part in parts], axis=0),
    )


def spectral_field(
    white: NDArray[np.float32],
    spectrum: RecordedSpectrum,
    signal: NDArray[np.float64],
    signal_scale: float,
) -> NDArray[np.float32]:
    """The field of a tilt, ``(y, x)``, with the spectrum that the noise of its reference has.

    Parameters
    ----------
    white
        ``(y, x)`` standard normal draw of this tilt.
    spectrum
        Of the reference at this tilt.
    signal
        ``(rings,)`` power of the noiseless tilt, in the rings of the reference's.
    signal_scale
        How much of it the reference has.
    """
    return shaped_field(white, noise_power(spectrum.power, signal, signal_scale), spectrum.directions)
