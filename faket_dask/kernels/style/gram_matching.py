"""Style transfer that ends next to the reference: the method `matched`.

From a start image that has the reference's noise spectrum already, few steps of L-BFGS lower the mean relative error of
the Gram matrices,

    L = Σ_l (w_l / f_l) e_l / Σ_l (w_l / f_l),    e_l = ‖G_l(x) - G_l(style)‖² / ‖G_l(style)‖²  (Frobenius norms),

in units of what one half of the reference has against the other, f_l, and no further than half of that: nearer would
be nearer than recordings are to each other. What is no texture is left out of both Gram matrices: beads, bad pixels,
the border of the image, where the network sees its own padding, and slow shading, which the result keeps as it was, as
it does the beads. An object that is left out can neither be copied from the reference nor be worn down in the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.kernels.style.activation_weights import layer_weights
from faket_dask.kernels.style.gradient_step import as_float32, check_style_layers, combine_targets, gram_sums
from faket_dask.kernels.style.lbfgs import Minimum, minimise
from faket_dask.kernels.style.loss import Objective
from faket_dask.kernels.style.network_input import (
    NETWORK_STD,
    estimate_shading,
    extract_texture,
    masked_moments,
    standardise_masked,
    to_network_input,
)
from faket_dask.kernels.vgg import VGG19, channels, stride

LEAST_BELIEVED = 0.1
"""Share of half a tilt that must be left for it to have a style of its own."""

FLOOR_SHARE = 0.5
"""Of the floor, where the transfer ends.

Two halves of a recorded tilt differ by the chance of both, each twice that of a whole tilt. A whole tilt of that style
differs from the mean of the style by its own chance, and that mean was itself taken from one tilt: half as much.
"""


@dataclass(frozen=True)
class GramMatchingSettings:
    """How style is matched.

    Parameters
    ----------
    style_layers
        Layers whose Gram matrices are matched, with weights.
    evaluations
        Most evaluations of loss and gradient; fewer when the loss falls below the reference's own variation earlier.

    Raises
    ------
    ValueError
        If there is no style layer, a layer does not exist, or a number is out of range.
    """

    style_layers: Mapping[int, float] = field(
        default_factory=lambda: {1: 1.0, 6: 1.0, 11: 1.0, 20: 1.0, 29: 1.0}
    )
    evaluations: int = 8

    def __post_init__(self) -> None:
        check_style_layers(self.style_layers)
        if self.evaluations < 1:
            raise ValueError(f"evaluations must be at least 1, got {self.evaluations}")


@dataclass(frozen=True, eq=False)
class ReferenceGrams:
    """The style of a tilt or of a mixture of tilts.

    Attributes
    ----------
    grams
        Layer → (C, C) float32 mean of F Fᵀ.
    floor
        Layer → squared relative distance of the Gram matrices of one half of the tilt to those of the other; 0 where
        the tilt is too small to be halved.
    """

    grams: Mapping[int, NDArray[np.float32]]
    floor: Mapping[int, float]


@torch.no_grad()
def measure_grams(
    network: VGG19,
    tilt: NDArray[np.generic],
    layers: Iterable[int],
    tile: int | None = None,
    valid_mask: NDArray[np.bool_] | None = None,
) -> ReferenceGrams:
    """The style of a recorded tilt: the mean of its left and right half, each at its own brightness and contrast.

    Parameters
    ----------
    network
        The network.
    tilt
        ``(y, x)`` in any unit.
    layers
        Layers to take it at.
    tile
        Side of the tiles in which it is taken, a multiple of 16; ``None`` for the whole image at once.
    valid_mask
        ``(y, x)`` bool, false for beads, bad pixels, and what lies beyond the detector. ``None`` for all.

    Raises
    ------
    ValueError
        If the tilt is not finite, too small, or without contrast where it is valid.
    """
    wanted = sorted(set(layers))
    seen = np.ones(np.shape(tilt), dtype=np.bool_) if valid_mask is None else valid_mask
    if np.ndim(tilt) != 2 or np.shape(tilt) != seen.shape:
        raise ValueError(f"tilt must be (y, x), and valid_mask of its shape: {np.shape(tilt)}, {seen.shape}")

    def grams_of(part: tuple[slice, ...]) -> dict[int, NDArray[np.float32]]:
        return texture_grams(
            network, extract_texture(np.asarray(tilt)[part], seen[part]), seen[part], wanted, tile
        )

    half = seen.shape[1] // 2
    parts = [(slice(None), slice(0, half)), (slice(None), slice(seen.shape[1] - half, None))]
    if half < 2 * stride(wanted[-1]) or not all(seen[part].mean() > LEAST_BELIEVED for part in parts):
        return ReferenceGrams(grams_of((slice(None),)), dict.fromkeys(wanted, 0.0))
    left, right = map(grams_of, parts)
    grams = combine_targets([left, right], [0.5, 0.5])
    floor = {layer: _error(left[layer] - right[layer].astype(np.float64), grams[layer]) for layer in wanted}
    return ReferenceGrams(grams, floor)


@torch.no_grad()
def texture_grams(
    network: VGG19,
    standard: NDArray[np.float32],
    valid_mask: NDArray[np.bool_],
    layers: Sequence[int],
    tile: int | None = None,
) -> dict[int, NDArray[np.float32]]:
    """Gram matrices, layer → (C, C), of a `texture` as one whole, at increasing layers; else as of `measure_grams`."""
    given = torch.from_numpy(to_network_input(_checked("tilt", standard, layers[-1]))).to(network.device)
    sums, totals = gram_sums(network, given, layers, tile, layer_weights(valid_mask, layers))
    return {layer: as_float32(sums[layer] / totals[layer]) for layer in layers}


def _error(difference: NDArray[np.floating], gram: NDArray[np.float32]) -> float:
    """Squared Frobenius norm of a difference, relative to that of a Gram matrix."""
    return float(np.square(difference, dtype=np.float64).sum() / np.square(gram, dtype=np.float64).sum())


def blend_grams(styles: Sequence[ReferenceGrams], shares: Sequence[float]) -> ReferenceGrams:
    """The style of a mixture, with shares that add up to 1; parameters as of `combine_targets`."""
    grams = combine_targets([style.grams for style in styles], shares)
    floor = {
        layer: sum(share * style.floor[layer] for style, share in zip(styles, shares, strict=True))
        for layer in grams
    }
    return ReferenceGrams(grams, floor)


@torch.no_grad()
def match_grams(
    network: VGG19,
    start: NDArray[np.float32],
    style: ReferenceGrams,
    settings: GramMatchingSettings,
    tile: int | None = None,
) -> Minimum:
    """The image nearest a start image that has a style, as far as the evaluations take it.

    Parameters
    ----------
    network
        The network.
    start
        ``(y, x)`` in any unit; signal and noise, the latter best of the spectrum that the style's has.
    style
        The style, at least at the layers of the settings.
    settings
        How it is matched.
    tile
        Side of the tiles in which the gradient is computed, a multiple of 16: less memory, more time, and the same
        result up to rounding. ``None`` computes the whole image at once.

    Returns
    -------
    found
        Image ``(y, x)`` float32 of mean 0 and standard deviation 1 where it has no beads or other artefacts, and the
        losses on the way to it.

    Raises
    ------
    ValueError
        If the start image is not finite, too small or constant, or the style is missing or misshapen at a layer.
    """
    layers = sorted(settings.style_layers)
    for layer in layers:
        if layer not in style.grams or style.grams[layer].shape != (channels(layer),) * 2:
            raise ValueError(f"the style has no Gram matrix of {channels(layer)} channels at layer {layer}")
    importance, enough = _importance(settings.style_layers, style.floor)
    valid_mask = ~artefact_mask(start)
    slow = estimate_shading(start, valid_mask)
    mean, std = masked_moments(start - slow, valid_mask)
    # Without its beads, however deep they are: activations next to one that is left out still see some of it.
    standard = _checked("start", extract_texture(start, valid_mask), layers[-1])
    objective = Objective(
        network,
        style.grams,
        importance,
        None,
        0.0,
        (standard.shape[0], standard.shape[1]),
        tile,
        "relative",
        layer_weights(valid_mask, layers),
    )

    def evaluate(image: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        grey = torch.from_numpy(to_network_input(image)).to(network.device)
        loss, gradient = objective.loss_and_gradient(grey.expand(3, -1, -1))
        return float(loss), gradient.sum(dim=0).mul_(NETWORK_STD).cpu().numpy()

    found = minimise(evaluate, standard, enough, settings.evaluations)
    image = np.where(valid_mask, found.image * std + mean + slow, start)
    return Minimum(standardise_masked(image, valid_mask), found.loss, found.losses)


def _importance(weights: Mapping[int, float], floor: Mapping[int, float]) -> tuple[dict[int, float], float]:
    """Weights in units of the floor, and the loss at which the style is near enough."""
    if not all(floor[layer] > 0 for layer in weights):
        return dict(weights), 0.0
    importance = {layer: weight / floor[layer] for layer, weight in weights.items()}
    return importance, FLOOR_SHARE * sum(weights.values()) / sum(importance.values())


def _checked(name: str, image: NDArray[np.float32], deepest: int) -> NDArray[np.float32]:
    smallest = max(2, stride(deepest))
    if image.ndim != 2 or min(image.shape) < smallest or not np.isfinite(image).all():
        raise ValueError(
            f"{name} must be a finite (y, x) image of at least {smallest} x {smallest} pixels, got shape {image.shape}"
        )
    return image
