"""Detectability of a particle in one tilt: the signal-to-noise ratio d′ of an ideal linear observer.

An observer that knows the particle, its place and its orientation, and the power of the noise, tells it from noise
with ``d′² = Σ H² S / N`` over the coefficients of the spectrum: H the gain of a noiseless signal, S the particle's
own power, N that of everything else (Barrett & Myers, *Foundations of Image Science*, 2004, section 13.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.kernels.noise.spectra import ring_numbers
from faket_dask.kernels.similarity.signal_gain import SignalGain

_PADDING = 4
"""Extent of the spectrum's grid over that of a projection: a particle's low frequencies lie close together."""


@dataclass(frozen=True, eq=False)
class ParticleEnergy:
    """Energy of a particle's projections by ring, mean over orientations.

    Parameters
    ----------
    frequency
        ``(ring,)`` cycles per pixel.
    energy
        ``(ring,)`` sum over the coefficients of a ring; the sum over all rings is that of the squared pixels.
    area_px
        Pixels that the particle covers: those beyond a tenth of the largest value, mean over orientations.
    """

    frequency: NDArray[np.float64]
    energy: NDArray[np.float64]
    area_px: float


def measure_particle_energy(projections: NDArray[np.generic]) -> ParticleEnergy:
    """Measure the energy of a particle from its projections.

    Parameters
    ----------
    projections
        ``(orientation, y, x)`` of one particle without surroundings, zero at the rim, in the unit of noiseless tilts
        and with their pixels.

    Examples
    --------
    >>> projection = np.zeros((1, 8, 8)); projection[0, 4, 4] = 2
    >>> particle = measure_particle_energy(projection)
    >>> float(particle.energy.sum().round(3)), particle.area_px
    (4.0, 1.0)
    """
    images = np.asarray(projections, dtype=np.float64)
    shape = (_PADDING * images.shape[1], _PADDING * images.shape[2])
    rings = min(shape) // 2
    ring, count = ring_numbers(shape, rings)
    power = np.mean([np.abs(scipy.fft.rfft2(image, s=shape)) ** 2 for image in images], axis=0)
    energy = np.bincount(ring.ravel(), (power * count).ravel()) / (shape[0] * shape[1])
    peaks = np.abs(images).max(axis=(1, 2), keepdims=True)
    return ParticleEnergy(
        np.arange(energy.size) * 0.5 / rings,
        np.asarray(energy, dtype=np.float64),
        float(np.mean(np.sum(np.abs(images) > 0.1 * peaks, axis=(1, 2)))),
    )


def detectability(gain: SignalGain, particle: ParticleEnergy) -> float:
    """Return d′ of one particle in one tilt.

    Parameters
    ----------
    gain
        Gain and noise of the tilts.
    particle
        Energy of the particle.

    Examples
    --------
    >>> flat = SignalGain(np.array([0.25, 0.5]), np.ones(2), np.full(2, 4.0), np.ones(2), np.zeros(2))
    >>> detectability(flat, ParticleEnergy(np.array([0.25]), np.array([100.0]), 10.0))
    5.0
    """
    transfer, noise = gain.resample(particle.frequency)
    inside = (particle.frequency <= 0.5) & (noise > 0)
    ratio = transfer[inside] ** 2 * particle.energy[inside] / noise[inside]
    return float(np.sqrt(ratio.sum()))


def contrast_to_noise(gain: SignalGain, particle: ParticleEnergy) -> float:
    """Return the root mean square of a particle's image over its own area, in standard deviations of the noise.

    Parameters
    ----------
    gain
        Gain and noise of the tilts.
    particle
        Energy of the particle.

    Examples
    --------
    >>> flat = SignalGain(np.array([0.25, 0.5]), np.ones(2), np.full(2, 4.0), np.ones(2), np.zeros(2))
    >>> round(contrast_to_noise(flat, ParticleEnergy(np.array([0.25]), np.array([100.0]), 25.0)), 2)
    1.0
    """
    transfer, _ = gain.resample(particle.frequency)
    inside = particle.frequency <= 0.5
    energy = float(np.sum(transfer[inside] ** 2 * particle.energy[inside]))
    variance = float(
        np.average(gain.noise, weights=gain.frequency)
    )  # a ring's coefficients grow with its radius
    return float(np.sqrt(energy / max(particle.area_px, 1.0) / variance)) if variance > 0 else 0.0
