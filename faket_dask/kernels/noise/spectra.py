"""Radially averaged power spectra of images of any shape, and the distance of two of them."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.kernels._checks import check_image
from faket_dask.kernels.moments import standardise_float64

DEFAULT_BAND = (40 / 512, 250 / 512)
"""Frequencies in cycles per pixel from where grids and gradients of single images no longer matter to just below the
corner of the spectrum: rings 40 to 250 of a 512-pixel image."""


def radial_power_spectrum(
    image: NDArray[np.generic], bins: int | None = None, *, window: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the power of the standardised image, averaged over rings of equal spatial frequency.

    Parameters
    ----------
    image
        ``(y, x)`` real values of any unit; y and x may differ.
    bins
        Number of rings between 0 and 0.5 cycles per pixel, at most (and if not given) half the shorter side.
    window
        Taper the image with a Hann window first, which keeps a difference between opposite edges from leaking over
        all frequencies.

    Returns
    -------
    frequency
        ``(bins,)`` cycles per pixel, the middle of each ring; the last is 0.5.
    power
        ``(bins,)`` mean power in the ring; white noise has 1 everywhere, a constant image 0.

    Raises
    ------
    ValueError
        If the image is not two-dimensional, shorter than 4 pixels, or not finite, or `bins` is out of range.

    Examples
    --------
    >>> white = np.random.default_rng(0).normal(size=(128, 128))
    >>> frequency, power = radial_power_spectrum(white, bins=2)
    >>> frequency, power.round(1)
    (array([0.25, 0.5 ]), array([1., 1.]))
    """
    image = np.asarray(image)
    check_image("image", image, smallest=4)
    rings = min(image.shape) // 2 if bins is None else bins
    if not 1 <= rings <= min(image.shape) // 2:
        raise ValueError(
            f"bins must be between 1 and {min(image.shape) // 2} for shape {image.shape}, got {bins}"
        )
    return ring_frequencies(rings), ring_means(power(image, window=window), image.shape, rings)


def ring_frequencies(rings: int) -> NDArray[np.float64]:
    """Return the frequencies, ``(rings,)`` cycles per pixel, of rings up to the Nyquist frequency, which is the last.

    Examples
    --------
    >>> ring_frequencies(2)
    array([0.25, 0.5 ])
    """
    return np.arange(1, rings + 1) * 0.5 / rings


def log_spectrum_distance(
    a: NDArray[np.generic], b: NDArray[np.generic], band: tuple[float, float] = DEFAULT_BAND
) -> float:
    """Return the root mean square difference of the natural logarithms of two images' radial power spectra.

    Parameters
    ----------
    a, b
        ``(y, x)`` images at one pixel size; their shapes may differ, the coarser rings are used for both.
    band
        Lowest and highest frequency compared, in cycles per pixel.

    Returns
    -------
    distance
        0 for equal spectra; 0.1 for spectra that differ by about 10 %.

    Raises
    ------
    ValueError
        If no ring lies within the band, or an image is unfit for a spectrum or constant.

    Examples
    --------
    >>> white = np.random.default_rng(0).normal(size=(128, 128))
    >>> log_spectrum_distance(white, 5 * white + 3) < 1e-9
    True
    """
    rings = min(*np.shape(a), *np.shape(b)) // 2
    spectra = []
    for name, image in (("a", a), ("b", b)):
        frequency, power_spectrum = radial_power_spectrum(image, rings)
        within = (frequency >= band[0]) & (frequency <= band[1])
        if not within.any():
            raise ValueError(
                f"no ring of a {np.shape(image)} image lies between {band[0]} and {band[1]} cycles/pixel"
            )
        if not (power_spectrum[within] > 0).all():
            raise ValueError(f"image {name} has no power within the band: is it constant?")
        spectra.append(np.log(power_spectrum[within]))
    return float(np.sqrt(np.mean((spectra[0] - spectra[1]) ** 2)))


def power(image: NDArray[np.generic], *, window: bool = False) -> NDArray[np.float64]:
    """Return the ``(y, x // 2 + 1)`` power per Fourier coefficient of the standardised image, 1 on average."""
    standard = standardise_float64(image)
    if window:
        taper = np.outer(*(np.hanning(size + 2)[1:-1] for size in standard.shape))
        # Tapering leaves some of the mean behind, which would fill the lowest ring.
        standard = (standard - np.average(standard, weights=taper)) * taper
        standard /= np.sqrt(np.mean(taper**2))
    return np.abs(scipy.fft.rfft2(standard)) ** 2 / standard.size


def ring_means(power: NDArray[np.float64], shape: tuple[int, ...], rings: int) -> NDArray[np.float64]:
    """Return the ``(rings,)`` means of the half spectrum of an image of that shape over rings up to Nyquist."""
    ring, count = ring_numbers(shape, rings)
    total = np.bincount(ring.ravel(), (power * count).ravel(), minlength=rings + 1)
    return total[1 : rings + 1] / _sum_counts(ring, count, rings)


def count_coefficients(shape: tuple[int, ...], rings: int) -> NDArray[np.float64]:
    """Return the ``(rings,)`` numbers of coefficients in the rings of an image's spectrum, both half planes counted.

    Examples
    --------
    >>> count_coefficients((8, 8), 2)
    array([24., 34.])
    """
    return _sum_counts(*ring_numbers(shape, rings), rings)


def _sum_counts(ring: NDArray[np.int64], count: NDArray[np.float64], rings: int) -> NDArray[np.float64]:
    number = np.bincount(ring.ravel(), np.broadcast_to(count, ring.shape).ravel(), minlength=rings + 1)
    return np.asarray(number[1 : rings + 1], dtype=np.float64)


def ring_numbers(shape: tuple[int, ...], rings: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the ring of each coefficient of a half spectrum, and the number of coefficients it stands for.

    Ring i is centred at i / (2 rings) cycles per pixel; ring 0 holds the mean, rings above `rings` the
    corners.
    """
    radius = np.hypot(scipy.fft.fftfreq(shape[0])[:, None], scipy.fft.rfftfreq(shape[1])[None, :])
    count = np.full((1, radius.shape[1]), 2.0)
    count[0, 0] = 1
    if shape[1] % 2 == 0:
        count[0, -1] = 1
    return np.floor(radius * 2 * rings + 0.5).astype(np.int64), count
