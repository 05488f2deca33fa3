"""Scores and training histories of a study, as far as they are complete."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.engine.completed import CompletedUnits
from faket_dask.pickers.checkpoint import Checkpoint
from faket_dask.study.scoring_stage import ScoreModels, score_path
from faket_dask.study.spec import Role, StudySpec, model_name
from faket_dask.study.training_stage import TrainStudyModels


@dataclass(frozen=True)
class ModelScore:
    """Scores of one model with one seed in one tomogram.

    Parameters
    ----------
    entry, seed, role, tomogram
        Name in the study file, seed, use of the tomogram and its name.
    localisation_f1, macro_f1, score
        Scores.
    permuted_macro_f1
        95th percentile of `macro_f1` with permuted labels.
    class_names
        Names by channel, background first.
    class_f1
        F1 by class.
    confusion
        Particles of the class of a row that picks take for the class of a column.
    epoch
        Epoch of the network.
    """

    entry: str
    seed: int
    role: Role
    tomogram: str
    localisation_f1: float
    macro_f1: float
    score: float
    permuted_macro_f1: float
    class_names: tuple[str, ...]
    class_f1: Mapping[str, float]
    confusion: NDArray[np.int64]
    epoch: int


@dataclass(frozen=True, eq=False)
class StudyResults:
    """Everything that the report is made of.

    Parameters
    ----------
    spec
        Study.
    scores
        All scores that are there.
    histories
        Mean voxel F1 of each epoch of a training that is complete, by its name; empty without validation.
    """

    spec: StudySpec
    scores: tuple[ModelScore, ...]
    histories: Mapping[str, NDArray[np.float64]]

    @classmethod
    def read(cls, completed: CompletedUnits) -> StudyResults:
        """Read the scores and histories of all complete units."""
        spec: StudySpec = completed.plan.spec
        scores = []
        for result in spec.results:
            if completed.has(ScoreModels.name, result.item):
                document = json.loads(score_path(spec, result.item).read_text(encoding="utf-8"))
                scores.append(_read_score(document))
        histories = {}
        for name, model in spec.models.items():
            if completed.has(TrainStudyModels.name, model.items[-1]):
                history = Checkpoint.read(model.checkpoint(-1)).history
                values = [record.mean_f1 for record in history]
                histories[name] = np.array([value for value in values if value is not None])
        return cls(spec, tuple(scores), histories)

    def collect(self, entry: str, value: str, role: Role = Role.TEST) -> NDArray[np.float64] | None:
        """Return one value of a model, ``(seed, specimen)``, for the seeds that have it in all tomograms.

        Parameters
        ----------
        entry
            Name in the study file.
        value
            Attribute of `ModelScore`.
        role
            Use of the tomograms.
        """
        rows = self.collect_by_seed(entry, value, role)
        return np.array(list(rows.values())) if rows else None

    def collect_by_seed(self, entry: str, value: str, role: Role = Role.TEST) -> dict[int, list[float]]:
        """Return one value of a model by seed, in the order of the tomograms; complete seeds only."""
        tomograms = [one.name for one in self.spec.scored if one.role is role]
        known = {
            (score.seed, score.tomogram): float(getattr(score, value))
            for score in self.scores
            if score.entry == entry and score.role is role
        }
        return {
            seed: [known[seed, name] for name in tomograms]
            for seed in self.spec.config.seeds
            if tomograms and all((seed, name) in known for name in tomograms)
        }

    def pair(
        self, one: str, other: str, value: str
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return one value of two models in the test, ``(seed, specimen)`` each, for the seeds that both have."""
        left, right = self.collect_by_seed(one, value), self.collect_by_seed(other, value)
        seeds = [seed for seed in left if seed in right]
        if not seeds:
            return None
        return np.array([left[seed] for seed in seeds]), np.array([right[seed] for seed in seeds])

    def test_scores(self, entry: str) -> list[ModelScore]:
        """Return all scores of a model in the test."""
        return [score for score in self.scores if score.entry == entry and score.role is Role.TEST]

    def collect_histories(self, entry: str) -> NDArray[np.float64] | None:
        """Return the voxel F1 of each epoch, ``(seed, epoch)``; ``None`` where there is none."""
        names = [model_name(entry, seed) for seed in self.spec.config.seeds]
        curves = [self.histories[name] for name in names if self.histories.get(name, np.empty(0)).size]
        return np.array(curves) if curves else None


@dataclass(frozen=True)
class Cost:
    """Measured cost of one stage of one model, over all seeds.

    Parameters
    ----------
    seconds
        Time of all units.
    processor_s
        Processor time of them.
    units
        Number of units.
    """

    seconds: float
    processor_s: float
    units: int


def measure_cost(completed: CompletedUnits, entry: str, stages: Sequence[str]) -> Cost:
    """Add up the measured times of a model's units.

    Parameters
    ----------
    completed
        Complete units.
    entry
        Name in the study file.
    stages
        Names of stages.
    """
    spec: StudySpec = completed.plan.spec
    names = {model_name(entry, seed) for seed in spec.config.seeds}
    markers = [
        marker
        for key in completed.batches
        if key.stage in stages and key.item.owner in names
        for marker in completed.read_markers(key.stage, key.item).values()
    ]
    return Cost(
        sum(marker.seconds for marker in markers),
        sum(marker.processor_s or 0.0 for marker in markers),
        len(markers),
    )


def _read_score(document: dict[str, Any]) -> ModelScore:
    return ModelScore(
        document["model"],
        document["seed"],
        Role(document["role"]),
        document["tomogram"],
        document["localisation_f1"],
        document["macro_f1"],
        document["score"],
        document["permuted_macro_f1"],
        tuple(document["classes"]),
        document["class_f1"],
        np.array(document["confusion"], dtype=np.int64),
        document["epoch"],
    )
