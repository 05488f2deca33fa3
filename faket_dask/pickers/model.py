"""Model of a run: its settings, its pieces of epochs, and where their checkpoints lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from faket_dask.config.training import ModelSection
from faket_dask.engine.unit import Item


class EpochPiece(NamedTuple):
    """Consecutive epochs that are trained as one unit of work.

    Parameters
    ----------
    first, last
        Numbers of its first and last epoch, from 1.
    """

    first: int
    last: int

    def __str__(self) -> str:
        return f"epochs-{self.first:04d}-{self.last:04d}"

    @property
    def epochs(self) -> range:
        """Numbers of all its epochs."""
        return range(self.first, self.last + 1)


@dataclass(frozen=True)
class Model:
    """One model in the folder of a run.

    Parameters
    ----------
    name
        Name of the model.
    section
        Settings.
    root
        Folder of the run.
    """

    name: str
    section: ModelSection
    root: Path

    @property
    def pieces(self) -> list[EpochPiece]:
        """All pieces, in order.

        A piece ends at each multiple of `epochs_per_unit`, so that longer trainings have the same pieces and more.
        """
        epochs, size = self.section.training.epochs, self.section.training.epochs_per_unit
        return [EpochPiece(first, min(first + size - 1, epochs)) for first in range(1, epochs + 1, size)]

    @property
    def items(self) -> list[Item]:
        """Items of the units that train it, one for each piece, in order."""
        return [Item(self.name, str(piece)) for piece in self.pieces]

    def find_piece(self, item: Item) -> int:
        """Return the index of the piece that an item names."""
        return self.items.index(item)

    def checkpoint(self, index: int) -> Path:
        """Return the file of the checkpoint after a piece; −1 for the last one."""
        return self.root / "models" / self.name / f"{self.pieces[index]}.npz"
