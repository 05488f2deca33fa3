"""Objects in a tilt that its labels do not explain: what a style transfer has made up.

Compact dark or bright objects are found as a particle picker without templates would: where the Laplacian of a
Gaussian, at several sizes, departs from its own robust spread by more than noise does. Noise departs that much now and
then, and the labels' own objects leave a rim; both do so in the noisy tilt that a transfer starts from, too. So a
count means something beside the count in that tilt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

SIZES_PX = (2.0, 4.0, 8.0)
"""Standard deviations of the Gaussians; an object's radius is 1.4 times as large."""

THRESHOLD = 4.5
"""In robust standard deviations of the response."""


def find_blobs(
    tilt: NDArray[np.generic],
    sizes_px: Sequence[float] = SIZES_PX,
    threshold: float = THRESHOLD,
) -> NDArray[np.int64]:
    """Places of compact objects.

    Parameters
    ----------
    tilt
        ``(y, x)`` in any unit.
    sizes_px
        Sizes that are looked for, as standard deviations in pixels.
    threshold
        How far a response must be from the median of its size, in robust standard deviations.

    Returns
    -------
    places
        ``(objects, 2)`` pixel of each (y, x); an object that is found at several sizes counts at each that is no
        part of a larger response within its own radius.
    """
    image = np.asarray(tilt, dtype=np.float64)
    found: list[NDArray[np.int64]] = []
    for size in sorted(sizes_px, reverse=True):
        response = scipy.ndimage.gaussian_laplace(image, size)
        response = np.abs(response - np.median(response))
        spread = np.median(response) / 0.6745
        if spread == 0:
            continue
        peak = scipy.ndimage.maximum_filter(response, 2 * int(np.ceil(2 * size)) + 1)
        places = np.argwhere((response == peak) & (response > threshold * spread))
        for larger in found:
            if larger.size and places.size:
                apart = np.hypot(*np.moveaxis(places[:, None] - larger[None], -1, 0)).min(axis=1)
                places = places[apart > 4 * size]
        found.append(places)
    return np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)


def mask_labels(noiseless: NDArray[np.generic], margin_px: int = 8) -> NDArray[np.bool_]:
    """Where a specimen shows anything that its labels explain, with a margin.

    Parameters
    ----------
    noiseless
        ``(y, x)`` projection of the specimen.
    margin_px
        Pixels around its objects.

    Returns
    -------
    ``(y, x)`` bool; what stands out from the ice, whose spread is that of the middle half of the pixels.
    """
    image = np.asarray(noiseless, dtype=np.float64)
    low, middle, high = np.percentile(image, [25, 50, 75])
    apart = np.abs(image - middle) > 4 * max(high - low, np.finfo(np.float64).tiny)
    if not apart.any() or margin_px == 0:
        return apart
    return np.asarray(scipy.ndimage.distance_transform_edt(~apart) <= margin_px)


def spurious_density(
    tilt: NDArray[np.generic], explained: NDArray[np.bool_], threshold: float = THRESHOLD
) -> float:
    """Objects per million pixels that lie where no label is.

    Parameters
    ----------
    tilt
        ``(y, x)`` in any unit.
    explained
        ``(y, x)`` bool, from `labelled`.
    threshold
        As of `objects`.
    """
    free = int((~explained).sum())
    if free == 0:
        return 0.0
    places = find_blobs(tilt, threshold=threshold)
    return 1e6 * float((~explained[tuple(places.T)]).sum()) / free
