"""Gold beads of a tilt replaced by what surrounds them, before streaks of them fill a tomogram.

In place of each bead comes the plane through its surroundings, and noise of their strength with the spectrum of the
tilt: a smooth patch would be seen in a tomogram as a bead is.
"""

from __future__ import annotations

import hashlib

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from faket_dask.kernels.artefacts import artefact_mask, fill, find_flat_regions
from faket_dask.kernels.noise.spectral import anisotropy, shaped_field
from faket_dask.kernels.noise.unpaired import ring_power

_MARGIN_PX = 2
"""Pixels around an artefact that are replaced with it, where the fringe of a bead fades."""

_LARGEST_SHARE = 0.5
"""Share of the shorter side beyond which an artefact is no bead, but carbon, a grid bar or a border."""

_SURROUNDINGS = 1.0
"""Width of the surroundings of a bead in units of its larger side."""

_LEAST_SURROUNDINGS_PX = 12
"""Smallest such width in pixels."""

_SHADING_PX = 16.0
"""Standard deviation of the Gaussian above which an image is shading, not noise."""

_LEAST_PIXELS = 30
"""Pixels that a plane and a standard deviation are estimated from at least."""


def find_beads(tilt: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Find gold beads and other compact artefacts, such as hot pixels, with the fringe around them.

    Parameters
    ----------
    tilt
        ``(y, x)`` finite values of any unit.

    Returns
    -------
    mask
        ``(y, x)`` bool, true for beads; borders that a program filled, carbon and grid bars are none.
    """
    return _select_compact(tilt, artefact_mask(tilt))


def _select_compact(tilt: NDArray[np.generic], artefacts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    flat = find_flat_regions(np.asarray(tilt, dtype=np.float64))
    labels, _ = scipy.ndimage.label(artefacts & ~flat)
    largest = _LARGEST_SHARE * min(labels.shape)
    mask = np.zeros(labels.shape, dtype=np.bool_)
    for number, box in enumerate(scipy.ndimage.find_objects(labels), start=1):
        if max(side.stop - side.start for side in box) <= largest:
            mask[box] |= labels[box] == number
    if not mask.any():
        return mask
    return (scipy.ndimage.distance_transform_edt(~mask) <= _MARGIN_PX) & ~flat


def erase_beads(tilt: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return a tilt with beads replaced by local background and noise; the same one where it has no beads.

    Parameters
    ----------
    tilt
        ``(y, x)`` finite values of any unit.

    Returns
    -------
    erased
        ``(y, x)`` float32, equal to the tilt outside beads. The noise is drawn from a seed that follows from the tilt:
        the same tilt gives the same result, and no two tilts have the same noise.

    Examples
    --------
    >>> tilt = np.random.default_rng(0).normal(100, 1, size=(128, 128)).astype(np.float32)
    >>> erase_beads(tilt) is tilt
    True
    >>> tilt[60:68, 60:68] -= 50
    >>> erased = erase_beads(tilt)
    >>> bool(erased.min() > 90), bool((erased[:40] == tilt[:40]).all())
    (True, True)
    """
    artefacts = artefact_mask(tilt)
    beads = _select_compact(tilt, artefacts)
    if not beads.any():
        return tilt
    unusable = artefacts | beads
    filled = fill(tilt, unusable)
    texture = filled - scipy.ndimage.gaussian_filter(filled, _SHADING_PX)
    noise = _draw_noise(tilt, texture)
    erased = np.array(tilt, dtype=np.float32)
    labels, _ = scipy.ndimage.label(beads)
    for number, box in enumerate(scipy.ndimage.find_objects(labels), start=1):
        reach = max(
            _LEAST_SURROUNDINGS_PX, round(_SURROUNDINGS * max(side.stop - side.start for side in box))
        )
        window = tuple(
            slice(max(0, side.start - reach), min(size, side.stop + reach))
            for side, size in zip(box, beads.shape, strict=True)
        )
        bead = labels[window] == number
        around = ~unusable[window]
        if np.count_nonzero(around) < _LEAST_PIXELS:
            level, spread = filled[window], float(texture[~unusable].std())
        else:
            level = _fit_plane(np.asarray(tilt[window], dtype=np.float64), around)
            spread = float(texture[window][around].std())
        erased[window][bead] = (level + spread * noise[window])[bead]
    return erased


def _draw_noise(tilt: NDArray[np.generic], texture: NDArray[np.float64]) -> NDArray[np.float32]:
    """Draw noise of standard deviation 1 with the spectrum of a texture."""
    seed = int.from_bytes(hashlib.sha256(np.ascontiguousarray(tilt).tobytes()).digest()[:8], "little")
    white = np.random.default_rng(seed).standard_normal(texture.shape, dtype=np.float32)
    return shaped_field(white, ring_power(texture, min(texture.shape) // 2)[0], anisotropy(texture))


def _fit_plane(image: NDArray[np.float64], used: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the plane nearest to the used pixels of an image, ``(y, x)``."""
    y, x = (axis - axis.mean() for axis in np.indices(image.shape, dtype=np.float64))
    terms = np.stack([np.ones(image.shape), y, x], axis=-1)
    coefficients = np.linalg.lstsq(terms[used], image[used], rcond=None)[0]
    return np.asarray(terms @ coefficients)
