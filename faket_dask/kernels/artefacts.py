"""Artefacts of micrographs: gold beads, hot and dead pixels, filled borders, carbon and grid bars, gradients.

They are excluded from statistics and spectra of a recorded tilt, and found on the image alone: borders that a program
filled by their lack of contrast; compact ones, at all sizes, by the departure of a spot from its surroundings in units
of the image's own robust spread; wide ones, which have no surroundings, by two levels far apart.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

_THRESHOLD = 5.5
"""Departure, in robust standard deviations, that neither noise nor a protein reaches."""

_REACH, _MARGIN = 4.0, 3.0
"""Extent of a spot's surroundings and the margin around it, in pixels at each size of the image."""

_SMALLEST_SIDE = 48
"""Shorter side below which an image is not halved any more, so that the spread stays measurable."""

_PARTED = 6.0
"""Distance of two levels in units of their spread. Halves of a ramp are 3.5 apart, of a normal distribution 2.7."""

_FLAT_SIDE, _MOSTLY = 7, 0.5
"""Side in pixels of a window that noise never leaves without contrast, and the share of an image beyond which such
windows are not its border."""

_SMOOTHING = 2.0
"""Smoothing before levels are told apart, in pixels at the smallest size; twice as much is left out at their edge."""


def artefact_mask(image: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Find beads, hot or dead pixels, other compact outliers, filled borders, and carbon or grid bars.

    Regions without any contrast are taken first, as alignment leaves them at the sides. The rest of the image is
    compared with its own surroundings at full size and after each halving; at every size, spots beyond the threshold
    are taken with a margin for the fringe around them. The rest is parted into two levels at the smallest size; if they
    are far apart, the one that covers less is taken.

    Parameters
    ----------
    image
        ``(y, x)`` finite values of any unit.

    Returns
    -------
    mask
        ``(y, x)`` bool, true for artefacts. An image without contrast has none.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(size=(96, 96))
    >>> image[40:48, 40:48] -= 40
    >>> mask = artefact_mask(image)
    >>> bool(mask[44, 44]), bool(mask[80, 80])
    (True, False)
    """
    level = np.asarray(image, dtype=np.float64)
    if level.ndim != 2 or not np.isfinite(level).all():
        raise ValueError(f"a (y, x) image of finite values is needed, got shape {level.shape}")
    height, width = level.shape
    mask = find_flat_regions(level)
    level, valid = fill(level, mask), ~mask
    step = 1
    while True:
        surroundings = scipy.ndimage.gaussian_filter(level, _REACH)
        outliers = _outliers(scipy.ndimage.gaussian_filter(level, 1) - surroundings, valid)
        if step == 1:
            outliers |= _outliers(level - surroundings, valid)  # single pixels
        if outliers.any():
            outliers = scipy.ndimage.distance_transform_edt(~outliers) <= _MARGIN
            level = fill(level, outliers)  # so that coarser sizes find only what is larger
            mask |= outliers.repeat(step, 0).repeat(step, 1)[:height, :width]
        if min(level.shape) < 2 * _SMALLEST_SIDE:
            return mask | _other_level(level).repeat(step, 0).repeat(step, 1)[:height, :width]
        rows, columns = level.shape
        odd = (0, rows % 2), (0, columns % 2)
        level, valid = np.pad(level, odd, mode="edge"), np.pad(valid, odd, mode="edge")
        level = (level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2]) / 4
        valid = valid[::2, ::2] | valid[1::2, ::2] | valid[::2, 1::2] | valid[1::2, 1::2]
        step *= 2


def find_flat_regions(image: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Find regions of an image, ``(y, x)``, without any contrast, with a margin for their interpolated rims."""
    greatest, least = (
        extremum(image, _FLAT_SIDE)
        for extremum in (scipy.ndimage.maximum_filter, scipy.ndimage.minimum_filter)
    )
    centres = greatest == least
    if not 0 < centres.mean() < _MOSTLY:
        return np.zeros(image.shape, dtype=bool)
    # A running maximum dilates by a square much faster than `binary_dilation` does.
    dilated = scipy.ndimage.maximum_filter(
        centres.view(np.uint8), 2 * _FLAT_SIDE - 1, mode="constant", cval=0
    )
    return np.asarray(dilated, dtype=np.bool_)


def _outliers(departure: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    departure = np.abs(departure - np.median(departure[valid]))
    # Strong signal has heavier tails than noise. Measured at the median as well as near the tail, but beyond the
    # few per cent of pixels that artefacts cover, the spread allows for both.
    spread = max(np.median(departure[valid]) / 0.6745, np.quantile(departure[valid], 0.95) / 1.6449)
    return (departure > _THRESHOLD * spread) & (spread > 0)


def _other_level(image: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Find the smaller of two parts that differ in level, with the edge between them; nothing if there is one level."""
    smooth = scipy.ndimage.gaussian_filter(image, _SMOOTHING)
    if smooth.min() == smooth.max():
        return np.zeros(image.shape, dtype=bool)
    high = smooth > threshold_otsu(smooth)
    parts = smooth[high], smooth[~high]
    spread = np.sqrt(np.mean([part.var() for part in parts]))
    if parts[0].mean() - parts[1].mean() < _PARTED * spread:
        return np.zeros(image.shape, dtype=bool)
    other = high if high.mean() < 0.5 else ~high
    margin = 2 * _SMOOTHING
    return np.asarray(scipy.ndimage.distance_transform_edt(~other) <= margin)


def background(image: NDArray[np.generic], mask: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Fit the smooth background of an image: the quadratic surface nearest to its unmasked pixels.

    Parameters
    ----------
    image
        ``(y, x)`` values of any unit.
    mask
        ``(y, x)`` bool, true for pixels to leave out.

    Returns
    -------
    surface
        ``(y, x)`` float64 in the unit of the image.
    """
    y, x = (np.linspace(-1, 1, size) for size in image.shape)
    terms = [np.outer(y**i, x**j) for i in range(3) for j in range(3 - i)]
    weight = np.ones(image.shape) if mask is None else (~mask).astype(np.float64)
    values = np.asarray(image, dtype=np.float64)
    normal = [[np.sum(weight * a * b) for b in terms] for a in terms]
    moments = [np.sum(weight * a * values) for a in terms]
    coefficients = np.linalg.lstsq(np.array(normal), np.array(moments), rcond=None)[0]
    return np.asarray(np.tensordot(coefficients, np.stack(terms), 1))


def fill(image: NDArray[np.generic], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return an image with masked pixels replaced by the average of their unmasked surroundings.

    Parameters
    ----------
    image
        ``(y, x)`` values of any unit.
    mask
        ``(y, x)`` bool, true for pixels to replace.
    """
    filled = np.asarray(image, dtype=np.float64).copy()
    if mask.all() or not mask.any():
        return filled
    reach = max(2.0, min(mask.shape) / 32)
    weight = scipy.ndimage.gaussian_filter((~mask).astype(np.float64), reach)
    average = scipy.ndimage.gaussian_filter(np.where(mask, 0.0, filled), reach)
    covered = weight > 1e-3
    surroundings = np.full(mask.shape, filled[~mask].mean())
    surroundings[covered] = average[covered] / weight[covered]
    filled[mask] = surroundings[mask]
    return filled
