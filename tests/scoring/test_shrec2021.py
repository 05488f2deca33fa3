"""Scores by SHREC's rules, against a plain version of them and published figures."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import generate_binary_structure, grey_dilation

from faket_dask.scoring.confusion import count_confusion, macro_f1
from faket_dask.scoring.picks import Picks
from faket_dask.scoring.shrec2021 import RIBOSOME, VESICLE, find_instances, score_shrec2021

SIZE = 6
CLASSES = (RIBOSOME, VESICLE, 2, 5)


@dataclass(frozen=True)
class Case:
    """Small tomogram and picks in it, in the order of their file."""

    truth_classes: list[int]
    occupancy: np.ndarray
    lines: list[tuple[int, float, float, float]]

    @property
    def truth(self) -> Picks:
        """Particles at the middle of their voxels, or at the corner if they have none."""
        places = [np.argwhere(self.occupancy == k) for k in range(1, len(self.truth_classes) + 1)]
        middles = [place.mean(axis=0)[::-1] if len(place) else np.zeros(3) for place in places]
        return Picks(np.array(middles, float).reshape(-1, 3), np.array(self.truth_classes, np.int64))

    @property
    def picks(self) -> Picks:
        table = np.array(self.lines, float).reshape(-1, 4)
        return Picks(table[:, 1:], table[:, 0].astype(np.int64))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw particles of one to three voxels a side, so that many touch, and picks in and around the frame."""
    classes = draw(st.lists(st.sampled_from(CLASSES), min_size=1, max_size=6))
    occupancy = np.zeros((SIZE,) * 3, dtype=np.uint16)
    corner = st.tuples(*[st.integers(0, SIZE - 1)] * 3)
    for number in range(1, len(classes) + 1):
        (z, y, x), side = draw(corner), draw(st.integers(1, 3))
        occupancy[z : z + side, y : y + side, x : x + side] = number
    coordinate = st.integers(-4, 2 * SIZE + 4).map(lambda half: half / 2)
    line = st.tuples(st.sampled_from((*CLASSES, 9)), coordinate, coordinate, coordinate)
    lines = draw(st.lists(line, max_size=12))
    return Case(classes, occupancy, lines + draw(st.permutations(lines)) if draw(st.booleans()) else lines)


def score_plainly(case: Case) -> tuple[int, int, int, int, float]:
    """Follow the rules line by line: hits, picks, expected particles, clipped picks, F1-macro."""
    dilated = grey_dilation(case.occupancy, footprint=generate_binary_structure(3, 1))
    first_class: dict[int, int] = {}
    clipped = 0
    for class_id, *position in case.lines:
        voxel = [round(value) for value in position]
        x, y, z = (min(max(value, 0), SIZE - 1) for value in voxel)
        clipped += [x, y, z] != voxel
        instance = int(dilated[z, y, x])
        if instance > 0:
            first_class.setdefault(instance, class_id)
    true, predicted = [], []
    hits = 0
    for instance, class_id in enumerate(case.truth_classes, start=1):
        if class_id in (RIBOSOME, VESICLE):
            continue
        hits += instance in first_class
        named = first_class.get(instance, 0)
        true.append(class_id)
        predicted.append(0 if named in (RIBOSOME, VESICLE) else named)
    scores = []
    for name in set(true) | set(predicted):
        both = sum(t == p == name for t, p in zip(true, predicted, strict=True))
        scores.append(2 * both / (true.count(name) + predicted.count(name)))
    expected = sum(class_id != RIBOSOME for class_id in case.truth_classes)
    return hits, len(case.lines), expected, clipped, sum(scores) / len(scores) if scores else 0.0


@settings(max_examples=300)
@given(case=cases())
def test_score_agrees_with_the_rules_followed_line_by_line(case: Case) -> None:
    score = score_shrec2021(case.picks, case.truth, case.occupancy)
    hits, picks, expected, clipped, f1 = score_plainly(case)
    assert (score.hit.size, score.picks, score.expected, score.clipped) == (hits, picks, expected, clipped)
    assert score.macro_f1 == pytest.approx(f1)
    counts = score.localisation
    assert counts.precision == pytest.approx(hits / picks if picks else 0)
    assert counts.recall == pytest.approx(hits / expected if expected else 0)
    assert len(score.distance) == hits


@settings(max_examples=50)
@given(case=cases())
def test_every_voxel_has_the_instance_of_a_dilated_mask(case: Case) -> None:
    dilated = grey_dilation(case.occupancy, footprint=generate_binary_structure(3, 1))
    z, y, x = np.indices(dilated.shape).reshape(3, -1)
    np.testing.assert_array_equal(
        find_instances(case.occupancy, np.stack([x, y, z], axis=1)), dilated.ravel()
    )


def test_published_mean_counts_the_background() -> None:
    """Of an archived result, the F1 of 13 classes sum to 8.134; the mean over them and background is 0.5810."""
    f1 = np.array([0.35, 0.42, 0.5, 0.55, 0.58, 0.62, 0.66, 0.7, 0.71, 0.74, 0.78, 0.76, 0.764])
    assert f1.sum() == pytest.approx(8.134)
    particles = 1_000_000
    hits = np.rint(particles * f1 / (2 - f1)).astype(
        int
    )  # F1 is 2 h / (n + h) where all that is missed is background
    matrix = np.zeros((14, 14), dtype=np.int64)
    matrix[np.arange(1, 14), np.arange(1, 14)] = hits
    matrix[1:, 0] = particles - hits
    assert macro_f1(matrix) == pytest.approx(0.5810, abs=5e-5)


def test_background_does_not_count_where_nothing_is_missed() -> None:
    assert macro_f1(count_confusion(np.array([1, 2]), np.array([1, 2]), 3)) == 1
    assert macro_f1(count_confusion(np.array([1, 2]), np.array([1, 0]), 3)) == pytest.approx(1 / 3)


def test_first_pick_of_the_file_gives_the_class() -> None:
    occupancy = np.zeros((4, 4, 4), np.uint16)
    occupancy[1, 1, 1] = 1
    truth = Picks(np.ones((1, 3)), np.array([5]))
    for order, expected in (((5, 2), 1.0), ((2, 5), 0.0), ((RIBOSOME, 5), 0.0)):
        score = score_shrec2021(Picks(np.ones((2, 3)), np.array(order)), truth, occupancy)
        assert score.macro_f1 == expected
        assert (score.localisation.precision, score.localisation.recall) == (0.5, 1)


def test_vesicles_stay_among_the_expected_particles_and_ribosomes_do_not() -> None:
    occupancy = np.zeros((8, 8, 8), np.uint16)
    occupancy[1, 1, 1], occupancy[4, 4, 4], occupancy[6, 1, 6] = 1, 2, 3
    truth = Picks(np.array([[1.0, 1, 1], [4, 4, 4], [6, 1, 6]]), np.array([RIBOSOME, VESICLE, 5]))
    score = score_shrec2021(truth, truth, occupancy)
    assert (score.hit.size, score.expected, score.picks) == (1, 2, 3)
    assert score.macro_f1 == 1


def test_instance_that_the_truth_does_not_list_is_refused() -> None:
    occupancy = np.full((3, 3, 3), 2, np.uint16)
    one = Picks(np.ones((1, 3)), np.array([5]))
    with pytest.raises(ValueError, match="the mask has the instance 2, and the truth lists 1"):
        score_shrec2021(one, one, occupancy)


def test_without_picks_everything_is_missed() -> None:
    occupancy = np.zeros((3, 3, 3), np.uint16)
    none = Picks(np.empty((0, 3)), np.empty(0, np.int64))
    score = score_shrec2021(none, Picks(np.ones((1, 3)), np.array([5])), occupancy)
    assert score.localisation.f_score() == score.macro_f1 == 0
    assert score_shrec2021(none, none, occupancy).macro_f1 == 0


def test_far_positions_are_clipped() -> None:
    occupancy = np.zeros((3, 3, 3), np.uint16)
    occupancy[2, 2, 2] = 1
    truth = Picks(np.full((1, 3), 2.0), np.array([5]))
    score = score_shrec2021(Picks(np.full((1, 3), 1e300), np.array([5])), truth, occupancy)
    assert (score.hit.size, score.clipped) == (1, 1)
