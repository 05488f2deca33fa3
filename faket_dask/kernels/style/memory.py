"""Peak memory of the style transfer, known before it runs.

What a task holds is counted, not guessed: all activations that the backward pass needs of the largest tile at
the end of the forward pass, which is the peak, the content's activations beside them, and the arrays of the
whole image that do not depend on the tile. The counts follow from the network; what is left to measure is
how much PyTorch allocates on top, `OVERHEAD`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Literal

from faket_dask.kernels.style.lbfgs import HISTORY
from faket_dask.kernels.style.tiles import ALIGNMENT, Tile, cut
from faket_dask.kernels.vgg import CONVOLUTIONS, POOLINGS, channels, stride

OVERHEAD = 1.05
"""Measured peak over counted bytes, at most, over the per-tilt scenarios of `faket-dask benchmark`."""

_TWO_PASSES = 1.56
"""Of 760 GFLOP forward, 760 backward and 195 for the content at 1024², what is done twice, over what is done once."""

_ITEM = {"float32": 4, "mixed": 4, "bfloat16": 2}
"""Bytes of an activation at most: the large ones of `mixed` are float32."""

_PREPARING = {"published": 0, "matched": 8 * 14}
"""Bytes per pixel before the network runs: `matched` finds artefacts and fills them, in arrays of float64."""

Method = Literal["published", "matched"]


def transfer_bytes(
    shape: tuple[int, int],
    tile: int | None,
    style_layers: Collection[int],
    content_layers: Collection[int],
    precision: str = "float32",
    iterations: int = 1,
    method: Method = "published",
) -> int:
    """Peak of `style.transfer`, or of `gram_matching.match_grams`, over what the process held before, in bytes.

    Parameters
    ----------
    shape
        ``(y, x)`` of the image.
    tile
        Side of the tiles, ``None`` for the whole image.
    style_layers, content_layers
        Layers of the loss.
    precision
        Of the network.
    iterations
        Steps of the optimiser: more than one need Adam's two moments.
    method
        Which of the two.
    """
    layers = {*style_layers, *content_layers}
    pixels = shape[0] * shape[1]
    region = _largest_region(shape, tile, layers)
    item = _ITEM[precision]
    kept = sum(_values_per_pixel(layer) for layer in range(max(layers) + 1) if _is_kept(layer, layers))
    content = sum(_values_per_pixel(layer) for layer in content_layers)
    # RGB float32: the gradient, the average, the image and one temporary; start and content have one channel.
    whole = 4 * (3 * (4 if iterations == 1 else 7) + 2)
    if method == "matched":
        # The gradient in RGB; grey and float32 the pairs, three images, three gradients, step and direction, the
        # network's input and the weights of the activations; and one product in float64.
        whole = 4 * (3 + 2 * HISTORY + 8 + 3 + 2)
    working = item * (kept + content) * region
    return round(OVERHEAD * max(working + whole * pixels, _PREPARING[method] * pixels))


def targets_bytes(
    shape: tuple[int, int],
    tile: int | None,
    style_layers: Collection[int],
    precision: str = "float32",
    method: Method = "published",
) -> int:
    """Peak of `style.gram_targets`, or of `matched.measure_grams`, over what the process held before, in bytes.

    Parameters as above.
    """
    pixels = shape[0] * shape[1]
    if method == "matched":
        shape = (shape[0], -(-shape[1] // 2))  # each half by itself
    region = _largest_region(shape, tile, set(style_layers))
    # Input and output of the widest convolution, nothing else, since no activation is kept.
    working = _ITEM[precision] * 2 * _widest(style_layers) * region
    whole = 5 if method == "matched" else 2
    return round(OVERHEAD * max(working + 4 * whole * pixels, _PREPARING[method] * pixels))


def tiles_from_largest(shapes: Iterable[tuple[int, int]]) -> Iterator[int | None]:
    """All tiles worth trying for images of some shapes ``(y, x)``: the whole image, then ever smaller ones."""
    yield None
    side = max(max(shape) for shape in shapes)
    yield from range((side - 1) // ALIGNMENT * ALIGNMENT, 0, -ALIGNMENT)


def tiled_work(shape: tuple[int, int], tile: int | None, layers: Collection[int]) -> float:
    """Convolutions of a transfer in tiles over those of the whole image at once: halos, and the first pass.

    With a frozen network a backward pass costs as much as a forward pass. Tiles take two forward passes instead of one,
    and the content's features twice.
    """
    parts = cut(shape, tile, layers)
    if len(parts) == 1:
        return 1.0
    return _TWO_PASSES * sum(_pixels(part) for part in parts) / (shape[0] * shape[1])


def _largest_region(shape: tuple[int, int], tile: int | None, layers: Collection[int]) -> int:
    return max(_pixels(part) for part in cut(shape, tile, layers))


def _pixels(part: Tile) -> int:
    rows, columns = part.region
    return (rows.stop - rows.start) * (columns.stop - columns.start)


def _values_per_pixel(layer: int) -> float:
    return channels(layer) / stride(layer) ** 2


def _is_kept(layer: int, layers: Collection[int]) -> bool:
    return layer in layers or not (layer in CONVOLUTIONS or layer in POOLINGS)


def _widest(layers: Collection[int]) -> float:
    """Values per pixel of the largest output of a layer."""
    return max(_values_per_pixel(layer) for layer in range(max(layers) + 1))
