"""Images at another pixel size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

WHOLE_PIXEL = 0.99
"""Share of usable pixels that a resampled pixel must consist of to be usable."""


def resampled_shape(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    """Return the ``(y, x)`` shape of an image with `factor` times as many pixels along either axis.

    Examples
    --------
    >>> resampled_shape((100, 61), 0.5)
    (50, 30)
    """
    rows, columns = (max(1, round(size * factor)) for size in shape)
    return rows, columns


def resample_image(image: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Resample an image, ``(y, x)``, to `factor` times as many pixels along either axis, low-passed if it shrinks."""
    shape = resampled_shape(image.shape, factor)
    if shape == image.shape:
        return image
    return resize(image, shape, order=3, anti_aliasing=factor < 1, preserve_range=True).astype(np.float32)


def resample_mask(mask: NDArray[np.bool_], factor: float) -> NDArray[np.bool_]:
    """Resample a mask of usable pixels, ``(y, x)``; a pixel stays usable if all that it consists of was."""
    return resample_image(mask.astype(np.float32), factor) > WHOLE_PIXEL


def resample_valid(
    image: NDArray[np.float32], valid_mask: NDArray[np.bool_], factor: float
) -> NDArray[np.float32]:
    """Resample an image after clipping it to the range of its valid pixels.

    A hot pixel would otherwise spread further than the mask reaches.
    """
    if factor == 1:
        return image
    valid = image[valid_mask]
    return resample_image(np.clip(image, valid.min(), valid.max()), factor)
