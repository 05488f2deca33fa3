"""Style transfer that ends next to the reference: the method `matched`.

From a start image that has the reference's noise spectrum already, few steps of L-BFGS lower the mean relative error of
the Gram matrices,

    L = Σ_l w_l ‖G_l(x) - G_l(style)‖² / ‖G_l(style)‖² / Σ_l w_l     (Frobenius norms),

until it is what one part of the reference has against another. Nearer would be nearer than recordings are to each
other. What is no texture is left out of both Gram matrices: beads, bad pixels, and the border of the image, where the
network sees its own padding. An object that is left out can neither be copied from the reference nor be worn down
in the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.kernels.believed import layer_weights
from faket_dask.kernels.contrast import NETWORK_STD, network_input, standard_where, texture
from faket_dask.kernels.descent import Descent, descend
from faket_dask.kernels.objective import Objective
from faket_dask.kernels.style import as_float32, combine_targets, gram_sums
from faket_dask.kernels.vgg import LAYERS, VGG19, channels, stride

FLOOR_SHARE = 0.5
"""Of the floor, where the transfer ends.

Two halves of a recorded tilt differ by the chance of both, each twice that of a whole tilt. A whole tilt of that style
differs from the mean of the style by its own chance, and that mean was itself taken from one tilt: half as much.
"""


@dataclass(frozen=True)
class MatchedSettings:
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
        if not self.style_layers:
            raise ValueError("style_layers is empty: without a style layer there is no style to transfer")
        for layer, weight in self.style_layers.items():
            if not 0 <= layer < LAYERS:
                raise ValueError(f"style_layers: there is no layer {layer}; layers are 0 to {LAYERS - 1}")
            if not (np.isfinite(weight) and weight > 0):
                raise ValueError(f"style_layers: the weight of layer {layer} must be positive, got {weight}")
        if self.evaluations < 1:
            raise ValueError(f"evaluations must be at least 1, got {self.evaluations}")


@dataclass(frozen=True, eq=False)
class Style:
    """The style of a tilt or of a mixture of tilts.

    Attributes
    ----------
    grams
        Layer → (C, C) float32 mean of F Fᵀ.
    floor
        Layer → squared relative distance of the Gram matrices of one half of the tilt to those of the other.
    """

    grams: Mapping[int, NDArray[np.float32]]
    floor: Mapping[int, float]


@torch.no_grad()
def measure_style(
    network: VGG19,
    tilt: NDArray[np.generic],
    layers: Iterable[int],
    tile: int | None = None,
    believed: NDArray[np.bool_] | None = None,
) -> Style:
    """The style of a recorded tilt.

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
    believed
        ``(y, x)`` bool, false for beads, bad pixels, and what lies beyond the detector. ``None`` for all.

    Raises
    ------
    ValueError
        If the tilt is not finite, too small, or without contrast where it is believed.
    """
    wanted = sorted(set(layers))
    seen = np.ones(np.shape(tilt), dtype=np.bool_) if believed is None else believed
    standard = _checked("tilt", texture(tilt, seen), wanted[-1])
    halves = _halves(layer_weights(seen, wanted))
    image = torch.from_numpy(network_input(standard)).to(network.device)
    (left, left_total), (right, right_total) = gram_sums(network, image, wanted, tile, halves)
    grams, floor = {}, {}
    for layer in wanted:
        mean = (left[layer] + right[layer]) / (left_total[layer] + right_total[layer])
        grams[layer] = as_float32(mean)
        floor[layer] = 0.0
        if left_total[layer] > 0 and right_total[layer] > 0:
            apart = left[layer] / left_total[layer] - right[layer] / right_total[layer]
            floor[layer] = float(apart.square().sum() / mean.square().sum())
    return Style(grams, floor)


def _halves(weights: Mapping[int, NDArray[np.float32]]) -> list[dict[int, NDArray[np.float32]]]:
    """The weights in the left and in the right half alone."""
    left = {layer: values.copy() for layer, values in weights.items()}
    right = {layer: values.copy() for layer, values in weights.items()}
    for layer, values in weights.items():
        half = values.shape[1] // 2
        left[layer][:, half:] = 0
        right[layer][:, :half] = 0
    return [left, right]


def mix_styles(styles: Sequence[Style], shares: Sequence[float]) -> Style:
    """The style of a mixture, with shares that add up to 1; parameters as of `combine_targets`."""
    grams = combine_targets([style.grams for style in styles], shares)
    floor = {
        layer: sum(share * style.floor[layer] for style, share in zip(styles, shares, strict=True))
        for layer in grams
    }
    return Style(grams, floor)


@torch.no_grad()
def match_style(
    network: VGG19,
    start: NDArray[np.float32],
    style: Style,
    settings: MatchedSettings,
    tile: int | None = None,
) -> Descent:
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
    believed = ~artefact_mask(start)
    standard = _checked("start", standard_where(start, believed), layers[-1])
    objective = Objective(
        network,
        style.grams,
        settings.style_layers,
        None,
        0.0,
        (standard.shape[0], standard.shape[1]),
        tile,
        "relative",
        layer_weights(believed, layers),
    )

    def evaluate(image: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        grey = torch.from_numpy(network_input(image)).to(network.device)
        loss, gradient = objective.loss_and_gradient(grey.expand(3, -1, -1))
        return float(loss), gradient.sum(dim=0).mul_(NETWORK_STD).cpu().numpy()

    total = sum(settings.style_layers.values())
    floor = sum(weight * style.floor[layer] for layer, weight in settings.style_layers.items()) / total
    found = descend(evaluate, standard, FLOOR_SHARE * floor, settings.evaluations)
    return Descent(standard_where(found.image, believed), found.loss, found.losses)


def _checked(name: str, image: NDArray[np.float32], deepest: int) -> NDArray[np.float32]:
    smallest = max(2, stride(deepest))
    if image.ndim != 2 or min(image.shape) < smallest or not np.isfinite(image).all():
        raise ValueError(
            f"{name} must be a finite (y, x) image of at least {smallest} x {smallest} pixels, got shape {image.shape}"
        )
    return image
