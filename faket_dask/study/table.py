"""Tables of a study: the summary of each model, paired differences, and all scores as comma-separated text."""

from __future__ import annotations

import csv
import io
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faket_dask.atomic import write_text
from faket_dask.engine.completed import CompletedUnits
from faket_dask.study.results import Cost, StudyResults, measure_cost
from faket_dask.study.statistics import PairedDifference, ScoreSummary, compare_paired, summarise

VALUES = ("localisation_f1", "macro_f1", "score")
"""Values that are summarised: the two of the paper's Table 1, and the score that the study's rule is named for."""

COLUMNS = ("model", "seed", "role", "tomogram", "epoch", *VALUES, "permuted_macro_f1")

TRAINING_STAGES = ("train",)
INFERENCE_STAGES = ("segment", "pick")


@dataclass(frozen=True)
class ModelRow:
    """Row of the table of models.

    Parameters
    ----------
    entry
        Name in the study file.
    seeds
        Number of seeds that are complete.
    summaries
        Summary of each value.
    above_permuted
        Number of scores of the test whose F1-macro exceeds the 95th percentile of permuted labels.
    scores
        Number of scores of the test.
    training, inference
        Measured costs of training, and of segmentation and picking.
    """

    entry: str
    seeds: int
    summaries: dict[str, ScoreSummary]
    above_permuted: int
    scores: int
    training: Cost
    inference: Cost


@dataclass(frozen=True)
class ModelComparison:
    """Row of the table of paired differences.

    Parameters
    ----------
    one, other
        Models; the differences are those of the first less the second.
    seeds
        Number of seeds that both have.
    differences
        PairedDifference of each value.
    """

    one: str
    other: str
    seeds: int
    differences: dict[str, PairedDifference]


def list_rows(results: StudyResults, completed: CompletedUnits) -> list[ModelRow]:
    """Return a row for each model that has a complete seed."""
    rows = []
    for entry in results.spec.config.models:
        values = {name: results.collect(entry, name) for name in VALUES}
        present = {name: scores for name, scores in values.items() if scores is not None}
        if not present:
            continue
        tests = results.test_scores(entry)
        rows.append(
            ModelRow(
                entry,
                len(next(iter(present.values()))),
                {name: summarise(scores) for name, scores in present.items()},
                sum(score.macro_f1 > score.permuted_macro_f1 for score in tests),
                len(tests),
                measure_cost(completed, entry, TRAINING_STAGES),
                measure_cost(completed, entry, INFERENCE_STAGES),
            )
        )
    return rows


def list_comparisons(results: StudyResults) -> list[ModelComparison]:
    """Return a row for each pair of models that have a seed in common."""
    rows = []
    for one, other in itertools.combinations(results.spec.config.models, 2):
        pairs = {name: results.pair(one, other, name) for name in VALUES}
        differences = {name: compare_paired(*pair) for name, pair in pairs.items() if pair is not None}
        if differences:
            seeds = max(len(np.asarray(pair[0])) for pair in pairs.values() if pair is not None)
            rows.append(ModelComparison(one, other, seeds, differences))
    return rows


def write_table(results: StudyResults, path: Path) -> None:
    """Write all scores, a line for each model, seed and tomogram, with the F1 of each class."""
    classes = list(dict.fromkeys(name for score in results.scores for name in score.class_f1))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*COLUMNS, *(f"f1 {name}" for name in classes)])
    for score in results.scores:
        writer.writerow(
            [
                *(score.entry, score.seed, score.role, score.tomogram, score.epoch),
                *(f"{getattr(score, name):.6f}" for name in (*VALUES, "permuted_macro_f1")),
                *(f"{score.class_f1[name]:.6f}" if name in score.class_f1 else "" for name in classes),
            ]
        )
    write_text(path, stream.getvalue())
