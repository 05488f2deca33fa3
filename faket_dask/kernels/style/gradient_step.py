"""Style transfer of one image: Gram matrices of the style, and steps towards them from a start image.

The method is FakET's (Harar et al., arXiv 2304.02011): Adam on an RGB image from the noisy projection, towards
the Gram matrices of a real one, while deep activations stay near those of the content image; the result is a
moving average of the iterates. Published is one step with step size 0.15.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faket_dask.kernels.style.activation_weights import layer_weights
from faket_dask.kernels.style.loss import (
    ContentTerm,
    Objective,
    gram_sum,
    placed_weights,
    weight_at,
    weights_in,
)
from faket_dask.kernels.style.tiles import Tile, cut
from faket_dask.kernels.vgg import LAYERS, VGG19, channels, stride

BETA_1, BETA_2, ADAM_EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class StyleSettings:
    """How style is transferred; the defaults are the published ones.

    Parameters
    ----------
    content_layers
        Layers whose activations should stay those of the content image, with weights.
    style_layers
        Layers whose Gram matrices should become those of the style, with weights, which are divided by their sum.
    content_weight
        Weight of the content term as a whole.
    tv_weight
        Weight of the total variation of the image.
    iterations
        Steps of Adam.
    step_size
        Of Adam, see `step_unit`.
    step_unit
        ``"absolute"``: the step is a part of the range [0, 1]; ``"start_std"``: of the start image's standard
        deviation.
    decay
        Of the moving average over the start image and all iterates.

    Raises
    ------
    ValueError
        If there is no style layer, a layer does not exist, or a number is out of range.
    """

    content_layers: Mapping[int, float] = field(default_factory=lambda: {8: 1.0})
    style_layers: Mapping[int, float] = field(
        default_factory=lambda: {1: 256.0, 6: 64.0, 11: 16.0, 20: 4.0, 29: 1.0}
    )
    content_weight: float = 1.0
    tv_weight: float = 0.0
    iterations: int = 1
    step_size: float = 0.15
    step_unit: Literal["absolute", "start_std"] = "absolute"
    decay: float = 0.99

    def __post_init__(self) -> None:
        check_style_layers(self.style_layers)
        check_layers("content_layers", self.content_layers)
        for name in ("content_weight", "tv_weight"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {self.iterations}")
        if not (np.isfinite(self.step_size) and self.step_size > 0):
            raise ValueError(f"step_size must be positive, got {self.step_size}")
        if self.step_unit not in ("absolute", "start_std"):
            raise ValueError(f"step_unit must be 'absolute' or 'start_std', got {self.step_unit!r}")
        if not 0 <= self.decay < 1:
            raise ValueError(f"decay must be from 0 to below 1, got {self.decay}")


def check_style_layers(weights: Mapping[int, float]) -> None:
    """Refuse weights of style layers that no style can be transferred with."""
    if not weights:
        raise ValueError("style_layers is empty: without a style layer there is no style to transfer")
    check_layers("style_layers", weights)


def check_layers(name: str, weights: Mapping[int, float]) -> None:
    """Refuse layers that do not exist, and weights that are not positive."""
    for layer, weight in weights.items():
        if not 0 <= layer < LAYERS:
            raise ValueError(f"{name}: there is no layer {layer}; layers are 0 to {LAYERS - 1}")
        if not (np.isfinite(weight) and weight > 0):
            raise ValueError(f"{name}: the weight of layer {layer} must be positive, got {weight}")


@torch.no_grad()
def gram_targets(
    network: VGG19,
    style_tilt: NDArray[np.float32],
    layers: Iterable[int],
    tile: int | None = None,
    valid_mask: NDArray[np.bool_] | None = None,
) -> dict[int, NDArray[np.float32]]:
    """Gram matrices F Fᵀ / pixels of an image: its style.

    Parameters
    ----------
    network
        The network.
    style_tilt
        ``(y, x)`` in [0, 1], of any size that the deepest layer can see.
    layers
        Layers to take them at.
    tile
        Side of the tiles in which they are summed, a multiple of 16; ``None`` for the whole image at once.
    valid_mask
        ``(y, x)`` bool, false for beads and bad pixels: activations near those are left out. ``None`` for all.

    Returns
    -------
    targets
        Layer → (C, C) float32.

    Raises
    ------
    ValueError
        If the image is not finite, not in [0, 1] or too small, none of it is valid, or there are no such layers.
    """
    wanted = sorted(set(layers))
    if not wanted or wanted[0] < 0 or wanted[-1] >= LAYERS:
        raise ValueError(f"layers must be some of 0 to {LAYERS - 1}, got {wanted}")
    image = _image("style_tilt", style_tilt, network, wanted[-1])
    weights = None
    if valid_mask is not None and not valid_mask.all():
        weights = layer_weights(valid_mask, wanted, border=False)
    sums, totals = gram_sums(network, image, wanted, tile, weights)
    return {layer: as_float32(sums[layer] / totals[layer]) for layer in wanted}


def gram_sums(
    network: VGG19,
    image: Tensor,
    layers: Sequence[int],
    tile: int | None,
    weights: Mapping[int, NDArray[np.float32]] | None = None,
) -> tuple[dict[int, Tensor], dict[int, float]]:
    """Weighted sums of F Fᵀ over an image, ``(y, x)`` on the network's device.

    Returns
    -------
    sums
        Layer → (C, C) float64.
    totals
        Layer → sum of the weights.
    """
    shape = (image.shape[0], image.shape[1])
    placed = placed_weights(network, weights)
    sums = {
        layer: torch.zeros((channels(layer),) * 2, dtype=torch.float64, device=network.device)
        for layer in layers
    }
    for part in cut(shape, tile, layers):

        def add(layer: int, features: Tensor, part: Tile = part) -> None:
            rows, columns = part.core_at(layer)
            sums[layer] += gram_sum(features[:, :, rows, columns], weights_in(part, layer, placed))

        network.forward(image[part.region].expand(3, -1, -1), layers, add)
    return sums, {layer: weight_at(layer, shape, placed) for layer in layers}


def as_float32(values: Tensor) -> NDArray[np.float32]:
    return values.to(device="cpu", dtype=torch.float32).numpy()


def combine_targets(
    targets: Sequence[Mapping[int, NDArray[np.float32]]], shares: Sequence[float]
) -> dict[int, NDArray[np.float32]]:
    """Gram matrices of a mixture of styles.

    Parameters
    ----------
    targets
        Of each style, layer → (C, C); all at the same layers.
    shares
        Share of each style; they add up to 1.

    Raises
    ------
    ValueError
        If the styles differ in their layers, or the shares are not as many or do not add up to 1.
    """
    if not targets or len(targets) != len(shares) or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"{len(targets)} styles need as many shares that add up to 1, got {list(shares)}")
    layers = set(targets[0])
    if any(set(other) != layers for other in targets):
        raise ValueError("all styles must have their Gram matrices at the same layers")
    return {
        layer: sum(
            share * one[layer].astype(np.float64) for one, share in zip(targets, shares, strict=True)
        ).astype(np.float32)  # type: ignore[union-attr]
        for layer in sorted(layers)
    }


@torch.no_grad()
def transfer(
    network: VGG19,
    content: NDArray[np.float32],
    start: NDArray[np.float32],
    targets: Mapping[int, NDArray[np.float32]],
    settings: StyleSettings,
    tile: int | None = None,
) -> NDArray[np.float32]:
    """An image with the style of the targets and the content of another.

    Parameters
    ----------
    network
        The network.
    content
        ``(y, x)`` in [0, 1], what the result should keep.
    start
        ``(y, x)`` in [0, 1], what the first step is taken from.
    targets
        Gram matrices of the style, layer → (C, C), at least at the layers of the settings.
    settings
        How style is transferred.
    tile
        Side of the tiles in which the gradient is computed, a multiple of 16: less memory, more time, and the same
        result up to rounding. ``None`` computes the whole image at once.

    Returns
    -------
    result
        ``(y, x)`` float32 in [0, 1], the mean of the three channels.

    Raises
    ------
    ValueError
        If images are not finite, not in [0, 1], too small or differ in shape, or targets are missing or misshapen.
    """
    content_layers = settings.content_layers if settings.content_weight else {}
    deepest = max({*settings.style_layers, *content_layers})
    first = _image("start", start, network, deepest)
    kept = _image("content", content, network, deepest)
    if first.shape != kept.shape:
        raise ValueError(f"start has the shape {tuple(first.shape)}, content {tuple(kept.shape)}")
    for layer in settings.style_layers:
        if layer not in targets:
            raise ValueError(f"there is no target for the style layer {layer}, only for {sorted(targets)}")
        if targets[layer].shape != (channels(layer),) * 2:
            raise ValueError(
                f"the target of layer {layer} has the shape {targets[layer].shape}, not {(channels(layer),) * 2}"
            )
    objective = Objective(
        network,
        targets,
        settings.style_layers,
        ContentTerm(kept, {k: v * settings.content_weight for k, v in content_layers.items()})
        if content_layers
        else None,
        settings.tv_weight,
        (first.shape[0], first.shape[1]),
        tile,
    )
    step = settings.step_size
    if settings.step_unit == "start_std":
        step *= float(np.std(start, dtype=np.float64))
    return _descend(objective, first, settings, step)


def _descend(
    objective: Objective, start: Tensor, settings: StyleSettings, step: float
) -> NDArray[np.float32]:
    """Adam (Kingma & Ba, arXiv 1412.6980) on the RGB image, clamped to [0, 1], and the moving average."""
    image = start.expand(3, -1, -1)
    average = (1 - settings.decay) * image
    weight = 1 - settings.decay
    mean = square = None
    for iteration in range(1, settings.iterations + 1):
        gradient = objective.loss_and_gradient(image)[1]
        if settings.iterations == 1:
            # Both moments are the gradient's own: no need to hold them.
            gradient.div_(gradient.abs().add_(ADAM_EPSILON))
        else:
            mean = _moved(mean, gradient, BETA_1)
            square = _moved(square, gradient.square_(), BETA_2)
            scale = (square / (1 - BETA_2**iteration)).sqrt_().add_(ADAM_EPSILON)
            gradient = mean.div(1 - BETA_1**iteration).div_(scale)
        image = gradient.mul_(-step).add_(image).clamp_(0, 1)
        average.mul_(settings.decay).add_(image, alpha=1 - settings.decay)
        weight = settings.decay * weight + 1 - settings.decay
    return average.div_(weight).clamp_(0, 1).mean(dim=0).cpu().numpy()


def _moved(average: Tensor | None, value: Tensor, beta: float) -> Tensor:
    return (1 - beta) * value if average is None else average.mul_(beta).add_(value, alpha=1 - beta)


def _image(name: str, image: NDArray[np.generic], network: VGG19, deepest: int) -> Tensor:
    """An image on the network's device, float32.

    Raises
    ------
    ValueError
        If it is no image, not finite, not in [0, 1], or smaller than a pixel of the deepest layer.
    """
    array = np.ascontiguousarray(image, dtype=np.float32)
    smallest = max(2, stride(deepest))
    if array.ndim != 2 or min(array.shape) < smallest:
        raise ValueError(
            f"{name} must be a (y, x) image of at least {smallest} x {smallest} pixels for layer {deepest}, "
            f"got shape {array.shape}"
        )
    if not (array.min() >= 0 and array.max() <= 1):  # NaN too
        raise ValueError(
            f"{name} must lie in [0, 1] without NaN; it ranges from {array.min():g} to {array.max():g}"
        )
    return torch.from_numpy(array).to(network.device)
