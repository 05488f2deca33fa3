"""Costs of a study's units, from the time of a training step on this machine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from faket_dask.config.training import TrainingSection
from faket_dask.pickers.model import EpochPiece, Model
from faket_dask.study.spec import Result, StudySpec
from faket_dask.study.step_times import load_patch_time

FORWARD_SHARE = 0.35
"""Share of the forward pass in the time of a training step."""

OPENING_S = 1.0
"""Seconds in which a unit opens its tomograms and writes its results."""

PICKING_S_PER_VOXEL = 4e-8
"""Seconds per voxel and class, in which scores are read, averaged and clustered."""

SCORING_S = 4.0
"""Seconds of the permutations of a few hundred picks."""


class TrainingRate(NamedTuple):
    """Seconds of the parts of a training.

    Parameters
    ----------
    epoch_s
        Time of an epoch with its validation; ``None`` where it is not known.
    forward_s_per_voxel
        Time in which a voxel is segmented; ``None`` where it is not known.
    """

    epoch_s: float | None
    forward_s_per_voxel: float | None


def rate_training(spec: StudySpec, entry: str) -> TrainingRate:
    """Return the time of an epoch of a model, measured now where no plan measured it before.

    Parameters
    ----------
    spec
        Study.
    entry
        Name of the model in its file.
    """
    training: TrainingSection = spec.config.training_of(entry)
    size = spec.sizes.models[entry]
    patch_s = load_patch_time(training, size.classes)
    if patch_s is None:
        return TrainingRate(None, None)
    forward = FORWARD_SHARE * patch_s / training.patch**3
    return TrainingRate(size.steps * training.batch * patch_s + size.judged_voxels * forward, forward)


def estimate_piece(rate: TrainingRate, piece: EpochPiece) -> float | None:
    """Return the seconds of a piece of epochs."""
    return None if rate.epoch_s is None else OPENING_S + len(piece.epochs) * rate.epoch_s


def rate_models(spec: StudySpec) -> Iterator[tuple[Model, TrainingRate]]:
    """Yield all trainings with the times of their parts."""
    rates = {entry: rate_training(spec, entry) for entry in spec.config.models}
    for model in spec.models.values():
        entry, _ = spec.find_model(model.name)
        yield model, rates[entry]


def count_scores(spec: StudySpec, result: Result) -> int:
    """Return the number of scores of a tomogram: its voxels times classes."""
    return math.prod(spec.sizes.scored[result.tomogram.part]) * spec.sizes.models[result.entry].classes
