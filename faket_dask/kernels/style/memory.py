"""Peak memory of style transfer, known before it runs.

A transfer holds, at the end of the forward pass, all activations of the largest tile that the backward pass needs, the
content's activations beside them, and the arrays of the whole image that do not depend on the tile. The counts follow
from the network; measured is how much PyTorch allocates on top, `OVERHEAD`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from faket_dask.kernels.style.lbfgs import HISTORY
from faket_dask.kernels.style.network import Architecture, Precision
from faket_dask.kernels.style.settings import GramMatchingSettings, StyleSettings
from faket_dask.kernels.style.tiles import measure_regions

OVERHEAD = 1.05
"""Largest measured peak over counted bytes, over the per-tilt scenarios of `faket-dask benchmark`."""

ACTIVATION_BYTES: dict[Precision, int] = {"float32": 4, "mixed": 4, "bfloat16": 2}
"""Bytes of an activation at most: the large ones of `mixed` are float32."""

PREPARATION_BYTES = 8 * 14
"""Bytes per pixel that finding and filling of artefacts takes before the network runs, in arrays of float64."""

_TWO_PASSES = 1.56
"""Work that tiles do twice over work done once: 760 GFLOP forward and 195 for the content, of 1715 at 1024²."""


def transfer_bytes(
    shape: tuple[int, int],
    tile: int | None,
    architecture: Architecture,
    settings: StyleSettings,
    precision: Precision = "float32",
) -> int:
    """Return the peak of `gradient_step.transfer` over what the process held before, in bytes.

    Parameters
    ----------
    shape
        ``(y, x)`` of the image.
    tile
        Side of the tiles, ``None`` for the whole image.
    architecture
        Layers of the network.
    settings
        Settings of the transfer.
    precision
        Precision of the network.
    """
    # RGB float32: gradient, average, image, one temporary, Adam's two moments if there is a second step; start and
    # content have one channel.
    whole = 4 * (3 * (4 if settings.iterations == 1 else 7) + 2)
    working = backward_bytes(
        shape, tile, architecture, settings.style_layers, settings.content_layers, precision
    )
    return round(OVERHEAD * (working + whole * shape[0] * shape[1]))


def targets_bytes(
    shape: tuple[int, int],
    tile: int | None,
    architecture: Architecture,
    layers: Collection[int],
    precision: Precision = "float32",
) -> int:
    """Return the peak of `gradient_step.gram_targets` over what the process held before, in bytes."""
    working = forward_bytes(shape, tile, architecture, layers, precision)
    return round(OVERHEAD * (working + 4 * 2 * shape[0] * shape[1]))


def matching_bytes(
    shape: tuple[int, int],
    tile: int | None,
    architecture: Architecture,
    settings: GramMatchingSettings,
    precision: Precision = "float32",
) -> int:
    """Return the peak of `gram_matching.match_grams` over what the process held before, in bytes."""
    pixels = shape[0] * shape[1]
    # The gradient in RGB; grey and float32 the pairs, three images, three gradients, step and direction, the
    # network's input and the weights of the activations; and one product in float64.
    whole = 4 * (3 + 2 * HISTORY + 8 + 3 + 2)
    working = backward_bytes(shape, tile, architecture, settings.style_layers, (), precision)
    return round(OVERHEAD * max(working + whole * pixels, PREPARATION_BYTES * pixels))


def measuring_bytes(
    shape: tuple[int, int],
    tile: int | None,
    architecture: Architecture,
    layers: Collection[int],
    precision: Precision = "float32",
) -> int:
    """Return the peak of `gram_matching.measure_grams` over what the process held before, in bytes."""
    pixels = shape[0] * shape[1]
    half = (shape[0], -(-shape[1] // 2))  # each half is measured by itself
    working = forward_bytes(half, tile, architecture, layers, precision)
    return round(OVERHEAD * max(working + 4 * 5 * pixels, PREPARATION_BYTES * pixels))


def backward_bytes(
    shape: tuple[int, int],
    tile: int | None,
    architecture: Architecture,
    style_layers: Collection[int],
    content_layers: Collection[int],
    precision: Precision,
) -> int:
    """Return the bytes of activations that the gradient of a loss needs of the largest tile."""
    layers = {*style_layers, *content_layers}
    stored = sum(
        _values_per_pixel(architecture, layer)
        for layer in range(max(layers) + 1)
        if layer in layers or architecture.is_stored(layer)
    )
    content = sum(_values_per_pixel(architecture, layer) for layer in content_layers)
    region, _ = measure_regions(shape, tile, architecture, layers)
    return round(ACTIVATION_BYTES[precision] * (stored + content) * region)


def forward_bytes(
    shape: tuple[int, int],
    tile: int | None,
    architecture: Architecture,
    layers: Collection[int],
    precision: Precision,
) -> int:
    """Return the bytes that a forward pass of the largest tile takes: input and output of the widest convolution."""
    widest = max(_values_per_pixel(architecture, layer) for layer in range(max(layers) + 1))
    region, _ = measure_regions(shape, tile, architecture, layers)
    return round(ACTIVATION_BYTES[precision] * 2 * widest * region)


def tiles_from_largest(shapes: Iterable[tuple[int, int]], alignment: int) -> Iterator[int | None]:
    """Yield all tiles worth trying: the whole image as ``None``, then ever smaller sides.

    Parameters
    ----------
    shapes
        ``(y, x)`` of the images.
    alignment
        Pixels that a side is a multiple of.

    Examples
    --------
    >>> list(tiles_from_largest([(20, 50)], alignment=16))
    [None, 48, 32, 16]
    """
    yield None
    side = max(max(shape) for shape in shapes)
    yield from range((side - 1) // alignment * alignment, 0, -alignment)


def tiled_work(
    shape: tuple[int, int], tile: int | None, architecture: Architecture, layers: Collection[int]
) -> float:
    """Return the convolutions of a transfer in tiles over those of the whole image at once.

    With a frozen network a backward pass costs as much as a forward pass. Tiles take two forward passes instead of
    one, the content's features twice, and the halos.
    """
    if tile is None or tile >= max(shape):
        return 1.0
    _, pixels = measure_regions(shape, tile, architecture, layers)
    return _TWO_PASSES * pixels / (shape[0] * shape[1])


def _values_per_pixel(architecture: Architecture, layer: int) -> float:
    return architecture.channels(layer) / architecture.stride(layer) ** 2
