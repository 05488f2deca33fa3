"""Model of a run: its settings, its pieces of epochs, and where their checkpoints lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from faket_dask.config.training import ModelSection
from faket_dask.engine.specification import digest_inputs
from faket_dask.engine.unit import Item

TRAINING_VERSION = 1
"""Raised whenever the same settings train other weights."""

CHANGEABLE = {"epochs", "readers", "cache_MiB"}
"""Settings that do not change what an epoch trains."""


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
    inputs
        Digests of its tomograms and of the checkpoint that it starts from.
    """

    name: str
    section: ModelSection
    root: Path
    inputs: Mapping[str, Any]

    @property
    def result_inputs(self) -> dict[str, Any]:
        """Everything that its weights depend on; not the number of epochs, so that trainings may be extended."""
        settings = self.section.training.model_dump(mode="json", exclude=CHANGEABLE)
        return {**settings, **self.inputs, "version": TRAINING_VERSION}

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything that its weights depend on."""
        return digest_inputs(self.result_inputs)

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
