"""What in a micrograph is neither specimen nor noise: gold beads, hot and dead pixels, filled borders, carbon and grid
bars, gradients.

Statistics and spectra of a real tilt should not see them. They are found on the image alone: borders that a program
filled, because nothing changes there; compact ones, at all sizes, by how far a spot departs from its surroundings in
units of the image's own robust spread; wide ones, which have no surroundings, because the image then has two levels far
apart.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

# Departures, in robust standard deviations, that neither noise nor a protein reaches.
_THRESHOLD = 5.5
# Pixels, at each size of the image: how far the surroundings of a spot reach, and the margin around it.
_REACH = 4.0
_MARGIN = 3.0
# Halvings of the image go on until its shorter side would fall below this, so that the spread stays measurable.
_SMALLEST_SIDE = 48
# Distance of two levels in units of their spread. Halves of a ramp are 3.5 apart, those of a normal distribution 2.7.
_PARTED = 6.0
# Pixels: side of a window that noise never leaves without any contrast; and the share of an image beyond which such
# windows are not its border, but how the image is.
_FLAT_SIDE = 7
_MOSTLY = 0.5
# Pixels, at the smallest size: smoothing before levels are told apart, and the margin around the edge between them.
_SMOOTHING = 2.0


def artefact_mask(image: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where beads, hot or dead pixels, other compact outliers, filled borders, and carbon or grid bars lie.

    Regions without any contrast are taken first, as alignment leaves them at the sides. What is left of the image is
    compared with its own surroundings at full size and after each halving; at every size, spots beyond the threshold
    are taken with a margin for the fringe around them. The rest is parted into two levels at the smallest size; if they
    are far apart, the one that covers less is taken.

    Parameters
    ----------
    image
        `(y, x)` finite values of any unit.

    Returns
    -------
    `(y, x)` bool, true where the image should not be valid_mask. An image without contrast has no artefacts.
    """
    level = np.asarray(image, dtype=np.float64)
    if level.ndim != 2 or not np.isfinite(level).all():
        raise ValueError(f"a (y, x) image of finite values is needed, got shape {level.shape}")
    height, width = level.shape
    mask = _flat(level)
    level, seen = fill(level, mask), ~mask
    step = 1
    while True:
        surroundings = scipy.ndimage.gaussian_filter(level, _REACH)
        found = _outliers(scipy.ndimage.gaussian_filter(level, 1) - surroundings, seen)
        if step == 1:
            found |= _outliers(level - surroundings, seen)  # single pixels
        if found.any():
            found = scipy.ndimage.distance_transform_edt(~found) <= _MARGIN
            level = fill(level, found)  # so that coarser sizes find only what is larger
            mask |= found.repeat(step, 0).repeat(step, 1)[:height, :width]
        if min(level.shape) < 2 * _SMALLEST_SIDE:
            return mask | _other_level(level).repeat(step, 0).repeat(step, 1)[:height, :width]
        rows, columns = level.shape
        odd = (0, rows % 2), (0, columns % 2)
        level, seen = np.pad(level, odd, mode="edge"), np.pad(seen, odd, mode="edge")
        level = (level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2]) / 4
        seen = seen[::2, ::2] | seen[1::2, ::2] | seen[::2, 1::2] | seen[1::2, 1::2]
        step *= 2


def _flat(image: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Regions without any contrast, with a margin for what interpolation has made of their rims."""
    greatest, least = (
        extremum(image, _FLAT_SIDE)
        for extremum in (scipy.ndimage.maximum_filter, scipy.ndimage.minimum_filter)
    )
    centres = greatest == least
    if not 0 < centres.mean() < _MOSTLY:
        return np.zeros(image.shape, dtype=bool)
    return np.asarray(scipy.ndimage.binary_dilation(centres, np.ones((2 * _FLAT_SIDE - 1,) * 2)))


def _outliers(departure: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    departure = np.abs(departure - np.median(departure[seen]))
    # Strong signal has heavier tails than noise. Measured at the median as well as near the tail, but where the few
    # per cent of pixels that artefacts cover do not reach, the spread allows for both.
    spread = max(np.median(departure[seen]) / 0.6745, np.quantile(departure[seen], 0.95) / 1.6449)
    return (departure > _THRESHOLD * spread) & (spread > 0)


def _other_level(image: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The smaller of two parts that differ in level, with the edge between them; nothing where there is one level."""
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
    """Smooth background of an image: the quadratic surface that fits what is not masked best.

    Parameters
    ----------
    image
        `(y, x)` values of any unit.
    mask
        `(y, x)` bool, true for pixels to leave out.

    Returns
    -------
    `(y, x)` float64 in the unit of the image.
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
    """The image with masked pixels replaced by the average of their unmasked surroundings.

    Parameters
    ----------
    image
        `(y, x)` values of any unit.
    mask
        `(y, x)` bool, true for pixels to replace.
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
