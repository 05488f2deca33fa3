"""Spurious blobs (false positives) introduced by style transfer.

Compact dark or bright objects are found as by a particle picker without templates: in places where the Laplacian of a
Gaussian, at several sizes, departs from its own robust spread by more than noise does. Noise departs that much now and
then, and labelled objects leave a rim; both do so in the noisy tilt that a transfer starts from, too. A count is
therefore compared with the count in that tilt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

SIZES_PX = (2.0, 4.0, 8.0)
"""Standard deviations of the Gaussians; an object's radius is 1.4 times as large."""

THRESHOLD = 4.5
"""Smallest response of an object, in robust standard deviations."""


def find_blobs(
    tilt: NDArray[np.generic],
    sizes_px: Sequence[float] = SIZES_PX,
    threshold: float = THRESHOLD,
) -> NDArray[np.int64]:
    """Find compact objects.

    Parameters
    ----------
    tilt
        ``(y, x)`` in any unit.
    sizes_px
        Standard deviations of the Gaussians in pixels.
    threshold
        Distance of a response from the median of its size, in robust standard deviations.

    Returns
    -------
    places
        ``(objects, 2)`` pixel of each (y, x); an object that responds at several sizes counts once at each that is not
        near a larger one's.

    Examples
    --------
    >>> tilt = np.random.default_rng(0).normal(size=(64, 64))
    >>> tilt[30:34, 40:44] += 20
    >>> bool((np.abs(find_blobs(tilt) - (32, 42)) < 3).all(axis=1).any())
    True
    """
    image = np.asarray(tilt, dtype=np.float64)
    blobs: list[NDArray[np.int64]] = []
    for size in sorted(sizes_px, reverse=True):
        response = scipy.ndimage.gaussian_laplace(image, size)
        response = np.abs(response - np.median(response))
        spread = np.median(response) / 0.6745
        if spread == 0:
            continue
        peak = scipy.ndimage.maximum_filter(response, 2 * int(np.ceil(2 * size)) + 1)
        places = np.argwhere((response == peak) & (response > threshold * spread))
        for larger in blobs:
            if larger.size and places.size:
                apart = np.hypot(*np.moveaxis(places[:, None] - larger[None], -1, 0)).min(axis=1)
                places = places[apart > 4 * size]
        blobs.append(places)
    return np.concatenate(blobs) if blobs else np.empty((0, 2), dtype=np.int64)


def mask_labels(noiseless: NDArray[np.generic], margin_px: int = 8) -> NDArray[np.bool_]:
    """Mask the labelled objects of a specimen, with a margin.

    Parameters
    ----------
    noiseless
        ``(y, x)`` projection of the specimen.
    margin_px
        Pixels around the objects.

    Returns
    -------
    mask
        ``(y, x)`` bool, true for pixels that stand out from the ice, whose spread is that of the middle half of the
        pixels.
    """
    image = np.asarray(noiseless, dtype=np.float64)
    low, middle, high = np.percentile(image, [25, 50, 75])
    apart = np.abs(image - middle) > 4 * max(high - low, np.finfo(np.float64).tiny)
    if not apart.any() or margin_px == 0:
        return apart
    return np.asarray(scipy.ndimage.distance_transform_edt(~apart) <= margin_px)


def spurious_density(
    tilt: NDArray[np.generic], label_mask: NDArray[np.bool_], threshold: float = THRESHOLD
) -> float:
    """Return the number of objects per million pixels in places without a label.

    Parameters
    ----------
    tilt
        ``(y, x)`` in any unit.
    label_mask
        ``(y, x)`` bool, from `labelled`.
    threshold
        As of `objects`.
    """
    free = int((~label_mask).sum())
    if free == 0:
        return 0.0
    places = find_blobs(tilt, threshold=threshold)
    return 1e6 * float((~label_mask[tuple(places.T)]).sum()) / free
