"""A tilt as the network should see it: what is neither signal nor noise taken off, at one contrast."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from faket_dask.kernels.artefacts import artefact_mask, background, fill
from faket_dask.kernels.moments import standardise
from faket_dask.kernels.noise.spectral import anisotropy, shaped_field
from faket_dask.kernels.noise.unpaired import ring_power

# Within [0, 1]: noise of a standard deviation of 0.1 about 0.5 is what scaling by extrema gives, too.
NETWORK_MEAN, NETWORK_STD = 0.5, 0.1

SHADING_PX = 16.0
"""Standard deviation of the Gaussian above which an image is shading: waves of 85 pixels are halved."""


def remove_background(
    image: NDArray[np.generic], valid_mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """A recorded image, `(y, x)`, without its artefacts (as found, or where it is not valid_mask) and its smooth
    background.
    """
    mask = artefact_mask(image) if valid_mask is None else ~valid_mask
    filled = fill(image, mask)
    return filled - background(filled, mask)


def scale_to_network(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """The image, `(y, x)`, shifted and scaled to mean 0.5 and standard deviation 0.1, clipped to [0, 1]."""
    return np.clip(NETWORK_MEAN + NETWORK_STD * standardise(image), 0, 1).astype(np.float32)


def masked_moments(image: NDArray[np.generic], valid_mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Mean and standard deviation of the valid pixels of an image, both `(y, x)`.

    Raises
    ------
    ValueError
        If those have no contrast.
    """
    values = np.asarray(image)[valid_mask].astype(np.float64)
    if values.size == 0 or not np.isfinite(values).all() or values.min() == values.max():
        raise ValueError("the image has no contrast, or no finite one, where it is valid")
    return float(values.mean()), float(values.std())


def standardise_masked(image: NDArray[np.generic], valid_mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The image, `(y, x)`, shifted and scaled to mean 0 and standard deviation 1 of its valid pixels."""
    mean, std = masked_moments(image, valid_mask)
    return ((np.asarray(image, dtype=np.float64) - mean) / std).astype(np.float32)


def estimate_shading(image: NDArray[np.generic], valid_mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What of an image varies slowly: ramps of the ice, shapes of cell and holes, but neither particles nor noise.

    It is no texture, but takes a share of the variance: at equal variance, two images that differ in their shading
    differ in the strength of their noise.

    Parameters
    ----------
    image
        `(y, x)` in any unit.
    valid_mask
        `(y, x)`, false for beads, bad pixels, and what lies beyond the detector.
    """
    return _shading_of(fill(image, ~valid_mask), valid_mask)


def _shading_of(filled: NDArray[np.float64], valid_mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    smooth = background(filled, ~valid_mask)
    return smooth + scipy.ndimage.gaussian_filter(filled - smooth, SHADING_PX)


def extract_texture(image: NDArray[np.generic], valid_mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """A recorded image as if noise were all there is to it: without its shading, standardised, and with noise of its
    own spectrum where it is not valid_mask.

    Smooth patches in place of beads would be seen by every activation of a deep layer that has one in view.

    Parameters
    ----------
    image
        `(y, x)` in any unit.
    valid_mask
        `(y, x)`, false for beads, bad pixels, and what lies beyond the detector.

    Raises
    ------
    ValueError
        If the valid pixels have no contrast.
    """
    masked_moments(
        image, valid_mask
    )  # a constant less its shading is rounding, which would pass for contrast
    filled = fill(image, ~valid_mask)
    standard = standardise_masked(filled - _shading_of(filled, valid_mask), valid_mask)
    if not valid_mask.all():
        # One draw for all images: it is as good as any, and the result is the image's alone.
        white = np.random.default_rng(0).standard_normal(standard.shape, dtype=np.float32)
        rings = ring_power(standard, min(standard.shape) // 2)[0]
        noise = shaped_field(white, rings, anisotropy(standard))
        standard[~valid_mask] += noise[~valid_mask]
    return standard


def to_network_input(standard: NDArray[np.float32]) -> NDArray[np.float32]:
    """A standardised image, `(y, x)`, at the contrast of `scale_to_network`, but not clipped."""
    return (NETWORK_MEAN + NETWORK_STD * standard).astype(np.float32)
