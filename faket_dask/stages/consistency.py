"""Judgement of tilt-series in three dimensions, on the middle of their tilts."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.artefacts import artefact_mask, fill
from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.moments import standardise
from faket_dask.kernels.similarity.discrimination import Discrimination
from faket_dask.kernels.similarity.tilt_coherence import (
    WIDEST_STEP_DEG,
    centred_bands,
    measure_common_power,
    pair_neighbours,
)
from faket_dask.kernels.similarity.tomogram_judges import judge_ring_powers
from faket_dask.stages.reconstruction import prepare_tilt

CROP_PX = 256
"""Side in pixels of the middle that is judged."""

LAYERS = 64
"""Layers of the tomograms that are told apart."""

PERIODS_PX = (32.0, 21.0, 14.0, 9.0, 6.0, 4.0, 2.5)
"""Wavelengths in pixels around which coherence is given."""

LEAST_TOMOGRAM = (11, 128)
"""Fewest tilts of a tomogram that is judged, and its shortest side in pixels."""


class Coherence(TypedDict):
    """Coherence of neighbouring tilts by wavelength."""

    step_deg: float
    wavelengths_A: list[float]
    coherence: list[float]
    standard_error: list[float]
    flipped: list[float]


def crop_middle(image: NDArray[np.generic], size: int) -> NDArray[np.float32]:
    """Return the middle of an image; its tilt axis stays at half its columns.

    Parameters
    ----------
    image
        ``(y, x)`` of any real type.
    size
        Largest side of the middle in pixels.

    Examples
    --------
    >>> crop_middle(np.arange(5)[None] * np.ones((3, 1)), 2)
    array([[1., 2.],
           [1., 2.]], dtype=float32)
    """
    rows, columns = (min(size, extent) for extent in image.shape)
    top, left = image.shape[0] // 2 - rows // 2, image.shape[1] // 2 - columns // 2
    return np.asarray(image[top : top + rows, left : left + columns], dtype=np.float32)


def mask_artefacts(stack: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the pixels ``(tilt, y, x)`` of a stack that are no artefacts."""
    return np.stack([~artefact_mask(tilt) for tilt in stack])


def measure_coherence(
    stack: NDArray[np.float32],
    masks: NDArray[np.bool_],
    tilt_angles: NDArray[np.float64],
    pixel_size_A: float,
) -> Coherence | None:
    """Measure the coherence of neighbouring tilts.

    Parameters
    ----------
    stack, masks
        ``(tilt, y, x)`` aligned tilts and their valid pixels.
    tilt_angles
        ``(tilt,)`` degrees.
    pixel_size_A
        Pixel edge in Å.

    Returns
    -------
    coherence
        ``None`` where no two tilts are neighbours, or the stack is empty or too small.
    """
    pairs = pair_neighbours(tilt_angles)
    periods = [period for period in PERIODS_PX if period <= min(stack.shape[1:]) / 6]
    steps = [abs(tilt_angles[second] - tilt_angles[first]) for first, second in pairs]
    if not pairs or max(steps) > WIDEST_STEP_DEG or not periods:
        return None
    try:
        power = measure_common_power(standardise_tilts(stack, masks), tilt_angles, masks)
    except ValueError:  # an empty stack, or one whose middle is masked
        return None
    bands = [power.average_bands(edges) for edges in centred_bands(1 / np.array(periods))]
    return {
        "step_deg": float(np.mean(steps)),
        "wavelengths_A": [period * pixel_size_A for period in periods],
        "coherence": [float(band.coherence[0]) for band in bands],
        "standard_error": [float(band.coherence_error[0]) for band in bands],
        "flipped": [float(band.null_coherence[0]) for band in bands],
    }


def tell_tomograms_apart(
    ours: tuple[NDArray[np.float32], NDArray[np.bool_]],
    our_angles: NDArray[np.float64],
    theirs: tuple[NDArray[np.float32], NDArray[np.bool_]],
    their_angles: NDArray[np.float64],
) -> Discrimination | None:
    """Tell tomograms of the middles of two series apart by the ring powers of patches.

    Parameters
    ----------
    ours, theirs
        ``(tilt, y, x)`` aligned tilts of a synthetic and of a recorded series, and their valid pixels.
    our_angles, their_angles
        ``(tilt,)`` degrees; each of their tilts is matched by the nearest of ours, and both tomograms have as many.

    Returns
    -------
    discrimination
        ``None`` where there are too few tilts, or they are too small.
    """
    nearest = np.array([int(np.argmin(np.abs(our_angles - angle))) for angle in their_angles])
    first = np.unique(nearest, return_index=True)[1]
    chosen = nearest[first], first
    side = min(*ours[0].shape[1:], *theirs[0].shape[1:])
    if len(first) < LEAST_TOMOGRAM[0] or side < LEAST_TOMOGRAM[1]:
        return None
    try:
        tomograms = [
            reconstruct_middle(stack[tilts], masks[tilts], angles[tilts])
            for (stack, masks), angles, tilts in (
                (ours, our_angles, chosen[0]),
                (theirs, their_angles, chosen[1]),
            )
        ]
        return judge_ring_powers(tomograms[0], tomograms[1])
    except ValueError:  # too few patches in a quarter of the recorded tomogram
        return None


def standardise_tilts(stack: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the tilts ``(tilt, y, x)`` without artefacts, each of mean 0 and standard deviation 1.

    Parameters
    ----------
    stack, masks
        ``(tilt, y, x)`` tilts and their valid pixels.
    """
    return np.stack([standardise(fill(tilt, ~valid)) for tilt, valid in zip(stack, masks, strict=True)])


def reconstruct_middle(
    stack: NDArray[np.float32],
    masks: NDArray[np.bool_],
    tilt_angles: NDArray[np.float64],
    layers: int = LAYERS,
) -> NDArray[np.float32]:
    """Reconstruct a tomogram ``(layers, y, x)`` of tilts, standardised and without artefacts.

    Parameters
    ----------
    stack, masks
        ``(tilt, y, x)`` aligned tilts and their valid pixels.
    tilt_angles
        ``(tilt,)`` degrees.
    layers
        Layers of the tomogram.
    """
    filtered = [
        prepare_tilt(tilt=image, kind="hann", tilt_angles=tilt_angles, index=index, thickness_px=layers)
        for index, image in enumerate(standardise_tilts(stack, masks))
    ]
    return back_project(np.stack(filtered), tilt_angles, layers)
