"""How strong signal and noise are in a recorded tilt-series, which has no noiseless counterpart.

What is known of the signal is how its power is spread over spatial frequencies: as in noiseless projections
of a specimen like it, S(k), at the same angle and pixel size. Noise is white but for the detector's transfer
function, W(k). The spectrum of a recorded tilt is fitted with `a S(k) + b W(k)`, neither weight negative, over
rings of equal frequency; the square roots of the two parts of the variance are the scales that
`faket_dask.kernels.noise.noise_curves` measures where clean tilts are known.

A recorded tilt holds more than specimen and noise. Beads and bad pixels are replaced by their surroundings
before anything is measured. Waves longer than 64 pixels (the ramp of the ice, the shade of a hole's edge) are
left out. What differs between opposite borders, as any gradient does, fills the two axes of the spectrum and
nothing else: rings are averaged with and without their pixels on the axes, and those are left out where they
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

# Of the highest frequency that is seen: above, a spectrum counts as noise, whose slope is the detector's.
_NOISE_BAND = 0.8
# Of its Nyquist frequency, up to where a spectrum survives a spline to smaller pixels; a tenth of the power is lost.
_KEPT = 0.6
# The axes of a spectrum are left out where they hold this many times what the rest of it lets expect. Below, the
# pixels on them do more good than harm: at low frequencies they are half of a small image's rings.
_AXIS_EXCESS = 1.5
# Frequency up to which a gradient can be told from noise.
_AXIS_REACH = 0.25
_ROUNDS = 50
_SLOPE_ROUNDS = 3
# Power of a signal up to the first of these frequencies over that from the second on: ice alone has 1.5 times as much,
# proteins have thousands of times.
_TOLD_APART = (0.1, 0.4)
_LEAST_EXCESS = 5.0


def unpaired_noise_curves(
    reference: NDArray[np.generic],
    reference_angles: ArrayLike,
    noiseless: NDArray[np.generic],
    noiseless_angles: ArrayLike,
) -> NoiseCurves:
    """Signal and noise scales of a recorded series, from the spectra of noiseless projections.

    Parameters
    ----------
    reference
        `(tilt, y, x)` recorded series, in any unit.
    reference_angles
        `(tilt,)` degrees.
    noiseless
        `(projection, y, x)` noiseless projections of a specimen like that in the reference, at the same pixel
        size; number and size may differ from the reference's.
    noiseless_angles
        `(projection,)` degrees, in any order. Spectra at one angle are averaged; between angles they are
        interpolated linearly, beyond them the outermost holds.

    Returns
    -------
    The curves at `reference_angles`, with `signal_scale² + noise_scale² = 1`; mean and standard deviation are
    those of each tilt without its artefacts.

    Raises
    ------
    ValueError
        If stacks and angles do not fit each other, a tilt is smaller than 16 pixels, holds NaN or infinity, or
        a recorded tilt is constant.
    """
    reference, noiseless = np.asarray(reference), np.asarray(noiseless)
    angles = _angles_of("reference", reference, reference_angles)
    projected = _angles_of("noiseless", noiseless, noiseless_angles)
    rings = min(*reference.shape[1:], *noiseless.shape[1:]) // 2
    signal = np.stack([ring_power(tilt, rings) for tilt in noiseless])
    spectra = np.empty((angles.size, 2, rings))
    moments = np.empty((2, angles.size))
    for index, tilt in enumerate(reference):
        try:
            valid_mask, moments[:, index] = fill_artefacts(tilt)
        except ValueError as error:
            raise ValueError(f"tilt {index} of the reference: {error}") from error
        spectra[index] = ring_power(valid_mask, rings)
    shape = (reference.shape[1], reference.shape[2])
    return NoiseCurves(*fit_spectral_scales(spectra, angles, shape, signal, projected), *moments)


def fill_artefacts(
    tilt: NDArray[np.generic], valid_mask: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """A recorded tilt as if it had no artefacts.

    Parameters
    ----------
    tilt
        `(y, x)` in any unit.
    valid_mask
        `(y, x)`, false for its artefacts; by default they are looked for.

    Returns
    -------
    tilt : `(y, x)` with its artefacts replaced by their surroundings
    moments : mean and standard deviation of the pixels that are none

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
    """`(2, rings)` mean power of the standardised image in rings: off the axes of the spectrum, and on them."""
    spectrum = power(image)
    shape = (np.shape(image)[0], np.shape(image)[1])
    ring, counts = _ring_counts(shape, rings)
    found = np.empty((2, rings))
    for part, count in enumerate(counts):
        total = np.bincount(ring, (spectrum * count).ravel(), minlength=rings + 2)[1 : rings + 1]
        number = np.bincount(ring, count.ravel(), minlength=rings + 2)[1 : rings + 1]
        found[part] = total / np.maximum(number, 1)
    return found


def signal_is_distinct(signal: NDArray[np.float64]) -> bool:
    """Whether the spectra of projections differ so much from that of noise that recordings show how strong they are.

    Parameters
    ----------
    signal
        `(projection, 2, rings)` of noiseless projections, from `ring_power`.
    """
    frequency = ring_frequencies(signal.shape[2])
    low = (frequency >= LOWEST_FREQUENCY) & (frequency <= _TOLD_APART[0])
    high = frequency >= _TOLD_APART[1]
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
    """Signal and noise scales from ring spectra.

    Parameters
    ----------
    spectra
        `(tilt, 2, rings)` of recorded tilts without artefacts, from `ring_power`.
    tilt_angles
        `(tilt,)` degrees.
    shape
        `(y, x)` pixels of the recorded tilts.
    signal
        `(projection, 2, rings)` of noiseless projections, from `ring_power`.
    signal_angles
        `(projection,)` degrees.
    signal_variance
        `(projection,)` mean power of the projections over all coefficients: 1 (the default) for standardised ones,
        less where beads were taken out of them afterwards, as artefacts are of recorded tilts.
    nyquist
        Cycles per pixel that the tilts were recorded up to: less than 0.5 where they were brought to smaller pixels,
        which have no noise beyond.

    Returns
    -------
    signal_scale, noise_scale : (tilt,)
        Signal and noise of a tilt without beads have a variance of 1 together: the squares add up to 1 where the
        projections have none either.
    """
    rings = spectra.shape[2]
    frequency = ring_frequencies(rings)
    number = _numbers(shape, rings)
    expected = _at_angles(signal, signal_angles, tilt_angles)
    # The detector's slope is seen best in all tilts together, and better once it is known how much signal there is.
    # Where it is seen first there is little: taken for white at first, steep noise would be taken for signal.
    seen = frequency <= (nyquist if nyquist == 0.5 else _KEPT * nyquist)
    spectra, expected = spectra[:, :, seen], expected[:, :, seen]
    number, frequency = number[:, seen], frequency[seen]
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
    variance = weights[:, 0] * _at_angles(signal_variance, signal_angles, tilt_angles) + weights[:, 1]
    return np.sqrt(weights[:, 0] / variance), np.sqrt(weights[:, 1] / variance)


def _weights(
    spectrum: NDArray[np.float64],
    expected: NDArray[np.float64],
    noise: NDArray[np.float64],
    number: NDArray[np.float64],
    frequency: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Weights of signal and noise in one spectrum, the axes left out where a gradient fills them."""
    fitted = _fit(spectrum[0], expected[0], noise, number[0], frequency)
    seen = (frequency >= LOWEST_FREQUENCY) & (frequency < _AXIS_REACH) & (number[1] > 0)
    model = fitted[0] * expected[1] + fitted[1] * noise
    excess = np.average((spectrum[1] / np.maximum(model, 1e-12))[seen], weights=number[1][seen])
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
    """Non-negative weights of `expected` and `noise`, each ring weighted by how well its mean is known.

    The power of one coefficient scatters by as much as its expectation, which is what is being fitted: the
    weights of the rings follow from the fit of the round before.
    """
    used = (frequency >= LOWEST_FREQUENCY) & (number > 0)
    design = np.stack([expected, noise], axis=1)[used]
    model = np.maximum(spectrum[used], 1e-6 * spectrum[used].max())
    weights = np.zeros(2)
    for _ in range(_ROUNDS):
        precision = np.sqrt(number[used]) / model
        found, _ = scipy.optimize.nnls(design * precision[:, None], spectrum[used] * precision)
        if np.allclose(found, weights, rtol=1e-9, atol=1e-12):
            break
        weights = found
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
    """Slope β, not negative, of the noise `exp(-β k²)` in the highest rings of all tilts."""
    band = frequency >= _NOISE_BAND * frequency[-1]
    left = spectra[:, 0, band] - signal[:, None] * expected[:, 0, band]
    if band.sum() < 3 or not (left.sum(axis=1) > 0).all():
        return 0.0
    noise = np.mean(left / left.mean(axis=1, keepdims=True), axis=0)
    if not (noise > 0).all():
        return 0.0
    slope = np.polyfit(frequency[band] ** 2, np.log(noise), 1, w=np.sqrt(number[0][band]))[0]
    return max(0.0, -float(slope))


def _at_angles(
    signal: NDArray[np.float64], signal_angles: NDArray[np.float64], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    angles = np.unique(signal_angles)
    means = np.stack([signal[signal_angles == angle].mean(axis=0) for angle in angles])
    place = np.interp(wanted, angles, np.arange(angles.size))
    left = np.minimum(place.astype(int), max(angles.size - 2, 0))
    share = (place - left).reshape(-1, *(1,) * (signal.ndim - 1))
    return (1 - share) * means[left] + share * means[np.minimum(left + 1, angles.size - 1)]


def _numbers(shape: tuple[int, int], rings: int) -> NDArray[np.float64]:
    """`(2, rings)` coefficients in each ring, off the axes and on them."""
    ring, counts = _ring_counts(shape, rings)
    return np.stack(
        [np.bincount(ring, count.ravel(), minlength=rings + 2)[1 : rings + 1] for count in counts]
    )


def _ring_counts(
    shape: tuple[int, int], rings: int
) -> tuple[NDArray[np.int64], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Ring of each coefficient of a half spectrum, and how many of the whole it stands for off and on the axes."""
    ring, count = ring_numbers(shape, rings)
    on = np.zeros(ring.shape)
    on[0], on[:, 0] = 1, 1
    return np.minimum(ring, rings + 1).ravel(), (count * (1 - on), count * on)


def _angles_of(name: str, stack: NDArray[np.generic], angles: ArrayLike) -> NDArray[np.float64]:
    found = np.asarray(angles, dtype=np.float64)
    if stack.ndim != 3 or found.shape != (len(stack),) or not len(stack):
        raise ValueError(
            f"{name} must be a (tilt, y, x) stack with one angle per tilt, got shapes {stack.shape} and {found.shape}"
        )
    if min(stack.shape[1:]) < 16:
        raise ValueError(f"the tilts of {name} must have 16 x 16 pixels at least, got {stack.shape[1:]}")
    if not np.isfinite(found).all():
        raise ValueError(f"the angles of {name} must be finite")
    return found
