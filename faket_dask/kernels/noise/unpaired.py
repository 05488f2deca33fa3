"""Strengths of signal and noise in a recorded tilt-series, which has no noiseless counterpart.

The power of the signal is spread over spatial frequencies as in noiseless projections of a similar specimen, S(k), at
the same angle and pixel size. Noise is white but for the detector's transfer
function, W(k). The spectrum of a recorded tilt is fitted with `a S(k) + b W(k)`, neither weight negative, over
rings of equal frequency; the square roots of the two parts of the variance are the scales that
`faket_dask.kernels.noise.paired.noise_curves` measures where clean tilts are known.

A recorded tilt holds more than specimen and noise. Beads and bad pixels are replaced by their surroundings
before anything is measured. Waves longer than 64 pixels (the ramp of the ice, the shade of a hole's edge) are
left out. A difference between opposite borders, as of any gradient, fills the two axes of the spectrum and nothing
else: rings are averaged with and without their pixels on the axes, and those are left out where they
hold more than their share.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.optimize
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels.artefacts import artefact_mask, fill
from faket_dask.kernels.noise.curves import NoiseCurves
from faket_dask.kernels.noise.spectra import power, ring_frequencies, ring_numbers

LOWEST_FREQUENCY = 1 / 64
"""Cycles per pixel; below, a recorded tilt shows ice and holes rather than particles."""

_NOISE_BAND = 0.8
"""Share of the highest recorded frequency above which a spectrum counts as noise, whose slope is the detector's."""

_KEPT = 0.6
"""Share of the Nyquist frequency up to which a spectrum survives a spline to smaller pixels, but for a tenth."""

_AXIS_EXCESS = 1.5
"""Power on the axes of a spectrum over that expected from the rest, from which on they are left out. Below, the pixels
on them do more good than harm: at low frequencies they are half of a small image's rings."""

_AXIS_REACH = 0.25
"""Frequency up to which a gradient can be told from noise."""

_ROUNDS = 50
_SLOPE_ROUNDS = 3
_LOW_AND_HIGH = (0.1, 0.4)
_LEAST_EXCESS = 5.0
"""Smallest power of a signal at low over that at high frequencies: ice alone has 1.5, proteins have thousands."""


def unpaired_noise_curves(
    reference: NDArray[np.generic],
    reference_angles: ArrayLike,
    noiseless: NDArray[np.generic],
    noiseless_angles: ArrayLike,
) -> NoiseCurves:
    """Estimate signal and noise scales of a recorded series from the spectra of noiseless projections.

    Parameters
    ----------
    reference
        ``(tilt, y, x)`` recorded series, in any unit.
    reference_angles
        ``(tilt,)`` degrees.
    noiseless
        ``(projection, y, x)`` noiseless projections of a similar specimen at the same pixel size; number and size
        may differ from the reference's.
    noiseless_angles
        ``(projection,)`` degrees, in any order. Spectra at one angle are averaged; between angles they are
        interpolated linearly, beyond them the outermost holds.

    Returns
    -------
    curves
        Curves at `reference_angles`, with ``signal_scale² + noise_scale² = 1``; mean and standard deviation are those
        of each tilt without its artefacts.

    Raises
    ------
    ValueError
        If stacks and angles do not fit each other, a tilt is smaller than 16 pixels, holds NaN or infinity, or
        a recorded tilt is constant.
    """
    reference, noiseless = np.asarray(reference), np.asarray(noiseless)
    angles = _check_stack("reference", reference, reference_angles)
    projected = _check_stack("noiseless", noiseless, noiseless_angles)
    rings = min(*reference.shape[1:], *noiseless.shape[1:]) // 2
    signal = np.stack([ring_power(tilt, rings) for tilt in noiseless])
    spectra = np.empty((angles.size, 2, rings))
    moments = np.empty((2, angles.size))
    for index, tilt in enumerate(reference):
        try:
            filled, moments[:, index] = fill_artefacts(tilt)
        except ValueError as error:
            raise ValueError(f"tilt {index} of the reference: {error}") from error
        spectra[index] = ring_power(filled, rings)
    shape = (reference.shape[1], reference.shape[2])
    return NoiseCurves(*fit_spectral_scales(spectra, angles, shape, signal, projected), *moments)


def fill_artefacts(
    tilt: NDArray[np.generic], valid_mask: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Return a recorded tilt with its artefacts replaced by their surroundings.

    Parameters
    ----------
    tilt
        ``(y, x)`` in any unit.
    valid_mask
        ``(y, x)``, false for its artefacts; by default they are looked for.

    Returns
    -------
    filled
        ``(y, x)`` float64.
    moments
        Mean and standard deviation of the other pixels.

    Raises
    ------
    ValueError
        If the tilt is not finite, or constant.
    """
    mask = artefact_mask(tilt) if valid_mask is None else ~valid_mask
    values = np.asarray(tilt)[~mask].astype(np.float64)
    if values.size == 0 or values.min() == values.max():
        raise ValueError("it is constant: it has neither signal nor noise")
    return fill(tilt, mask), (float(values.mean()), float(values.std()))


def ring_power(image: NDArray[np.generic], rings: int) -> NDArray[np.float64]:
    """Return the ``(2, rings)`` mean power of the standardised image, off the axes of the spectrum and on them."""
    spectrum = power(image)
    shape = (np.shape(image)[0], np.shape(image)[1])
    ring, counts = _ring_counts(shape, rings)
    means = np.empty((2, rings))
    for part, count in enumerate(counts):
        total = np.bincount(ring, (spectrum * count).ravel(), minlength=rings + 2)[1 : rings + 1]
        number = np.bincount(ring, count.ravel(), minlength=rings + 2)[1 : rings + 1]
        means[part] = total / np.maximum(number, 1)
    return means


def signal_is_distinct(signal: NDArray[np.float64]) -> bool:
    """Tell whether the spectra of projections differ enough from that of noise for their strength to be measurable.

    Parameters
    ----------
    signal
        ``(projection, 2, rings)`` of noiseless projections, from `ring_power`.
    """
    frequency = ring_frequencies(signal.shape[2])
    low = (frequency >= LOWEST_FREQUENCY) & (frequency <= _LOW_AND_HIGH[0])
    high = frequency >= _LOW_AND_HIGH[1]
    return bool(signal[:, 0, low].mean() > _LEAST_EXCESS * signal[:, 0, high].mean())


def fit_spectral_scales(
    spectra: NDArray[np.float64],
    tilt_angles: NDArray[np.float64],
    shape: tuple[int, int],
    signal: NDArray[np.float64],
    signal_angles: NDArray[np.float64],
    signal_variance: NDArray[np.float64] | None = None,
    nyquist: float = 0.5,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit signal and noise scales to ring spectra.

    Parameters
    ----------
    spectra
        ``(tilt, 2, rings)`` of recorded tilts without artefacts, from `ring_power`.
    tilt_angles
        ``(tilt,)`` degrees.
    shape
        ``(y, x)`` pixels of the recorded tilts.
    signal
        ``(projection, 2, rings)`` of noiseless projections, from `ring_power`.
    signal_angles
        ``(projection,)`` degrees.
    signal_variance
        ``(projection,)`` mean power of the projections over all coefficients: 1 (the default) for standardised ones,
        less where beads were taken out of them afterwards, as artefacts are of recorded tilts.
    nyquist
        Cycles per pixel up to which the tilts were recorded: less than 0.5 where they were resampled to smaller pixels,
        which have no noise beyond.

    Returns
    -------
    signal_scale, noise_scale
        ``(tilt,)`` each. Signal and noise of a tilt without beads have a variance of 1 together: the squares add up to
        1 where the projections have none either.
    """
    rings = spectra.shape[2]
    frequency = ring_frequencies(rings)
    number = _count_coefficients(shape, rings)
    expected = _interpolate(signal, signal_angles, tilt_angles)
    # The detector's slope is seen best in all tilts together, and better once it is known how much signal there is.
    # Where it is seen first there is little: taken for white at first, steep noise would be taken for signal.
    recorded_rings = frequency <= (nyquist if nyquist == 0.5 else _KEPT * nyquist)
    spectra, expected = spectra[:, :, recorded_rings], expected[:, :, recorded_rings]
    number, frequency = number[:, recorded_rings], frequency[recorded_rings]
    weights = np.zeros((len(spectra), 2))
    for _ in range(_SLOPE_ROUNDS):
        slope = _noise_slope(spectra, expected, weights[:, 0], number, frequency)
        noise = np.exp(-slope * frequency**2)
        weights = np.array(
            [_weights(p, s, noise, number, frequency) for p, s in zip(spectra, expected, strict=True)]
        )
    if signal_variance is None:
        signal_variance = np.ones(len(signal))
    y, x = scipy.fft.fftfreq(shape[0])[:, None], scipy.fft.fftfreq(shape[1])[None, :]
    recorded = (np.abs(y) <= nyquist) & (np.abs(x) <= nyquist)
    weights[:, 1] *= np.where(recorded, np.exp(-slope * (y**2 + x**2)), 0).mean()
    variance = weights[:, 0] * _interpolate(signal_variance, signal_angles, tilt_angles) + weights[:, 1]
    return np.sqrt(weights[:, 0] / variance), np.sqrt(weights[:, 1] / variance)


def _weights(
    spectrum: NDArray[np.float64],
    expected: NDArray[np.float64],
    noise: NDArray[np.float64],
    number: NDArray[np.float64],
    frequency: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the weights of signal and noise in one spectrum, the axes left out where a gradient fills them."""
    fitted = _fit(spectrum[0], expected[0], noise, number[0], frequency)
    band = (frequency >= LOWEST_FREQUENCY) & (frequency < _AXIS_REACH) & (number[1] > 0)
    model = fitted[0] * expected[1] + fitted[1] * noise
    excess = np.average((spectrum[1] / np.maximum(model, 1e-12))[band], weights=number[1][band])
    if excess > _AXIS_EXCESS:
        return fitted
    everywhere = number.sum(axis=0)
    whole = (spectrum * number).sum(axis=0) / everywhere
    return _fit(whole, (expected * number).sum(axis=0) / everywhere, noise, everywhere, frequency)


def _fit(
    spectrum: NDArray[np.float64],
    expected: NDArray[np.float64],
    noise: NDArray[np.float64],
    number: NDArray[np.float64],
    frequency: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return non-negative weights of `expected` and `noise`, each ring weighted by the precision of its mean.

    The power of one coefficient scatters by as much as its expectation, which is being fitted: the weights of the rings
    follow from the fit of the round before.
    """
    used = (frequency >= LOWEST_FREQUENCY) & (number > 0)
    design = np.stack([expected, noise], axis=1)[used]
    model = np.maximum(spectrum[used], 1e-6 * spectrum[used].max())
    weights = np.zeros(2)
    for _ in range(_ROUNDS):
        precision = np.sqrt(number[used]) / model
        fitted, _ = scipy.optimize.nnls(design * precision[:, None], spectrum[used] * precision)
        if np.allclose(fitted, weights, rtol=1e-9, atol=1e-12):
            break
        weights = fitted
        model = design @ weights
        model = np.maximum(model, 1e-6 * model.max())
    return weights


def _noise_slope(
    spectra: NDArray[np.float64],
    expected: NDArray[np.float64],
    signal: NDArray[np.float64],
    number: NDArray[np.float64],
    frequency: NDArray[np.float64],
) -> float:
    """Return the slope β, not negative, of the noise `exp(-β k²)` in the highest rings of all tilts."""
    band = frequency >= _NOISE_BAND * frequency[-1]
    left = spectra[:, 0, band] - signal[:, None] * expected[:, 0, band]
    if band.sum() < 3 or not (left.sum(axis=1) > 0).all():
        return 0.0
    noise = np.mean(left / left.mean(axis=1, keepdims=True), axis=0)
    if not (noise > 0).all():
        return 0.0
    slope = np.polyfit(frequency[band] ** 2, np.log(noise), 1, w=np.sqrt(number[0][band]))[0]
    return max(0.0, -float(slope))


def _interpolate(
    signal: NDArray[np.float64], signal_angles: NDArray[np.float64], tilt_angles: NDArray[np.float64]
) -> NDArray[np.float64]:
    angles = np.unique(signal_angles)
    means = np.stack([signal[signal_angles == angle].mean(axis=0) for angle in angles])
    place = np.interp(tilt_angles, angles, np.arange(angles.size))
    left = np.minimum(place.astype(int), max(angles.size - 2, 0))
    share = (place - left).reshape(-1, *(1,) * (signal.ndim - 1))
    return (1 - share) * means[left] + share * means[np.minimum(left + 1, angles.size - 1)]


def _count_coefficients(shape: tuple[int, int], rings: int) -> NDArray[np.float64]:
    """Return the ``(2, rings)`` numbers of coefficients in each ring, off the axes and on them."""
    ring, counts = _ring_counts(shape, rings)
    return np.stack(
        [np.bincount(ring, count.ravel(), minlength=rings + 2)[1 : rings + 1] for count in counts]
    )


def _ring_counts(
    shape: tuple[int, int], rings: int
) -> tuple[NDArray[np.int64], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return the ring of each coefficient of a half spectrum, and the numbers it stands for off and on the axes."""
    ring, count = ring_numbers(shape, rings)
    on = np.zeros(ring.shape)
    on[0], on[:, 0] = 1, 1
    return np.minimum(ring, rings + 1).ravel(), (count * (1 - on), count * on)


def _check_stack(name: str, stack: NDArray[np.generic], angles: ArrayLike) -> NDArray[np.float64]:
    degrees = np.asarray(angles, dtype=np.float64)
    if stack.ndim != 3 or degrees.shape != (len(stack),) or not len(stack):
        raise ValueError(
            f"{name} must be a (tilt, y, x) stack with one angle per tilt, got shapes {stack.shape} and {degrees.shape}"
        )
    if min(stack.shape[1:]) < 16:
        raise ValueError(f"the tilts of {name} must have 16 x 16 pixels at least, got {stack.shape[1:]}")
    if not np.isfinite(degrees).all():
        raise ValueError(f"the angles of {name} must be finite")
    return degrees
