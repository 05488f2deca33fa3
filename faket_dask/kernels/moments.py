"""Mean and standard deviation of images, accumulated in float64 whatever the type of the image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Moments(NamedTuple):
    """Mean and standard deviation of an image, in its own unit."""

    mean: float
    std: float


def standardise(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return an image shifted and scaled to mean 0 and standard deviation 1.

    Parameters
    ----------
    image
        ``(y, x)`` real values of any unit. An image without contrast has nothing to scale and becomes zero everywhere.

    Returns
    -------
    standard
        ``(y, x)`` float32, without unit.

    Raises
    ------
    ValueError
        If the image is empty or holds NaN or infinity.

    Examples
    --------
    >>> standardise(np.array([[1, 3], [3, 1]]))
    array([[-1.,  1.],
           [ 1., -1.]], dtype=float32)
    """
    return standardise_float64(image).astype(np.float32)


def match_moments(image: NDArray[np.generic], mean: float, std: float) -> NDArray[np.float32]:
    """Return an image shifted and scaled to a mean and a (population) standard deviation.

    Parameters
    ----------
    image
        ``(y, x)`` real values of any unit.
    mean, std
        Moments of the result, in its unit; `std` is not negative.

    Returns
    -------
    matched
        ``(y, x)`` float32 with those moments to float32 rounding.

    Raises
    ------
    ValueError
        If the image is empty, not finite, or constant although `std` is not 0 (no scaling gives it
        contrast), or if a moment is not finite or `std` is negative.

    Examples
    --------
    >>> match_moments(np.array([[1, 3], [3, 1]]), mean=10, std=2)
    array([[ 8., 12.],
           [12.,  8.]], dtype=float32)
    """
    if not (np.isfinite(mean) and np.isfinite(std) and std >= 0):
        raise ValueError(f"mean and std must be finite and std not negative, got mean {mean} and std {std}")
    standard = standardise_float64(image)
    if std > 0 and not standard.any():
        raise ValueError(
            f"a constant image cannot be given the standard deviation {std}: it has no contrast to scale"
        )
    return (standard * float(std) + float(mean)).astype(np.float32)


def standardise_float64(image: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return a standardised image in float64, for sums that follow; see `standardise`."""
    image = np.asarray(image)
    if image.size == 0:
        raise ValueError(f"cannot standardise an empty image of shape {image.shape}")
    mean = image.mean(dtype=np.float64)
    if not np.isfinite(mean):
        raise ValueError("cannot standardise an image that holds NaN or infinity")
    # Compared exactly: rounding of the mean would give a constant image a tiny, meaningless contrast.
    if image.min() == image.max():
        return np.zeros(image.shape)
    centred = image - mean
    return np.divide(centred, np.sqrt(np.mean(np.square(centred))), out=centred)
