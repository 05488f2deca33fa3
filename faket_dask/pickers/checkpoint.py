"""Checkpoints: everything that a training goes on from, in one file.

A checkpoint is a NumPy archive (``.npz``) without pickled objects: reading one runs no code, needs no PyTorch, and the
same training gives the same bytes. There is no random state in it: random numbers come from seed, epoch and step.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from faket_dask.atomic import replace_atomically
from faket_dask.errors import InputError, wrap_as_input_error
from faket_dask.stages.segmentation import TrainedNetwork

Arrays = Mapping[str, NDArray[np.float32]]
"""Arrays of a network by their names in PyTorch."""

_DESCRIPTION = "description"

_ARRAYS = ("weights", "adam_mean", "adam_square", "best")


@dataclass(frozen=True)
class EpochRecord:
    """Course of one epoch.

    Parameters
    ----------
    epoch
        Number, from 1.
    loss
        Mean loss of its steps.
    dice
        Mean soft Dice coefficient of its steps by class.
    f1
        Voxel F1 by class in the tomograms for validation after it; ``None`` for a class that is not there, empty
        without such tomograms.
    """

    epoch: int
    loss: float
    dice: tuple[float, ...]
    f1: tuple[float | None, ...] = ()

    @property
    def mean_f1(self) -> float | None:
        """Mean of the F1 of all classes but the background; ``None`` where there is none."""
        scores = [score for score in self.f1[1:] if score is not None]
        return float(np.mean(scores)) if scores else None


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """State of a training after an epoch.

    Parameters
    ----------
    network, width
        Picker network.
    labels
        Label in masks of each class but the background, by name, in the order of the channels.
    weights
        Weights of the network.
    adam_mean, adam_square
        Adam's running means of gradients and of their squares.
    adam_steps
        Number of steps that Adam has taken.
    history
        All epochs so far.
    best
        Weights of the epoch with the highest mean F1 so far; empty without validation.
    best_epoch
        Its number, 0 without validation.
    """

    network: str
    width: float
    labels: Mapping[str, int]
    weights: Arrays
    adam_mean: Arrays
    adam_square: Arrays
    adam_steps: int
    history: tuple[EpochRecord, ...]
    best: Arrays
    best_epoch: int

    @property
    def epoch(self) -> int:
        """Number of epochs so far."""
        return len(self.history)

    def select_network(self, *, last: bool = False) -> TrainedNetwork:
        """Return the network of the best epoch, or of the last one where it is asked for or none was judged."""
        weights = self.weights if last or not self.best else self.best
        return TrainedNetwork(self.network, self.width, ("background", *self.labels), weights)

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        description = {
            "network": self.network,
            "width": self.width,
            "labels": dict(self.labels),
            "adam_steps": self.adam_steps,
            "history": [asdict(record) for record in self.history],
            "best_epoch": self.best_epoch,
        }
        arrays = {f"{kind}/{name}": array for kind in _ARRAYS for name, array in getattr(self, kind).items()}
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **{_DESCRIPTION: np.array(json.dumps(description)), **arrays})
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_atomically(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read a file.

        Raises
        ------
        InputError
            If there is none, or it is damaged.
        """
        if not path.is_file():
            raise InputError(f"there is no checkpoint {path}; train the model first")
        with wrap_as_input_error(f"{path} is no checkpoint; train the model again"):
            try:
                return cls._parse(path)
            except (BadZipFile, EOFError) as error:
                raise ValueError(str(error)) from None

    @classmethod
    def _parse(cls, path: Path) -> Checkpoint:
        groups: dict[str, Any] = {kind: {} for kind in _ARRAYS}
        with np.load(path, allow_pickle=False) as file:
            description = json.loads(str(file[_DESCRIPTION]))
            for key in file.files:
                kind, _, name = key.partition("/")
                if name:
                    groups[kind][name] = file[key]
        history = tuple(
            EpochRecord(record["epoch"], record["loss"], tuple(record["dice"]), tuple(record["f1"]))
            for record in description.pop("history")
        )
        return cls(history=history, **description, **groups)
