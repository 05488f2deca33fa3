"""Scoring of picks, one small file for each model and tomogram."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from faket_dask.atomic import write_text
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.pickers.checkpoint import Checkpoint
from faket_dask.pickers.training_stage import PROCESS_BYTES
from faket_dask.scoring.picks import Picks
from faket_dask.specimen.particles import read_particles
from faket_dask.study.costs import OPENING_S, SCORING_S
from faket_dask.study.picking_stage import PickParticles, picks_path
from faket_dask.study.scorers import open_scorer, permute_labels
from faket_dask.study.segmentation_stage import find_epoch
from faket_dask.study.spec import StudySpec


def score_path(spec: StudySpec, item: Item) -> Path:
    """Return the file of the scores of a model in a tomogram."""
    return spec.root / "scores" / item.owner / f"{item.part}.json"


class ScoreModels(Stage[StudySpec]):
    """Score the picks of one model in one tomogram."""

    name = "score"
    label = "score"
    milestone = "scored"

    def items(self, spec: StudySpec) -> list[Item]:
        """Return all tomograms of all models."""
        return [result.item for result in spec.results]

    def predecessors(self, spec: StudySpec, item: Item) -> list[BatchKey]:
        """Return the picks."""
        return [BatchKey(PickParticles.name, item)]

    def files(self, spec: StudySpec, item: Item) -> list[Path]:
        """Return the scores as JSON."""
        return [score_path(spec, item)]

    def compute(self, spec: StudySpec, item: Item, index: int) -> Findings:
        """Score picks; the findings are the two figures of the paper's Table 1."""
        result = spec.results_by_item[item]
        checkpoint = Checkpoint.read(spec.models[item.owner].checkpoint(-1))
        labels = checkpoint.labels
        names = ("background", *labels)
        score = open_scorer(spec.config.scorer, result.tomogram.source, names)
        picks = _read_picks(picks_path(spec, item), dict(labels), spec.sizes.voxel_size_A)
        found = score(picks)
        localisation = found.localisation
        document = {
            "model": result.entry,
            "seed": result.seed,
            "role": result.tomogram.role,
            "tomogram": result.tomogram.name,
            "epoch": find_epoch(spec, checkpoint.epoch, checkpoint.best_epoch),
            "hits": localisation.hits,
            "false": localisation.false,
            "missed": localisation.missed,
            "localisation_f1": localisation.f_score(),
            "macro_f1": found.macro_f1,
            "score": found.score,
            "permuted_macro_f1": permute_labels(score, picks),
            "classes": list(names),
            "class_f1": {name: found.class_f1(channel) for channel, name in enumerate(names) if channel},
            "confusion": found.confusion.tolist(),
        }
        path = score_path(spec, item)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(document, indent=1) + "\n")
        return {"localisation_f1": document["localisation_f1"], "macro_f1": document["macro_f1"]}

    def cost(self, spec: StudySpec) -> UnitCost:
        """Estimate the permutations, which take most of it."""
        voxels = max(int(np.prod(shape)) for shape in spec.sizes.scored.values())
        return UnitCost(OPENING_S + SCORING_S, PROCESS_BYTES + 20 * voxels, 8 * 1024)


def _read_picks(path: Path, labels: dict[str, int], voxel_size_A: float) -> Picks:
    """Read picks, in voxels of the tomogram and channels of the network."""
    table = read_particles(path)
    channels = {label: channel for channel, label in enumerate(labels.values(), start=1)}
    return Picks(
        table.centre_A / voxel_size_A,
        np.array([channels[int(label)] for label in table.class_id], dtype=np.int64),
        table.score,
    )
