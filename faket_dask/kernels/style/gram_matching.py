"""Style transfer by matching Gram matrices, which ends next to the reference.

From a start image that has the reference's noise spectrum already, few steps of L-BFGS lower the mean relative error of
the Gram matrices,

    L = Σ_l (w_l / d_l) e_l / Σ_l (w_l / d_l),    e_l = ‖G_l(x) - G_l(style)‖² / ‖G_l(style)‖²  (Frobenius norms),

in units of the intra-reference distance d_l, by which one half of the reference differs from the other, and no further
than half of that: nearer would be nearer than recordings are to each other. Beads, bad pixels, slow shading and the
border of the image, where the network sees its own padding, are left out of both Gram matrices; the result keeps
shading and beads as they were. An object that is left out can neither be copied from the reference nor be worn down in
the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.kernels.style.activation_weights import layer_weights
from faket_dask.kernels.style.gradient_step import as_float32, combine_targets, gram_sums
from faket_dask.kernels.style.lbfgs import Minimum, minimise
from faket_dask.kernels.style.loss import GramTerm, Objective
from faket_dask.kernels.style.network import Network
from faket_dask.kernels.style.network_input import (
    NETWORK_STD,
    estimate_shading,
    extract_texture,
    masked_moments,
    standardise_masked,
    to_network_input,
)
from faket_dask.kernels.style.settings import GramMatchingSettings

__all__ = [
    "GramMatchingSettings",
    "ReferenceGrams",
    "blend_grams",
    "match_grams",
    "measure_grams",
    "texture_grams",
]

LEAST_VALID = 0.1
"""Smallest share of valid pixels with which half a tilt has a style of its own."""

NEAREST_SHARE = 0.5
"""Share of the intra-reference distance at which the transfer ends.

Two halves of a recorded tilt differ by the chance of both, each twice that of a whole tilt. A whole tilt of that style
differs from the mean of the style by its own chance, and that mean was itself taken from one tilt: half as much.
"""


@dataclass(frozen=True, eq=False)
class ReferenceGrams:
    """Style of a tilt or of a blend of tilts.

    Parameters
    ----------
    grams
        Layer → (C, C) float32 mean of F Fᵀ.
    intra_distance
        Layer → squared relative distance of the Gram matrices of one half of the tilt to those of the other; 0 where
        the tilt is too small to be halved.
    """

    grams: Mapping[int, NDArray[np.float32]]
    intra_distance: Mapping[int, float]


@torch.no_grad()
def measure_grams(
    network: Network,
    tilt: NDArray[np.generic],
    layers: Iterable[int],
    tile: int | None = None,
    valid_mask: NDArray[np.bool_] | None = None,
) -> ReferenceGrams:
    """Return the style of a recorded tilt: the mean of its halves, each at its own brightness and contrast.

    Parameters
    ----------
    network
        Network whose activations are multiplied.
    tilt
        ``(y, x)`` in any unit.
    layers
        Layers of the Gram matrices.
    tile
        Side of the tiles in which they are summed, a multiple of 16; ``None`` for the whole image at once.
    valid_mask
        ``(y, x)`` bool, false for beads, bad pixels, and areas outside the detector. ``None`` for all true.

    Raises
    ------
    ValueError
        If the tilt is not finite, too small, or without contrast where it is valid.
    """
    requested = sorted(set(layers))
    valid = np.ones(np.shape(tilt), dtype=np.bool_) if valid_mask is None else valid_mask
    if np.ndim(tilt) != 2 or np.shape(tilt) != valid.shape:
        raise ValueError(f"tilt must be (y, x), and valid_mask of its shape: {np.shape(tilt)}, {valid.shape}")

    def grams_in(part: tuple[slice, slice]) -> dict[int, NDArray[np.float32]]:
        texture = extract_texture(np.asarray(tilt)[part], valid[part])
        return texture_grams(network, texture, valid[part], requested, tile)

    half = valid.shape[1] // 2
    halves = [(slice(None), slice(0, half)), (slice(None), slice(valid.shape[1] - half, None))]
    too_small = half < 2 * network.architecture.stride(requested[-1])
    if too_small or not all(valid[part].mean() > LEAST_VALID for part in halves):
        return ReferenceGrams(grams_in((slice(None), slice(None))), dict.fromkeys(requested, 0.0))
    left, right = map(grams_in, halves)
    grams = combine_targets([left, right], [0.5, 0.5])
    distance = {
        layer: _relative_square(left[layer] - right[layer].astype(np.float64), grams[layer])
        for layer in requested
    }
    return ReferenceGrams(grams, distance)


@torch.no_grad()
def texture_grams(
    network: Network,
    texture: NDArray[np.float32],
    valid_mask: NDArray[np.bool_],
    layers: Sequence[int],
    tile: int | None = None,
) -> dict[int, NDArray[np.float32]]:
    """Return the Gram matrices, layer → (C, C), of a texture from `extract_texture` as one whole.

    Parameters
    ----------
    texture
        ``(y, x)`` standardised.
    layers
        Layers in increasing order.

    Other parameters are those of `measure_grams`.
    """
    checked = _checked("tilt", texture, network, layers[-1])
    image = torch.from_numpy(to_network_input(checked)).to(network.device)
    weights = layer_weights(valid_mask, network.architecture, layers)
    sums, totals = gram_sums(network, image, layers, tile, weights)
    return {layer: as_float32(sums[layer] / totals[layer]) for layer in layers}


def _relative_square(difference: NDArray[np.floating], gram: NDArray[np.float32]) -> float:
    """Return the squared Frobenius norm of a difference, relative to that of a Gram matrix."""
    return float(np.square(difference, dtype=np.float64).sum() / np.square(gram, dtype=np.float64).sum())


def blend_grams(styles: Sequence[ReferenceGrams], shares: Sequence[float]) -> ReferenceGrams:
    """Return the style of a blend.

    Parameters
    ----------
    styles
        Styles at the same layers.
    shares
        Share of each; they add up to 1.
    """
    grams = combine_targets([style.grams for style in styles], shares)
    distance = {
        layer: sum(share * style.intra_distance[layer] for style, share in zip(styles, shares, strict=True))
        for layer in grams
    }
    return ReferenceGrams(grams, distance)


@torch.no_grad()
def match_grams(
    network: Network,
    start: NDArray[np.float32],
    style: ReferenceGrams,
    settings: GramMatchingSettings,
    tile: int | None = None,
) -> Minimum:
    """Return the image nearest a start image that has a style, as far as the evaluations take it.

    Parameters
    ----------
    network
        Network whose activations are compared.
    start
        ``(y, x)`` in any unit; signal and noise, the latter best of the reference's spectrum.
    style
        Style of the reference, at least at the layers of the settings.
    settings
        Layers and number of evaluations.
    tile
        Side of the tiles in which the gradient is computed, a multiple of 16: less memory, more time, and the same
        result up to rounding. ``None`` computes the whole image at once.

    Returns
    -------
    minimum
        Image ``(y, x)`` float32 of mean 0 and standard deviation 1 where it has no beads or other artefacts, and the
        losses on the way to it.

    Raises
    ------
    ValueError
        If the start image is not finite, too small or constant, or the style is missing or misshapen at a layer.
    """
    architecture = network.architecture
    architecture.check(settings.style_layers)
    layers = sorted(settings.style_layers)
    for layer in layers:
        channels = architecture.channels(layer)
        if layer not in style.grams or style.grams[layer].shape != (channels, channels):
            raise ValueError(f"the style has no Gram matrix of {channels} channels at layer {layer}")
    importance, enough = _weigh_layers(settings.style_layers, style.intra_distance)
    valid = ~artefact_mask(start)
    slow = estimate_shading(start, valid)
    mean, std = masked_moments(start - slow, valid)
    # Without its beads, however deep they are: activations next to one that is left out still see some of it.
    texture = _checked("start", extract_texture(start, valid), network, layers[-1])
    objective = Objective(
        network,
        GramTerm(style.grams, importance, "relative", layer_weights(valid, architecture, layers)),
        content=None,
        tv_weight=0.0,
        shape=(texture.shape[0], texture.shape[1]),
        tile=tile,
    )

    def evaluate(image: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        grey = torch.from_numpy(to_network_input(image)).to(network.device)
        loss, gradient = objective.loss_and_gradient(grey.expand(3, -1, -1))
        return float(loss), gradient.sum(dim=0).mul_(NETWORK_STD).cpu().numpy()

    minimum = minimise(evaluate, texture, enough, settings.evaluations)
    image = np.where(valid, minimum.image * std + mean + slow, start)
    return Minimum(standardise_masked(image, valid), minimum.loss, minimum.losses)


def _weigh_layers(
    weights: Mapping[int, float], intra_distance: Mapping[int, float]
) -> tuple[dict[int, float], float]:
    """Return weights in units of the intra-reference distance, and the loss at which the style is near enough."""
    if not all(intra_distance[layer] > 0 for layer in weights):
        return dict(weights), 0.0
    importance = {layer: weight / intra_distance[layer] for layer, weight in weights.items()}
    return importance, NEAREST_SHARE * sum(weights.values()) / sum(importance.values())


def _checked(name: str, image: NDArray[np.float32], network: Network, deepest: int) -> NDArray[np.float32]:
    smallest = max(2, network.architecture.stride(deepest))
    if image.ndim != 2 or min(image.shape) < smallest or not np.isfinite(image).all():
        raise ValueError(
            f"{name} must be a finite (y, x) image of at least {smallest} x {smallest} pixels, got shape {image.shape}"
        )
    return image
