"""Published style transfer: steps of Adam from a start image towards the Gram matrices of a reference.

The method is FakET's (Harar et al., arXiv 2304.02011): Adam on an RGB image from the noisy projection, towards
the Gram matrices of a real one, while deep activations stay near those of the content image; the result is a
moving average of the iterates. Published is one step with step size 0.15.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faket_dask.kernels.style.activation_weights import layer_weights
from faket_dask.kernels.style.loss import (
    ContentTerm,
    GramTerm,
    Objective,
    cut_weights,
    gram_sum,
    place_weights,
    total_weight,
)
from faket_dask.kernels.style.network import Network
from faket_dask.kernels.style.settings import StyleSettings
from faket_dask.kernels.style.tiles import Tile, cut

__all__ = ["StyleSettings", "combine_targets", "gram_targets", "transfer"]

BETA_1, BETA_2, ADAM_EPSILON = 0.9, 0.999, 1e-8
"""Constants of Adam."""


@torch.no_grad()
def gram_targets(
    network: Network,
    style_tilt: NDArray[np.float32],
    layers: Iterable[int],
    tile: int | None = None,
    valid_mask: NDArray[np.bool_] | None = None,
) -> dict[int, NDArray[np.float32]]:
    """Return the Gram matrices F Fᵀ / pixels of an image, which describe its style.

    Parameters
    ----------
    network
        Network whose activations F are multiplied.
    style_tilt
        ``(y, x)`` in [0, 1], of any size that the deepest layer can see.
    layers
        Layers of the Gram matrices.
    tile
        Side of the tiles in which they are summed, a multiple of 16; ``None`` for the whole image at once.
    valid_mask
        ``(y, x)`` bool, false for beads and bad pixels: activations near those are excluded. ``None`` for all true.

    Returns
    -------
    targets
        Layer → (C, C) float32.

    Raises
    ------
    ValueError
        If the image is not finite, not in [0, 1] or too small, none of it is valid, or there are no such layers.
    """
    requested = sorted(set(layers))
    if not requested:
        raise ValueError("gram_targets needs at least one layer")
    network.architecture.check(requested)
    image = _image("style_tilt", style_tilt, network, requested[-1])
    weights = None
    if valid_mask is not None and not valid_mask.all():
        weights = layer_weights(valid_mask, network.architecture, requested, border=False)
    sums, totals = gram_sums(network, image, requested, tile, weights)
    return {layer: as_float32(sums[layer] / totals[layer]) for layer in requested}


def gram_sums(
    network: Network,
    image: Tensor,
    layers: Sequence[int],
    tile: int | None,
    weights: Mapping[int, NDArray[np.float32]] | None = None,
) -> tuple[dict[int, Tensor], dict[int, float]]:
    """Return weighted sums of F Fᵀ over an image, ``(y, x)`` on the network's device.

    Returns
    -------
    sums
        Layer → (C, C) float64.
    totals
        Layer → sum of the weights.
    """
    shape = (image.shape[0], image.shape[1])
    architecture = network.architecture
    placed = place_weights(network, weights)
    sums = {
        layer: torch.zeros((architecture.channels(layer),) * 2, dtype=torch.float64, device=network.device)
        for layer in layers
    }
    for part in cut(shape, tile, architecture, layers):

        def add(layer: int, features: Tensor, part: Tile = part) -> None:
            rows, columns = part.core_activations(architecture.stride(layer))
            sums[layer] += gram_sum(
                features[:, :, rows, columns], cut_weights(part, layer, architecture, placed)
            )

        network.forward(image[part.region].expand(3, -1, -1), layers, add)
    return sums, {layer: total_weight(layer, shape, architecture, placed) for layer in layers}


def as_float32(values: Tensor) -> NDArray[np.float32]:
    """Return values as a NumPy array."""
    return values.to(device="cpu", dtype=torch.float32).numpy()


def combine_targets(
    targets: Sequence[Mapping[int, NDArray[np.float32]]], shares: Sequence[float]
) -> dict[int, NDArray[np.float32]]:
    """Return the Gram matrices of a blend of styles.

    Parameters
    ----------
    targets
        Gram matrices of each style, layer → (C, C); all at the same layers.
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
    network: Network,
    content: NDArray[np.float32],
    start: NDArray[np.float32],
    targets: Mapping[int, NDArray[np.float32]],
    settings: StyleSettings,
    tile: int | None = None,
) -> NDArray[np.float32]:
    """Return an image with the style of the targets and the content of another image.

    Parameters
    ----------
    network
        Network whose activations describe style and content.
    content
        ``(y, x)`` in [0, 1], image whose deep activations the result keeps.
    start
        ``(y, x)`` in [0, 1], image that the first step is taken from.
    targets
        Gram matrices of the style, layer → (C, C), at least at the layers of the settings.
    settings
        Settings of the transfer.
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
        If images are not finite, not in [0, 1], too small or differ in shape, targets are missing or misshapen, or the
        network has no such layers.
    """
    content_layers = settings.used_content_layers
    architecture = network.architecture
    architecture.check({*settings.style_layers, *settings.content_layers})
    deepest = max({*settings.style_layers, *content_layers})
    first = _image("start", start, network, deepest)
    kept = _image("content", content, network, deepest)
    if first.shape != kept.shape:
        raise ValueError(f"start has the shape {tuple(first.shape)}, content {tuple(kept.shape)}")
    for layer in settings.style_layers:
        if layer not in targets:
            raise ValueError(f"there is no target for the style layer {layer}, only for {sorted(targets)}")
        shape = (architecture.channels(layer),) * 2
        if targets[layer].shape != shape:
            raise ValueError(f"the target of layer {layer} has the shape {targets[layer].shape}, not {shape}")
    objective = Objective(
        network,
        GramTerm(targets, settings.style_layers),
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
    return _run_adam(objective, first, settings, step)


def _run_adam(
    objective: Objective, start: Tensor, settings: StyleSettings, step: float
) -> NDArray[np.float32]:
    """Run Adam (Kingma & Ba, arXiv 1412.6980) on the RGB image, clamped to [0, 1], and average its iterates."""
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


def _image(name: str, image: NDArray[np.generic], network: Network, deepest: int) -> Tensor:
    """Return an image on the network's device, float32.

    Raises
    ------
    ValueError
        If it is no image, not finite, not in [0, 1], or smaller than a pixel of the deepest layer.
    """
    array = np.ascontiguousarray(image, dtype=np.float32)
    smallest = max(2, network.architecture.stride(deepest))
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
