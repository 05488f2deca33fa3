"""The parts of a tomogram that are made one at a time, each the layers of a slab in the rows of a block."""

from __future__ import annotations

from dataclasses import dataclass

from faket_dask.dataset.geometry import BLOCK_ROWS
from faket_dask.engine.arrays import ArraySpec

SLAB_LAYERS = 128
"""Layers in one file of a tomogram: with the rows of a block 115 MB at 3500 columns, all that a worker holds of it."""


@dataclass(frozen=True)
class Parts:
    """All parts of a tomogram, block by block.

    Parameters
    ----------
    shape
        Voxels ``(z, y, x)``.
    """

    shape: tuple[int, int, int]

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

    def position(self, index: int) -> tuple[int, int, int]:
        """Of a part's file in the grid of files."""
        block, slab = divmod(index, self.slabs)
        return slab, block, 0

    def region(self, index: int) -> tuple[slice, slice]:
        """Layers and rows of a part."""
        depth, rows, _ = self.shape
        slab, block, _ = self.position(index)
        return (
            slice(slab * SLAB_LAYERS, min((slab + 1) * SLAB_LAYERS, depth)),
            slice(block * BLOCK_ROWS, min((block + 1) * BLOCK_ROWS, rows)),
        )

    def array(self, name: str) -> ArraySpec:
        """The array that holds the tomogram, each part in a file of its own."""
        return ArraySpec(
            name,
            ("z", "y", "x"),
            self.shape,
            (SLAB_LAYERS, BLOCK_ROWS, self.shape[2]),
            attributes={"long_name": f"tomogram of {name}, dense dark"},
        )


def filtered_array(name: str, shape: tuple[int, int, int]) -> ArraySpec:
    """The array that holds filtered tilts, each in a file of its own in which blocks of rows can be read alone.

    Parameters
    ----------
    name
        Of the array.
    shape
        Tilts, rows, columns.
    """
    _, rows, columns = shape
    return ArraySpec(
        name,
        ("tilt", "y", "column"),  # of which there are more than x has where the tomogram is binned afterwards
        shape,
        (1, rows, columns),
        read_shape=(1, BLOCK_ROWS, columns),
        attributes={"coordinates": "tilt_angle"},
    )
