"""Strengths of signal and noise where the signal per volt is known.

The signal of a synthetic tilt is as strong as physics says, whatever the specimen's variance; the noise has the power
of the recorded tilt less that of the signal, ring by ring. Where the signal alone has more than the recording, the
tilt's variance is larger than the recording's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels._checks import as_angles
from faket_dask.kernels.noise.spectral import LEAST_SHARE, ring_shares
from faket_dask.kernels.noise.unpaired import LOWEST_FREQUENCY


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


@dataclass(frozen=True)
class PhysicalScales:
    """Strengths of signal and noise in a synthetic tilt.

    Parameters
    ----------
    signal_scale, noise_scale
        Weights of the standardised signal and of the noise field, as in `NoiseCurves`; without beads, signal and noise
        have a variance of 1 together.
    std
        Standard deviation of the tilt with its beads, in the unit of the recording.
    excess
        Variance that the signal alone has over the recording's, ring by ring, relative to the recording's.
    """

    signal_scale: float
    noise_scale: float
    std: float
    excess: float


def find_physical_scales(
    recorded: NDArray[np.float64], std: float, signal: SignalMoments, gain: float
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

    Examples
    --------
    >>> signal = SignalMoments(std=20.0, variance=1.0, power=np.ones(64))
    >>> scales = find_physical_scales(np.ones(64), std=5.0, signal=signal, gain=0.125)
    >>> scales.signal_scale, round(scales.noise_scale, 3), scales.std, scales.excess
    (0.5, 0.866, 5.0, 0.0)
    """
    share = ring_shares(recorded.size)
    lowest = int(np.ceil(LOWEST_FREQUENCY * 2 * recorded.size)) - 1
    total, own = std**2 * recorded, (gain * signal.std) ** 2 * signal.power
    left = np.maximum(total - own, LEAST_SHARE * total)
    # As `noise_power` has it: the lowest rings show the shape of the ice.
    left[:lowest] = left[lowest : lowest + 3].mean()
    noise = float(share @ left)
    bare = noise + (gain * signal.std) ** 2 * signal.variance
    scales = gain * signal.std / np.sqrt(bare), np.sqrt(noise / bare)
    above = np.maximum(own - total, 0)[lowest:]
    return PhysicalScales(
        float(scales[0]),
        float(scales[1]),
        float(np.sqrt(bare) * np.hypot(*scales)),
        float(share[lowest:] @ above / (share @ total)),
    )


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
