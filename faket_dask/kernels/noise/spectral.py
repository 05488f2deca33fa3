"""Noise with the power spectrum of a recorded tilt's noise.

FakET starts from white noise; that of a recorded tilt is shaped by the contrast transfer of ice and specimen,
the detector, and the processing of its frames. Its spectrum is that of the tilt less the specimen's part,
kept as means over rings of equal frequency and, where it differs with the direction
(astigmatism, drift), as a coarse map of how it departs from them. White noise filtered to that spectrum is the
field that `faket_dask.kernels.noise.add_noise` takes.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from faket_dask.kernels.moments import standardise
from faket_dask.kernels.noise.spectra import power
from faket_dask.kernels.noise.unpaired import LOWEST_FREQUENCY

CELLS = (32, 17)
"""Cells of the map of directions: rows of the frequency along y from -0.5 to 0.5, columns along x from 0 to 0.5."""

_LEAST_SHARE = 0.1
"""Smallest share of a ring's power that counts as noise, however much signal it holds."""


def anisotropy(tilt: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the ratio of a recorded tilt's power to its mean over all directions, by direction.

    Parameters
    ----------
    tilt
        ``(y, x)`` in any unit, without artefacts.

    Returns
    -------
    directions
        `CELLS` ratios, 1 for an isotropic tilt. A ratio is drawn towards 1 by as much as chance explains (James and
        Stein's shrinkage), since a small tilt has few coefficients in a direction.
    """
    spectrum = power(tilt)
    shape = (np.shape(tilt)[0], np.shape(tilt)[1])
    y, x = _frequencies(shape)
    radius = np.hypot(y, x)
    rings = min(shape) // 2
    ring = np.floor(radius * 2 * rings + 0.5).astype(int)
    # Gradients fill the axes; the lowest frequencies have no direction that would be the noise's.
    used = (radius >= LOWEST_FREQUENCY) & (np.broadcast_to(y, radius.shape) != 0) & (x != 0)
    number = np.bincount(ring[used], minlength=ring.max() + 1)
    mean = np.bincount(ring[used], spectrum[used], minlength=ring.max() + 1) / np.maximum(number, 1)
    ratio = spectrum[used] / np.maximum(mean[ring[used]], 1e-300)
    row, column = _cell(y, x)
    cell = (np.round(row) % CELLS[0] * CELLS[1] + np.round(column)).astype(int)[used]
    size = CELLS[0] * CELLS[1]
    count = np.bincount(cell, minlength=size)
    departure = np.bincount(cell, ratio - 1, minlength=size) / np.maximum(count, 1)
    chance = 1 / np.maximum(count, 1)  # variance of a mean of exponentially distributed ratios
    kept = np.maximum(0, 1 - chance / np.maximum(departure**2, 1e-12))
    return (1 + departure * kept).reshape(CELLS)


def noise_power(
    recorded: NDArray[np.float64], signal: NDArray[np.float64], signal_scale: float
) -> NDArray[np.float64]:
    """Return the power of the noise in a recorded tilt, ring by ring.

    Parameters
    ----------
    recorded
        ``(rings,)`` power of the recorded tilt between 0 and 0.5 cycles per pixel, in any unit.
    signal
        ``(rings,)`` power of a standardised noiseless tilt.
    signal_scale
        Strength of that signal in the recorded tilt, as in `NoiseCurves`.

    Returns
    -------
    noise
        ``(rings,)`` in units of the variance of the tilt; below the frequencies of particles, where a recorded tilt
        shows the shape of the ice, the level of the lowest rings above them.
    """
    recorded = recorded / _variance(recorded, signal, signal_scale, lowest_ring(recorded.size))
    return subtract_signal(recorded, signal_scale**2 * signal)


def lowest_ring(rings: int) -> int:
    """Return the first ring of the frequencies of particles; those below show the shape of the ice.

    Examples
    --------
    >>> lowest_ring(64)
    1
    """
    return int(np.ceil(LOWEST_FREQUENCY * 2 * rings)) - 1


def subtract_signal(recorded: NDArray[np.float64], signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the power ``(rings,)`` of noise: what a signal leaves of a recorded tilt's, a tenth at least.

    Parameters
    ----------
    recorded, signal
        ``(rings,)`` powers in one unit.

    Returns
    -------
    noise
        Below the frequencies of particles, the level of the lowest rings above them.
    """
    lowest = lowest_ring(recorded.size)
    left = np.maximum(recorded - signal, _LEAST_SHARE * recorded)
    # A few rings together, since the lowest hold few coefficients.
    left[:lowest] = left[lowest : lowest + 3].mean()
    return left


def _variance(
    recorded: NDArray[np.float64], signal: NDArray[np.float64], signal_scale: float, lowest: int
) -> float:
    """Return the variance of signal and noise in a recorded tilt, which the signal's scale is a share of.

    A ramp may have most of the tilt's variance. It fills the lowest rings, and the signal's part in them follows from
    the others.
    """
    share = ring_shares(recorded.size)
    low = signal_scale**2 * float(share[:lowest] @ signal[:lowest])
    return float(share[lowest:] @ recorded[lowest:]) / max(1 - low, _LEAST_SHARE) or 1.0


def ring_shares(rings: int) -> NDArray[np.float64]:
    """Return the share, ``(rings,)``, of a square image's coefficients in each ring; the last has the corners too.

    Examples
    --------
    >>> ring_shares(2).round(2)
    array([0.26, 0.74])
    """
    number = np.arange(1, rings + 1)
    share = np.pi / 4 * number / number.sum()
    share[-1] += 1 - np.pi / 4
    return share


def shaped_field(
    white: NDArray[np.floating],
    noise: NDArray[np.float64],
    directions: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Return white noise filtered to a spectrum.

    Parameters
    ----------
    white
        ``(y, x)`` standard normal draw.
    noise
        ``(rings,)`` power between 0 and 0.5 cycles per pixel, of any scale; the corners beyond have the last.
    directions
        `CELLS` ratios from `anisotropy`; isotropic if not given.

    Returns
    -------
    field
        ``(y, x)`` float32 of mean 0 and standard deviation 1.

    Raises
    ------
    ValueError
        If the power is not finite, negative, or zero everywhere.

    Examples
    --------
    >>> white = np.random.default_rng(0).normal(size=(64, 64))
    >>> field = shaped_field(white, np.array([1.0, 0.5, 0.1]))
    >>> field.shape, round(float(field.std()), 3)
    ((64, 64), 1.0)
    """
    if not (np.isfinite(noise).all() and (noise >= 0).all() and noise.any()):
        raise ValueError("the power of the noise must be finite, not negative, and not zero everywhere")
    y, x = _frequencies((white.shape[0], white.shape[1]))
    centres = np.arange(1, noise.size + 1) * 0.5 / noise.size
    gain = np.interp(np.hypot(y, x), centres, noise)
    if directions is not None:
        row, column = np.broadcast_arrays(*_cell(y, x))
        # Rows go round: the highest frequency along y is both the first and the last.
        gain *= scipy.ndimage.map_coordinates(directions, [row, column], order=1, mode="grid-wrap")
    shaped = scipy.fft.irfft2(scipy.fft.rfft2(white) * np.sqrt(gain), s=white.shape)
    return standardise(shaped)


def _frequencies(shape: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the cycles per pixel of a half spectrum, along y as a column and along x as a row."""
    return scipy.fft.fftfreq(shape[0])[:, None], scipy.fft.rfftfreq(shape[1])[None, :]


def _cell(y: NDArray[np.float64], x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return places in the map of directions."""
    return (y + 0.5) * CELLS[0], x * 2 * (CELLS[1] - 1)
