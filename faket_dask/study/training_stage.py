"""Training of a study's models with each seed, a chain of pieces of epochs for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from faket_dask.engine.stage import BatchKey, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.pickers.checkpoint import Checkpoint
from faket_dask.pickers.model import Model
from faket_dask.pickers.training_stage import TrainEpochs
from faket_dask.study.costs import estimate_piece, rate_models
from faket_dask.study.spec import StudySpec, model_name


class TrainStudyModels(TrainEpochs[StudySpec]):
    """Train one piece of the epochs of one model with one seed."""

    def models(self, spec: StudySpec) -> Mapping[str, Model]:
        """Return the trainings of all models with all seeds."""
        return spec.models

    def before_training(self, spec: StudySpec, model: Model) -> list[BatchKey]:
        """Return the piece of another model that this one starts from."""
        entry, seed = spec.find_model(model.name)
        start = spec.config.models[entry].start
        if start is None:
            return []
        other = spec.models[model_name(start, seed)]
        return [BatchKey(self.name, other.items[spec.find_start_piece(other, entry)])]

    def open_start(self, model: Model) -> Checkpoint | None:
        """Return the checkpoint that a model starts from, of which the last weights count and not the best."""
        start = super().open_start(model)
        return None if start is None else replace(start, best={}, best_epoch=0)

    def cost(self, spec: StudySpec) -> UnitCost:
        """Estimate the largest piece from the time of one step on this machine."""
        seconds = [estimate_piece(rate, piece) for model, rate in rate_models(spec) for piece in model.pieces]
        known = [value for value in seconds if value is not None]
        return replace(super().cost(spec), seconds=max(known) if len(known) == len(seconds) else None)

    def mean_seconds(self, spec: StudySpec, units: Mapping[Item, int]) -> float | None:
        """Estimate the mean time of the pieces that are left."""
        rates = {model.name: rate for model, rate in rate_models(spec)}
        seconds = [
            estimate_piece(rates[item.owner], model.pieces[model.find_piece(item)])
            for item, count in units.items()
            for model in [spec.models[item.owner]] * count
        ]
        known = [value for value in seconds if value is not None]
        return sum(known) / len(known) if known and len(known) == len(seconds) else None
