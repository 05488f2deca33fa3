"""Loss of the style transfer and its exact gradient with respect to the image, in tiles.

For an image x with activations F_l (C_l channels, n_l pixels), the loss is

    L = content_weight Σ_l v_l smse(F_l(x), F_l(content)) + Σ_l w_l smse(G_l(x), G_l(style)) + tv_weight TV(x)

with Gram matrices G_l = F_l F_lᵀ / n_l, the style weights w_l divided by their sum, and
smse(a, b) = Σ(a-b)² / (Σ|a-b| + ε) (FakET, arXiv 2304.02011: style transfer). TV is the mean over channels and
pixels of the squared differences to the right and lower neighbours. Style may be compared by its relative error
instead, ‖G_l(x) - G_l(style)‖² / ‖G_l(style)‖² (Frobenius norms), and Gram matrices may be weighted means over the
activations, G_l = Σ_p u_p F_p F_pᵀ / Σ_p u_p.

The loss couples distant pixels through sums over pixels alone: the Gram matrices, and S₂ = Σd², S₁ = Σ|d| of the
content term. So it can be differentiated tile by tile: a first pass over the tiles gathers the sums, from which
follow the slopes of the loss with respect to them; in a second pass these slopes are carried back through the
network within each tile, and the gradients of overlapping tiles are added up. A single tile does both in one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faket_dask.kernels.style.network import Architecture, Network
from faket_dask.kernels.style.tiles import Tile, cut

EPSILON = 1e-8
"""In the denominator of smse."""

StyleError = Literal["smse", "relative"]

_ROWS = 16
"""Rows of activations that are weighted at a time, which bounds the memory that the products take."""


@dataclass(frozen=True, eq=False)
class GramTerm:
    """Gram matrices that the result should have.

    Parameters
    ----------
    targets
        Gram matrices of the style, layer → (C, C).
    layers
        Weight of each layer that is used; the weights are divided by their sum.
    error
        Comparison of two Gram matrices.
    activation_weights
        Layer → weight of each of its activations in the Gram matrix, ``(y, x)`` at its own resolution; ``None`` for
        equal ones.
    """

    targets: Mapping[int, NDArray[np.float32]]
    layers: Mapping[int, float]
    error: StyleError = "smse"
    activation_weights: Mapping[int, NDArray[np.float32]] | None = None


@dataclass(frozen=True, eq=False)
class ContentTerm:
    """Activations that the result should keep.

    Parameters
    ----------
    image
        ``(y, x)`` in [0, 1], on the network's device.
    layers
        Weight of each layer.
    """

    image: Tensor
    layers: Mapping[int, float]


class Objective:
    """Loss and gradient for images of one shape.

    Parameters
    ----------
    network
        Network whose activations are compared.
    style
        Style term.
    content
        Content term, if any.
    tv_weight
        Weight of the total variation.
    shape
        ``(y, x)`` of the images.
    tile
        Largest side of a tile, ``None`` for the whole image at once.
    """

    def __init__(
        self,
        network: Network,
        style: GramTerm,
        content: ContentTerm | None,
        tv_weight: float,
        shape: tuple[int, int],
        tile: int | None,
    ) -> None:
        self._error = style.error
        self._weights = place_weights(network, style.activation_weights)
        self._network = network
        self._architecture = network.architecture
        total = sum(style.layers.values())
        self._style_weights = {layer: weight / total for layer, weight in style.layers.items()}
        self._targets = {
            layer: torch.as_tensor(style.targets[layer], dtype=torch.float64).to(network.device)
            for layer in style.layers
        }
        self._content = content
        self._tv_weight = tv_weight
        self._shape = shape
        self._layers = sorted({*style.layers, *(content.layers if content else ())})
        self._tiles = cut(shape, tile, self._architecture, self._layers)
        self._kept_content = self._content_features(self._tiles[0]) if len(self._tiles) == 1 else None

    @torch.no_grad()
    def loss_and_gradient(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate at an image.

        Parameters
        ----------
        image
            ``(3, y, x)`` float32 in [0, 1] on the network's device.

        Returns
        -------
        loss
            Scalar, on the device.
        gradient
            ``(3, y, x)`` float32.
        """
        single = len(self._tiles) == 1
        sums = _Sums()
        content: dict[int, Tensor] = {}
        for tile in self._tiles:
            content = self._content_in(tile)
            trace = self._network.forward(
                image[:, *tile.region], self._layers, partial(self._gather, sums, tile, content), keep=single
            )
        loss, slopes = self._slopes(sums)
        gradient = torch.empty_like(image) if single else torch.zeros_like(image)
        for tile in self._tiles:
            if not single:
                content = self._content_in(tile)
                trace = self._network.forward(image[:, *tile.region], self._layers, keep=True)
            back = self._network.backward(trace, partial(self._slope, slopes, tile, content))
            if single:
                gradient = back
            else:
                gradient[:, *tile.region] += back
        if self._tv_weight:
            variation, tv_gradient = total_variation(image)
            loss = loss + self._tv_weight * variation
            gradient = gradient + self._tv_weight * tv_gradient
        return loss, gradient

    def _content_in(self, tile: Tile) -> dict[int, Tensor]:
        return self._content_features(tile) if self._kept_content is None else self._kept_content

    def _content_features(self, tile: Tile) -> dict[int, Tensor]:
        """Return the content's activations in the core of a tile, layer → (1, C, y, x)."""
        kept: dict[int, Tensor] = {}
        if self._content is None:
            return kept

        def keep(layer: int, features: Tensor) -> None:
            kept[layer] = self._core(features, tile, layer).clone(memory_format=torch.channels_last)

        image = self._content.image[tile.region].expand(3, -1, -1)
        self._network.forward(image, self._content.layers.keys(), keep)
        return kept

    def _core(self, features: Tensor, tile: Tile, layer: int) -> Tensor:
        rows, columns = tile.core_activations(self._architecture.stride(layer))
        return features[:, :, rows, columns]

    def _gather(
        self, sums: _Sums, tile: Tile, content: Mapping[int, Tensor], layer: int, features: Tensor
    ) -> None:
        core = self._core(features, tile, layer)
        if layer in self._targets:
            sums.add_gram(layer, gram_sum(core, cut_weights(tile, layer, self._architecture, self._weights)))
        if layer in content:
            difference = (core - content[layer]).to(torch.float32)
            sums.add_content(
                layer,
                torch.linalg.vector_norm(difference, 1),
                torch.linalg.vector_norm(difference, 2).square(),
            )

    def _slopes(self, sums: _Sums) -> tuple[Tensor, _Slopes]:
        """Return the loss and its slopes with respect to the sums over pixels."""
        loss = torch.zeros((), dtype=torch.float64, device=self._network.device)
        slopes = _Slopes({}, {})
        for layer, weight in self._style_weights.items():
            pixels = total_weight(layer, self._shape, self._architecture, self._weights)
            difference = sums.gram[layer] / pixels - self._targets[layer]
            second = difference.square().sum()
            if self._error == "relative":
                first = self._targets[layer].square().sum()
                by_gram = 2 * difference / first
            else:
                first = difference.abs().sum() + EPSILON
                by_gram = 2 * difference / first - second / first**2 * difference.sign()
            loss += weight * second / first
            # F Fᵀ is symmetric, and so is its slope: d(F Fᵀ) counts twice.
            symmetric = by_gram + by_gram.T
            slopes.style[layer] = (weight / pixels * symmetric).to(torch.float32)
        if self._content is not None:
            for layer, weight in self._content.layers.items():
                first, second = sums.absolute[layer] + EPSILON, sums.square[layer]
                loss += weight * second / first
                slopes.content[layer] = (
                    (2 * weight / first).to(torch.float32),
                    (weight * second / first**2).to(torch.float32),
                )
        return loss, slopes

    def _slope(
        self,
        slopes: _Slopes,
        tile: Tile,
        content: Mapping[int, Tensor],
        layer: int,
        features: Tensor,
        gradient: Tensor,
    ) -> None:
        """Add a layer's own terms of the loss to the gradient that has arrived there."""
        if layer not in slopes.style and layer not in slopes.content:
            return
        window = self._core(gradient, tile, layer)
        core = self._core(features, tile, layer)
        if layer in slopes.style:
            add_product(
                window, core, slopes.style[layer], cut_weights(tile, layer, self._architecture, self._weights)
            )
        if layer in slopes.content:
            linear, jump = (factor.to(window.dtype) for factor in slopes.content[layer])
            difference = (core - content[layer]).to(window.dtype)
            window.addcmul_(difference, linear)
            window.addcmul_(difference.sign_(), -jump)


class _Sums:
    """Sums over all pixels that the first pass over the tiles gathers, in float64 by layer."""

    def __init__(self) -> None:
        self.gram: dict[int, Tensor] = {}
        self.absolute: dict[int, Tensor] = {}
        self.square: dict[int, Tensor] = {}

    def add_gram(self, layer: int, part: Tensor) -> None:
        self.gram[layer] = self.gram[layer] + part if layer in self.gram else part

    def add_content(self, layer: int, absolute: Tensor, square: Tensor) -> None:
        for sums, part in ((self.absolute, absolute), (self.square, square)):
            sums[layer] = sums.get(layer, 0) + part.to(torch.float64)


@dataclass(frozen=True)
class _Slopes:
    """Slopes of the loss: by Gram matrix, (C, C) per layer; of the content term by d, ``a d - b sign(d)``."""

    style: dict[int, Tensor]
    content: dict[int, tuple[Tensor, Tensor]]


def _by_pixel(features: Tensor) -> Tensor:
    """Return (1, C, y, x) as (y x, C): a view where the memory is one piece, else a copy."""
    return features[0].permute(1, 2, 0).reshape(-1, features.shape[1])


def place_weights(
    network: Network, weights: Mapping[int, NDArray[np.float32]] | None
) -> dict[int, Tensor] | None:
    """Copy weights of activations, ``(y, x)`` by layer, to the network's device."""
    if weights is None:
        return None
    return {layer: torch.as_tensor(values).to(network.device) for layer, values in weights.items()}


def cut_weights(
    tile: Tile, layer: int, architecture: Architecture, weights: Mapping[int, Tensor] | None
) -> Tensor | None:
    """Return the weights of the activations in the core of a tile, ``(y, x)``."""
    if weights is None:
        return None
    stride = architecture.stride(layer)
    rows, columns = (slice(side.start // stride, side.stop // stride) for side in tile.core)
    return weights[layer][rows, columns]


def total_weight(
    layer: int, shape: tuple[int, int], architecture: Architecture, weights: Mapping[int, Tensor] | None
) -> float:
    """Return the sum of the weights of a layer's activations, each 1 where none are given."""
    if weights is None:
        stride = architecture.stride(layer)
        return float((shape[0] // stride) * (shape[1] // stride))
    return float(weights[layer].sum(dtype=torch.float64))


def gram_sum(features: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return F Fᵀ, (C, C) float64, of activations (1, C, y, x); products are summed in float32.

    Pixels count as much as their weights ``(y, x)``.
    """
    if weights is None:
        flat = _by_pixel(features).to(torch.float32)
        return (flat.T @ flat).to(torch.float64)
    total = torch.zeros((features.shape[1],) * 2, dtype=torch.float64, device=features.device)
    for rows in _row_blocks(weights):
        flat = _by_pixel(features[:, :, rows]).to(torch.float32)
        total += ((flat * weights[rows].reshape(-1, 1)).T @ flat).to(torch.float64)
    return total


def add_product(gradient: Tensor, features: Tensor, slope: Tensor, weights: Tensor | None = None) -> None:
    """Add slope · F to a gradient in place; gradient and F (1, C, y, x), slope (C, C), weights (y, x)."""
    if weights is not None:
        for rows in _row_blocks(weights):
            flat = _by_pixel(features[:, :, rows]).to(gradient.dtype)
            product = (flat @ slope.to(gradient.dtype)).mul_(weights[rows].reshape(-1, 1).to(gradient.dtype))
            target = gradient[0, :, rows].permute(1, 2, 0)
            target += product.view(target.shape)
        return
    flat = _by_pixel(features).to(gradient.dtype)
    product = slope.to(gradient.dtype)
    target = gradient[0].permute(1, 2, 0)
    if target.is_contiguous():
        target.view(flat.shape).addmm_(flat, product)
    else:
        target += (flat @ product).view(target.shape)


def _row_blocks(weights: Tensor) -> Iterator[slice]:
    """Yield blocks of rows that hold any weight."""
    for start in range(0, weights.shape[0], _ROWS):
        rows = slice(start, min(start + _ROWS, weights.shape[0]))
        if weights[rows].any():
            yield rows


def total_variation(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean squared difference to the right and lower neighbour (both summed), and its gradient.

    Parameters
    ----------
    image
        ``(c, y, x)``; beyond the right and bottom edge the image is replicated, so nothing differs there.
    """
    down = image[:, 1:] - image[:, :-1]
    right = image[:, :, 1:] - image[:, :, :-1]
    value = (down.square().sum() + right.square().sum()) / image.numel()
    gradient = torch.zeros_like(image)
    gradient[:, 1:] += down
    gradient[:, :-1] -= down
    gradient[:, :, 1:] += right
    gradient[:, :, :-1] -= right
    return value, gradient.mul_(2 / image.numel())
