"""Strengths of signal and noise where the signal per volt is known.

The signal of a synthetic tilt is as strong as physics says, whatever the specimen's variance; the noise has the power
of the recorded tilt less that of the signal, ring by ring. Where the signal alone has more than the recording, the
tilt's variance is larger than the recording's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels._checks import as_angles
from faket_dask.kernels.detector import Detector
from faket_dask.kernels.noise.spectra import ring_means
from faket_dask.kernels.noise.spectral import lowest_ring, ring_shares, subtract_signal


@dataclass(frozen=True, eq=False)
class SignalMoments:
    """Signal of a noiseless tilt through the microscope.

    Parameters
    ----------
    std
        Standard deviation, in volts times voxels.
    variance
        Variance without beads, relative to that with them.
    power
        ``(rings,)`` power without beads, off the axes of the spectrum, in units of the variance with beads.
    """

    std: float
    variance: float
    power: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PhysicalScales:
    """Strengths of signal and noise in a synthetic tilt.

    Parameters
    ----------
    signal_scale, noise_scale
        Weights of the standardised signal and of the noise field, as in `NoiseCurves`; without beads, signal and noise
        have a variance of 1 together.
    std
        Standard deviation of the tilt with its beads, in the unit of the recording.
    explained
        ``(rings,)`` power of the recorded tilt that is no noise, as `noise_power` takes that of a signal of scale 1.
    excess
        Variance that the signal alone has over the recording's, ring by ring, relative to the recording's.
    """

    signal_scale: float
    noise_scale: float
    std: float
    explained: NDArray[np.float64]
    excess: float


def find_physical_scales(
    recorded: NDArray[np.float64],
    std: float,
    signal: SignalMoments,
    gain: float,
    matter: NDArray[np.float64] | None = None,
) -> PhysicalScales:
    """Find the strengths of signal and noise in a tilt.

    Parameters
    ----------
    recorded
        ``(rings,)`` power of the standardised recorded tilt without artefacts, off the axes of its spectrum.
    std
        Standard deviation of the recorded tilt.
    signal
        Signal through the microscope.
    gain
        Change of the recorded tilt per volt and voxel of the signal: its intensity times `relative_contrast`.
    matter
        ``(rings,)`` power of the recorded specimen's signal, in (V voxel)², where it is known; otherwise the recorded
        specimen is taken to have that of `signal`.

    Examples
    --------
    >>> signal = SignalMoments(std=20.0, variance=1.0, power=np.ones(64))
    >>> scales = find_physical_scales(np.ones(64), std=5.0, signal=signal, gain=0.125)
    >>> scales.signal_scale, round(scales.noise_scale, 3), scales.std, scales.excess
    (0.5, 0.866, 5.0, 0.0)
    """
    share = ring_shares(recorded.size)
    lowest = lowest_ring(recorded.size)
    total, own = std**2 * recorded, (gain * signal.std) ** 2 * signal.power
    explained = own if matter is None else gain**2 * matter
    noise = float(share @ subtract_signal(total, explained))
    bare = noise + (gain * signal.std) ** 2 * signal.variance
    scales = gain * signal.std / np.sqrt(bare), np.sqrt(noise / bare)
    variance = float(share[lowest:] @ total[lowest:] + share[:lowest] @ explained[:lowest])
    above = np.maximum(own - total, 0)[lowest:]
    return PhysicalScales(
        float(scales[0]),
        float(scales[1]),
        float(np.sqrt(bare) * np.hypot(*scales)),
        explained / variance,
        float(share[lowest:] @ above / (share @ total)),
    )


def count_intensity(
    power: NDArray[np.float64], pixel_size_A: float, detector: Detector, electrons: float
) -> float:
    """Return the intensity at which a tilt's finest noise is that of counted electrons.

    Counting n electrons in a pixel leaves a relative noise power of ``MTF² / (n DQE)``. The highest fifth of the
    frequencies counts, where specimens have next to no power. Whatever else is noise there, and what a resampling took
    from it, is a mistake of the intensity by half as much.

    Parameters
    ----------
    power
        ``(rings,)`` power of the tilt between 0 and 0.5 cycles per pixel in its unit squared; that of white noise is
        its variance.
    pixel_size_A
        Pixel edge in Å.
    detector
        Detector that counted them.
    electrons
        Electrons that reached a pixel.

    Examples
    --------
    >>> perfect = Detector(None, 1.0, 1.0, 1.0)
    >>> round(count_intensity(np.full(64, 4.0), 10.0, perfect, 100.0), 6)
    20.0
    """
    rings = power.size
    finest = slice(int(0.8 * rings), rings)
    shape = (2 * rings, 2 * rings)
    modulation, efficiency = (
        ring_means(transfer[:, : rings + 1], shape, rings)[finest].mean()
        for transfer in (
            detector.modulation_transfer(shape, pixel_size_A) ** 2,
            detector.quantum_efficiency(shape, pixel_size_A),
        )
    )
    return float(np.sqrt(power[finest].mean() * electrons * efficiency / modulation))


def find_normalisation(
    means: Sequence[float], deviations: Sequence[float], tilt_angles: ArrayLike
) -> str | None:
    """Return why tilts cannot be intensities: their means are lost, or do not fall with the tilt.

    Parameters
    ----------
    means, deviations
        Mean and standard deviation of each tilt.
    tilt_angles
        ``(tilt,)`` degrees.

    Returns
    -------
    reason
        Clause for a message; ``None`` where the tilts may be intensities.

    Examples
    --------
    >>> find_normalisation([0.0, 0.1], [1.0, 1.0], [0.0, 60.0])
    'the mean of the tilt at 0° is 0 and its standard deviation 1'
    >>> find_normalisation([100.0, 100.0], [9.0, 9.0], [0.0, 60.0])
    'the mean is the same at 0° and 60°'
    >>> find_normalisation([100.0, 60.0], [9.0, 7.0], [0.0, 60.0]) is None
    True
    """
    angles = as_angles(tilt_angles, len(means))
    for mean, deviation, angle in zip(means, deviations, angles, strict=True):
        if mean <= deviation:
            return (
                f"the mean of the tilt at {angle:g}° is {mean:.3g} and its standard deviation {deviation:.3g}"
            )
    least, most = int(np.argmin(np.abs(angles))), int(np.argmax(np.abs(angles)))
    longer = 1 / np.cos(np.deg2rad(angles[most])) - 1 / np.cos(np.deg2rad(angles[least]))
    if longer > 0.3 and abs(means[most] / means[least] - 1) < 0.01 * longer:
        return f"the mean is the same at {angles[least]:g}° and {angles[most]:g}°"
    return None


def estimate_relative_thickness(intensity: ArrayLike, tilt_angles: ArrayLike) -> float:
    """Estimate how many mean free paths of inelastic scattering the ice is thick, from the fall of the intensity.

    With an energy filter the intensity falls as ``exp(-t / (Λ cos θ))`` with the tilt (Rice et al., J. Struct. Biol.
    204, 38, 2018).

    Parameters
    ----------
    intensity
        ``(tilt,)`` mean of each tilt over its exposure, positive.
    tilt_angles
        ``(tilt,)`` degrees.

    Returns
    -------
    thickness
        ``t / Λ``; 0 where the intensity does not fall, or all tilts have one angle.

    Examples
    --------
    >>> angles = np.array([-60.0, 0.0, 60.0])
    >>> round(estimate_relative_thickness(np.exp(-0.9 / np.cos(np.deg2rad(angles))), angles), 2)
    0.9
    """
    values = np.asarray(intensity, dtype=np.float64)
    path = 1 / np.cos(np.deg2rad(as_angles(tilt_angles, values.size)))
    if not (values > 0).all():
        raise ValueError("intensities must be positive")
    if np.ptp(path) < 1e-3:
        return 0.0
    slope = np.polyfit(path, np.log(values), 1)[0]
    return max(0.0, -float(slope))
