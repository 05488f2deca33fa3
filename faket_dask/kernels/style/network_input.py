"""Tilts prepared for a network: without shading and artefacts, at one contrast."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from faket_dask.kernels.artefacts import artefact_mask, background, fill
from faket_dask.kernels.moments import standardise
from faket_dask.kernels.noise.spectral import anisotropy, shaped_field
from faket_dask.kernels.noise.unpaired import ring_power

NETWORK_MEAN, NETWORK_STD = 0.5, 0.1
"""Moments within [0, 1] that scaling by extrema gives noise, too."""

SHADING_PX = 16.0
"""Standard deviation of the Gaussian above which an image is shading: waves of 85 pixels are halved."""


def remove_background(
    image: NDArray[np.generic], valid_mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return a recorded image without its artefacts and its smooth background.

    Parameters
    ----------
    image
        ``(y, x)`` in any unit.
    valid_mask
        ``(y, x)`` bool, false for artefacts; by default they are looked for.
    """
    mask = artefact_mask(image) if valid_mask is None else ~valid_mask
    filled = fill(image, mask)
    return filled - background(filled, mask)


def scale_to_network(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return an image, ``(y, x)``, shifted and scaled to mean 0.5 and standard deviation 0.1, clipped to [0, 1].

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(100, 20, size=(64, 64))
    >>> round(float(scale_to_network(image).std()), 3)
    0.1
    """
    return np.clip(NETWORK_MEAN + NETWORK_STD * standardise(image), 0, 1).astype(np.float32)


def masked_moments(image: NDArray[np.generic], valid_mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Return mean and standard deviation of the valid pixels of an image, both ``(y, x)``.

    Raises
    ------
    ValueError
        If they have no contrast.

    Examples
    --------
    >>> masked_moments(np.array([[1.0, 3.0, 99.0]]), np.array([[True, True, False]]))
    (2.0, 1.0)
    """
    values = np.asarray(image)[valid_mask].astype(np.float64)
    if values.size == 0 or not np.isfinite(values).all() or values.min() == values.max():
        raise ValueError("the image has no contrast, or no finite one, where it is valid")
    return float(values.mean()), float(values.std())


def standardise_masked(image: NDArray[np.generic], valid_mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return an image, ``(y, x)``, shifted and scaled to mean 0 and standard deviation 1 of its valid pixels."""
    mean, std = masked_moments(image, valid_mask)
    return ((np.asarray(image, dtype=np.float64) - mean) / std).astype(np.float32)


def estimate_shading(image: NDArray[np.generic], valid_mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the slow variation of an image: ramps of the ice, shapes of cell and holes, but no particles or noise.

    Shading is no texture, but takes a share of the variance: at equal variance, two images that differ in their
    shading differ in the strength of their noise.

    Parameters
    ----------
    image
        ``(y, x)`` in any unit.
    valid_mask
        ``(y, x)`` bool, false for beads, bad pixels, and areas outside the detector.
    """
    return _smooth(fill(image, ~valid_mask), valid_mask)


def _smooth(filled: NDArray[np.float64], valid_mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    surface = background(filled, ~valid_mask)
    return surface + scipy.ndimage.gaussian_filter(filled - surface, SHADING_PX)


def extract_texture(image: NDArray[np.generic], valid_mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return a recorded image without its shading, standardised, with noise of its own spectrum in invalid places.

    Smooth patches in place of beads would be seen by every activation of a deep layer that has one in view.

    Parameters
    ----------
    image
        ``(y, x)`` in any unit.
    valid_mask
        ``(y, x)`` bool, false for beads, bad pixels, and areas outside the detector.

    Returns
    -------
    texture
        ``(y, x)`` float32, of mean 0 and standard deviation 1 over the valid pixels.

    Raises
    ------
    ValueError
        If the valid pixels have no contrast.
    """
    masked_moments(
        image, valid_mask
    )  # a constant less its shading is rounding, which would pass for contrast
    filled = fill(image, ~valid_mask)
    texture = standardise_masked(filled - _smooth(filled, valid_mask), valid_mask)
    if not valid_mask.all():
        # One draw for all images: it is as good as any, and the result is the image's alone.
        white = np.random.default_rng(0).standard_normal(texture.shape, dtype=np.float32)
        rings = ring_power(texture, min(texture.shape) // 2)[0]
        noise = shaped_field(white, rings, anisotropy(texture))
        texture[~valid_mask] += noise[~valid_mask]
    return texture


def to_network_input(standard: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a standardised image, ``(y, x)``, at the contrast of `scale_to_network`, but not clipped."""
    return (NETWORK_MEAN + NETWORK_STD * standard).astype(np.float32)
