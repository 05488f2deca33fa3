"""Scores of a model's picks in one tomogram, by the rule that a study names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.config.study import Czii2024Scorer, OneToOneScorer, Scorer
from faket_dask.config.training import Tomograms
from faket_dask.scoring.confusion import count_class
from faket_dask.scoring.counts import Counts
from faket_dask.scoring.czii2024 import RADIUS_FACTOR, count_czii2024, score_czii2024
from faket_dask.scoring.one_to_one import OneToOneScore, score_one_to_one
from faket_dask.scoring.picks import BACKGROUND, Picks
from faket_dask.scoring.shrec2021 import score_shrec2021
from faket_dask.study.truth import Truth, read_instances, read_truth

PERMUTATIONS = 1000
"""Permutations of the labels of picks that a score is compared with."""

PERMUTATION_PERCENT = 95.0
"""Percentile of their scores that a model which tells classes apart exceeds."""

PERMUTATION_SEED = 2304


@dataclass(frozen=True, eq=False)
class PickScore:
    """Score of picks in one tomogram.

    Parameters
    ----------
    localisation
        Hits and errors whatever the class.
    macro_f1
        Mean F1 of the classes.
    score
        Score that the rule is named for: F-beta for `czii2024`, else `macro_f1`.
    confusion
        ``(classes, classes)`` int64: particles of the class of a row that picks take for the class of a column;
        channels of the network, background first.
    """

    localisation: Counts
    macro_f1: float
    score: float
    confusion: NDArray[np.int64]

    def class_f1(self, channel: int) -> float:
        """Return the F1 of one class."""
        return count_class(self.confusion, channel).f_score()


ScorePicks = Callable[[Picks], PickScore]
"""Function of picks in voxels of the tomogram, ``(x, y, z)``, whose classes are channels of the network."""


def open_scorer(scorer: Scorer, source: Tomograms, class_names: Sequence[str]) -> ScorePicks:
    """Return the function that scores picks in a tomogram.

    Parameters
    ----------
    scorer
        Rule.
    source
        Source that has one tomogram.
    class_names
        Names by channel, background first.

    Raises
    ------
    InputError
        If the tomogram cannot be scored by the rule.
    """
    channels = {name: channel for channel, name in enumerate(class_names)}
    truth = read_truth(source)
    if isinstance(scorer, OneToOneScorer):
        return _score_by_distance(scorer, truth, channels)
    if isinstance(scorer, Czii2024Scorer):
        return _score_by_radius(scorer, truth, channels)
    left_out = {BACKGROUND, *(channels[name] for name in scorer.left_out if name in channels)}
    not_expected = {BACKGROUND, *(channels[name] for name in scorer.not_expected if name in channels)}
    instances = read_instances(source)
    particles = _to_channels(instances.picks, truth, channels)

    def score(picks: Picks) -> PickScore:
        found = score_shrec2021(
            picks, particles, instances.occupancy, left_out=left_out, not_expected=not_expected
        )
        confusion = _pad(found.confusion, len(class_names))
        return PickScore(found.localisation, found.macro_f1, found.macro_f1, confusion)

    return score


def permute_labels(score: ScorePicks, picks: Picks) -> float:
    """Return the 95th percentile of F1-macro over 1,000 permutations of the labels of picks.

    Places stay as they are, and so do the numbers of picks of each class: a model that finds particles and cannot tell
    their classes scores below it in 19 of 20 cases.

    Parameters
    ----------
    score
        Function from `open_scorer`.
    picks
        Picks.
    """
    rng = np.random.default_rng(PERMUTATION_SEED)
    scores = [
        score(Picks(picks.positions, rng.permutation(picks.class_id), picks.score)).macro_f1
        for _ in range(PERMUTATIONS)
    ]
    return float(np.percentile(scores, PERMUTATION_PERCENT))


def _score_by_distance(scorer: OneToOneScorer, truth: Truth, channels: dict[str, int]) -> ScorePicks:
    particles = _to_channels(truth.picks, truth, channels)
    ignored = particles.class_id == BACKGROUND
    radius = scorer.radius_A / truth.voxel_size_A

    def score(picks: Picks) -> PickScore:
        found = score_one_to_one(picks, particles, radius, ignored)
        return _from_pairs(found, found.macro_f1, len(channels))

    return score


def _score_by_radius(scorer: Czii2024Scorer, truth: Truth, channels: dict[str, int]) -> ScorePicks:
    particles = _to_channels(truth.picks, truth, channels)
    learnt = {name: size for name, size in scorer.radius_A.items() if name in channels}
    radius = {channels[name]: size / truth.voxel_size_A for name, size in learnt.items()}
    weight = {channels[name]: scorer.weight.get(name, 1.0) for name in learnt}
    ignored = ~np.isin(particles.class_id, list(radius))
    reach = np.array([RADIUS_FACTOR * radius.get(int(channel), 1.0) for channel in particles.class_id])

    def score(picks: Picks) -> PickScore:
        found = score_one_to_one(picks, particles, reach, ignored)
        counts = count_czii2024(picks, particles, radius)
        return _from_pairs(found, score_czii2024([counts], weight), len(channels))

    return score


def _from_pairs(found: OneToOneScore, score: float, classes: int) -> PickScore:
    return PickScore(found.localisation, found.macro_f1, score, _pad(found.confusion, classes))


def _to_channels(picks: Picks, truth: Truth, channels: dict[str, int]) -> Picks:
    """Give particles the channels of their classes; those that are learnt as background have 0."""
    numbers = np.zeros(max([0, *truth.class_ids.values(), *picks.class_id.tolist()]) + 1, dtype=np.int64)
    for name, label in truth.class_ids.items():
        numbers[label] = channels.get(name, BACKGROUND)
    return Picks(picks.positions, numbers[picks.class_id])


def _pad(confusion: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    missing = classes - len(confusion)
    return np.pad(confusion, (0, missing)) if missing > 0 else confusion
