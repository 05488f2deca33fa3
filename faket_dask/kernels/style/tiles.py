"""An image cut into tiles that overlap enough for the network to see in each what it sees in the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from faket_dask.kernels.vgg import POOLINGS, reach, stride

ALIGNMENT = 2 ** len(POOLINGS)
"""Tiles start at multiples of this many pixels, so that poolings fall on the same pixels in all of them."""

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Tile:
    """A part of an image: its core, which no other tile has, and the region around that the core's activations see.

    Both are ``(y, x)`` slices of the image.
    """

    core: Window
    region: Window

    def core_at(self, layer: int) -> Window:
        """The core's activations among those of the region, as ``(y, x)`` slices."""
        step = stride(layer)
        return (
            slice(
                (self.core[0].start - self.region[0].start) // step,
                (self.core[0].stop - self.region[0].start) // step,
            ),
            slice(
                (self.core[1].start - self.region[1].start) // step,
                (self.core[1].stop - self.region[1].start) // step,
            ),
        )


def halo(layers: Iterable[int]) -> int:
    """Pixels around a core that its activations in some layers see, up to the next multiple of the alignment."""
    return -(-max(reach(layer) for layer in layers) // ALIGNMENT) * ALIGNMENT


def cut(shape: tuple[int, int], tile: int | None, layers: Iterable[int]) -> list[Tile]:
    """Cut an image into tiles.

    At the border of the image a region ends at the border, so that padding happens there, and only there, as it
    does in the whole image.

    Parameters
    ----------
    shape
        ``(y, x)`` of the image.
    tile
        Largest side of a core, a multiple of 16; ``None`` for one tile that is the whole image.
    layers
        Layers whose activations are to be the same as in the whole image.

    Raises
    ------
    ValueError
        If the tile is not a positive multiple of 16.
    """
    if tile is None:
        whole = (slice(0, shape[0]), slice(0, shape[1]))
        return [Tile(whole, whole)]
    if tile < ALIGNMENT or tile % ALIGNMENT:
        raise ValueError(f"tile must be a positive multiple of {ALIGNMENT} pixels, got {tile}")
    margin = halo(layers)
    rows, columns = ([(c, _widened(c, margin, size)) for c in _spans(size, tile)] for size in shape)
    return [Tile((y, x), (wide_y, wide_x)) for y, wide_y in rows for x, wide_x in columns]


def _spans(size: int, largest: int) -> list[slice]:
    """A side cut into pieces of nearly equal size, aligned."""
    units = -(-size // ALIGNMENT)
    count = -(-units // (largest // ALIGNMENT))
    ends = [min(units * (i + 1) // count * ALIGNMENT, size) for i in range(count)]
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _widened(core: slice, margin: int, size: int) -> slice:
    return slice(max(core.start - margin, 0), min(core.stop + margin, size))
