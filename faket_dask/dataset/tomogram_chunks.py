"""Pieces of a tomogram that are made one at a time: the layers of a slab in the rows of a block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from faket_dask.dataset.geometry import BLOCK_ROWS
from faket_dask.engine.arrays import ArraySpec

SLAB_LAYERS = 128
"""Layers in one file of a tomogram: with the rows of a block 115 MB at 3500 columns, all that a worker holds of it."""


@dataclass(frozen=True)
class TomogramChunks:
    """All pieces of a tomogram, block by block.

    Parameters
    ----------
    shape
        Voxels ``(z, y, x)``.
    """

    shape: tuple[int, int, int]

    UNIT_AXES = (1, 0)
    """Axes along which units divide the tomogram: blocks of rows, and slabs of layers within each."""

    @property
    def slabs(self) -> int:
        """Number of slabs of layers."""
        return -(-self.shape[0] // SLAB_LAYERS)

    @property
    def blocks(self) -> int:
        """Number of blocks of rows."""
        return -(-self.shape[1] // BLOCK_ROWS)

    def __len__(self) -> int:
        return self.slabs * self.blocks

    def region(self, index: int) -> tuple[slice, slice]:
        """Return the layers and the rows of a piece.

        Examples
        --------
        >>> TomogramChunks((200, 100, 50)).region(1)
        (slice(128, 200, None), slice(0, 64, None))
        """
        depth, rows, _ = self.shape
        block, slab = divmod(index, self.slabs)
        return (
            slice(slab * SLAB_LAYERS, min((slab + 1) * SLAB_LAYERS, depth)),
            slice(block * BLOCK_ROWS, min((block + 1) * BLOCK_ROWS, rows)),
        )

    def describe_array(self, name: str, attributes: Mapping[str, Any]) -> ArraySpec:
        """Describe the array that holds the tomogram, each piece in a file of its own, with further attributes."""
        return ArraySpec(
            name,
            ("z", "y", "x"),
            self.shape,
            (SLAB_LAYERS, BLOCK_ROWS, self.shape[2]),
            attributes={
                "units": "arbitrary",
                "long_name": f"tomogram of {name}, dense dark",
                **attributes,
            },
        )


def describe_filtered_array(name: str, shape: tuple[int, int, int]) -> ArraySpec:
    """Describe the array of filtered tilts, each in a file of its own in which blocks of rows can be read alone.

    Parameters
    ----------
    name
        Name of the array.
    shape
        Tilts, rows, columns.
    """
    _, rows, columns = shape
    return ArraySpec(
        name,
        ("tilt", "y", "column"),  # not x: there are more columns where the tomogram is binned afterwards
        shape,
        (1, rows, columns),
        read_shape=(1, BLOCK_ROWS, columns),
        attributes={
            "units": "arbitrary",
            "long_name": f"filtered tilts of {name}",
            "coordinates": "tilt_angle",
        },
    )
