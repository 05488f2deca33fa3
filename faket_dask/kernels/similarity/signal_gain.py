"""Linear gain of a known noiseless signal in images, ring by ring, and the noise beside it.

The gain is the cross-spectrum of image and signal over the power of the signal: the real factor by which every ring of
the signal appears in the image, negative where the lens turns phases round. The rest of the image's power
is noise, so that an image is ``gain · signal + noise``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels._checks import check_image, check_same_shape
from faket_dask.kernels.artefacts import background
from faket_dask.kernels.noise.spectra import count_coefficients, ring_frequencies, ring_means
from faket_dask.kernels.taper import edge_taper

_SMALLEST_TILT = 16


@dataclass(frozen=True, eq=False)
class SignalGain:
    """Gain and noise of images whose signal is known.

    Parameters
    ----------
    frequency
        ``(ring,)`` cycles per pixel.
    gain
        ``(ring,)`` in the unit of the images per unit of the signal.
    noise
        ``(ring,)`` power of what the signal does not explain, in the unit of the images squared; that of white noise
        is its variance.
    signal
        ``(ring,)`` power of the signal, in its unit squared.
    standard_error
        ``(ring,)`` of the gain.
    """

    frequency: NDArray[np.float64]
    gain: NDArray[np.float64]
    noise: NDArray[np.float64]
    signal: NDArray[np.float64]
    standard_error: NDArray[np.float64]

    def resample(self, frequency: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return gain and noise at other frequencies, linearly interpolated; the outermost hold beyond the rings."""
        places = np.asarray(frequency, dtype=np.float64)
        return np.interp(places, self.frequency, self.gain), np.interp(places, self.frequency, self.noise)


def measure_signal_gain(
    images: Iterable[NDArray[np.generic]],
    signals: Iterable[NDArray[np.generic]],
    *,
    rings: int | None = None,
    ice_power: ArrayLike = 0.0,
) -> SignalGain:
    """Measure gain and noise over all tilts of a series together.

    Parameters
    ----------
    images
        ``(y, x)`` tilts in one unit. Tilts whose units differ are standardised first.
    signals
        ``(y, x)`` noiseless counterpart of each.
    rings
        Number of rings up to the Nyquist frequency; half the shorter side if not given.
    ice_power
        Power of that part of the signal which is noise to a particle, ``(rings,)`` or one for all, in the unit of the
        signals squared: its image is counted as noise.

    Returns
    -------
    gain
        Gain and noise; gain is 0 where the signal has no power.

    Raises
    ------
    ValueError
        If there is no tilt, a tilt and its signal differ in shape, are too small, or hold NaN or infinity.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> signal, noise = rng.normal(size=(2, 64, 64))
    >>> gain = measure_signal_gain([3 * signal + noise], [signal], rings=2)
    >>> gain.gain.round(1), gain.noise.round(1)
    (array([3., 3.]), array([1., 1.]))
    """
    cross: list[NDArray[np.float64]] = []
    image_power: list[NDArray[np.float64]] = []
    signal_power: list[NDArray[np.float64]] = []
    coefficients: list[NDArray[np.float64]] = []
    for image, signal in zip(images, signals, strict=True):
        check_image("tilt", image, smallest=_SMALLEST_TILT)
        check_same_shape("a tilt and its signal", "(y, x)", image, signal)
        number = rings or min(image.shape) // 2
        window = np.outer(*map(edge_taper, image.shape))
        weight = window**2
        spectra = []
        for values in (image, signal):
            if not np.isfinite(values).all():
                raise ValueError("a tilt or its signal holds NaN or infinite values")
            level = np.asarray(values, dtype=np.float64)
            spectra.append(scipy.fft.rfft2((level - background(level)) * window))
        scale = np.sum(weight)
        products = (spectra[0] * np.conj(spectra[1])).real, np.abs(spectra[0]) ** 2, np.abs(spectra[1]) ** 2
        for means, product in zip((cross, image_power, signal_power), products, strict=True):
            means.append(ring_means(product, image.shape, number) / scale)
        widening = np.mean(weight**2) / np.mean(weight) ** 2
        coefficients.append(count_coefficients(image.shape, number) / widening)
    if not cross:
        raise ValueError("there is no tilt to measure a gain of")
    shared, total, known = (np.mean(means, axis=0) for means in (cross, image_power, signal_power))
    present = known > 1e-12 * known.max()
    gain = np.where(present, shared / np.where(present, known, 1), 0.0)
    noise = np.maximum(total - gain**2 * known, 0.0)
    error = np.sqrt(
        np.where(present, noise / np.where(present, known, 1), 0.0) / np.maximum(sum(coefficients), 1)
    )
    return SignalGain(
        ring_frequencies(gain.size), gain, noise + gain**2 * np.asarray(ice_power), known, error
    )
