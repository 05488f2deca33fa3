"""Tiles of an image that overlap enough for the network to see in each what it sees in the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from faket_dask.kernels.style.network import Architecture

Window = tuple[slice, slice]
"""Rows and columns of an image."""


@dataclass(frozen=True)
class Tile:
    """A part of an image.

    Parameters
    ----------
    core
        Pixels that no other tile has.
    region
        Core and the pixels around it that its activations see.
    """

    core: Window
    region: Window

    def core_activations(self, stride: int) -> Window:
        """Return rows and columns of the core's activations among those of the region.

        Parameters
        ----------
        stride
            Pixels per activation.

        Examples
        --------
        >>> tile = Tile((slice(16, 32), slice(0, 16)), (slice(0, 48), slice(0, 32)))
        >>> tile.core_activations(2)
        (slice(8, 16, None), slice(0, 8, None))
        """
        rows, columns = (
            slice((core.start - region.start) // stride, (core.stop - region.start) // stride)
            for core, region in zip(self.core, self.region, strict=True)
        )
        return rows, columns


def halo(architecture: Architecture, layers: Iterable[int]) -> int:
    """Return the pixels around a core that its activations see, up to the next multiple of the alignment.

    Parameters
    ----------
    architecture
        Layers of the network.
    layers
        Layers whose activations are used.
    """
    furthest = max(architecture.reach(layer) for layer in layers)
    return -(-furthest // architecture.alignment) * architecture.alignment


def cut(
    shape: tuple[int, int], tile: int | None, architecture: Architecture, layers: Iterable[int]
) -> list[Tile]:
    """Cut an image into tiles.

    At the border of the image a region ends at the border, so that padding happens there, and only there, as it
    does in the whole image.

    Parameters
    ----------
    shape
        ``(y, x)`` of the image.
    tile
        Largest side of a core, a multiple of the network's alignment (16 for VGG-19); ``None`` for one tile that is
        the whole image.
    architecture
        Layers of the network.
    layers
        Layers whose activations are to be the same as in the whole image.

    Raises
    ------
    ValueError
        If the tile is not a positive multiple of the alignment.
    """
    if tile is None:
        whole = (slice(0, shape[0]), slice(0, shape[1]))
        return [Tile(whole, whole)]
    alignment = architecture.alignment
    if tile < alignment or tile % alignment:
        raise ValueError(f"tile must be a positive multiple of {alignment} pixels, got {tile}")
    margin = halo(architecture, layers)
    rows, columns = (
        [(core, _widen(core, margin, size)) for core in _divide(size, tile, alignment)] for size in shape
    )
    return [Tile((y, x), (wide_y, wide_x)) for y, wide_y in rows for x, wide_x in columns]


def measure_regions(
    shape: tuple[int, int], tile: int | None, architecture: Architecture, layers: Iterable[int]
) -> tuple[int, int]:
    """Return the pixels of the largest region of the tiles that `cut` makes, and of all regions together.

    Regions are rows times columns, so that no tile need be made: the work grows with the sides of the image, not with
    its area.
    """
    if tile is None:
        return shape[0] * shape[1], shape[0] * shape[1]
    margin = halo(architecture, layers)
    lengths = [
        [_length(_widen(core, margin, size)) for core in _divide(size, tile, architecture.alignment)]
        for size in shape
    ]
    rows, columns = lengths
    return max(rows) * max(columns), sum(rows) * sum(columns)


def _length(part: slice) -> int:
    return int(part.stop - part.start)


def _divide(size: int, largest: int, alignment: int) -> list[slice]:
    """Divide a side into pieces of nearly equal size that start at multiples of the alignment."""
    units = -(-size // alignment)
    count = -(-units // (largest // alignment))
    ends = [min(units * (i + 1) // count * alignment, size) for i in range(count)]
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _widen(core: slice, margin: int, size: int) -> slice:
    return slice(max(core.start - margin, 0), min(core.stop + margin, size))
