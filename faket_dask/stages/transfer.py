"""Style transfer of one tilt: scaled, transferred, and given the reference's mean and std."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.moments import match_moments
from faket_dask.kernels.style.gradient_step import StyleSettings, combine_targets, gram_targets, transfer
from faket_dask.kernels.style.gram_matching import (
    GramMatchingSettings,
    ReferenceGrams,
    blend_grams,
    match_grams,
    measure_grams,
)
from faket_dask.kernels.style.scaling import Scaling, TiltScaling
from faket_dask.kernels.vgg import VGG19

GramTargets = dict[int, NDArray[np.float32]]


def style_targets(
    network: VGG19,
    reference_tilt: NDArray[np.float32],
    scaling: Scaling | TiltScaling,
    layers: Iterable[int],
    tile: int | None = None,
) -> GramTargets:
    """Gram matrices, layer → (C, C), of one reference tilt, ``(y, x)`` of any size, scaled as its stack is."""
    return gram_targets(network, scaling.apply(reference_tilt), layers, tile)


def mixed_targets(parts: Sequence[tuple[GramTargets, float]]) -> GramTargets:
    """Gram matrices of a mixture of reference tilts with shares that add up to 1."""
    if len(parts) == 1:
        return parts[0][0]
    return combine_targets([targets for targets, _ in parts], [share for _, share in parts])


def stylise(
    network: VGG19,
    start: NDArray[np.float32],
    content: NDArray[np.float32],
    start_scaling: Scaling | TiltScaling,
    content_scaling: Scaling | TiltScaling,
    targets: GramTargets,
    mean: float,
    std: float,
    settings: StyleSettings,
    tile: int | None = None,
) -> NDArray[np.float32]:
    """The `faket` tilt: style transfer started from `start`, ``(y, x)``, that keeps `content`, ``(y, x)``.

    Parameters
    ----------
    start_scaling, content_scaling
        Of the whole stacks that the two tilts belong to.
    targets
        Gram matrices of the reference at this tilt.
    mean, std
        Of the reference at this tilt, in the reference's units; the result has them exactly.
    tile
        Side of the tiles that the gradient is computed in, ``None`` for the whole image.
    """
    result = transfer(
        network, content_scaling.apply(content), start_scaling.apply(start), targets, settings, tile
    )
    return match_moments(result, mean, std)


def style_of(
    network: VGG19,
    reference_tilt: NDArray[np.float32],
    valid_mask: NDArray[np.bool_],
    layers: Iterable[int],
    tile: int | None = None,
) -> ReferenceGrams:
    """Style for the method `matched` of one reference tilt, ``(y, x)`` of any size, where it is valid."""
    return measure_grams(network, reference_tilt, layers, tile, valid_mask)


def mixed_style(parts: Sequence[tuple[ReferenceGrams, float]]) -> ReferenceGrams:
    """Style of a mixture of reference tilts with shares that add up to 1."""
    if len(parts) == 1:
        return parts[0][0]
    return blend_grams([style for style, _ in parts], [share for _, share in parts])


def matched(
    network: VGG19,
    start: NDArray[np.float32],
    style: ReferenceGrams,
    mean: float,
    std: float,
    settings: GramMatchingSettings,
    tile: int | None = None,
) -> NDArray[np.float32]:
    """The `faket` tilt by the method `matched`, started from `start`, ``(y, x)``.

    Parameters
    ----------
    style
        Of the reference at this tilt.
    mean, std
        Of the reference at this tilt, in the reference's units. The result has them where it shows no beads, since
        the reference's were taken there, too.
    tile
        Side of the tiles that the gradient is computed in, ``None`` for the whole image.
    """
    result = match_grams(network, start, style, settings, tile).image
    return (result * np.float64(std) + mean).astype(np.float32)
