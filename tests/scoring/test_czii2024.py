"""Scores by the rules of the CZII challenge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.scoring.counts import Counts
from faket_dask.scoring.czii2024 import count_czii2024, score_czii2024
from faket_dask.scoring.picks import Picks

points = st.lists(st.tuples(*[st.integers(0, 12)] * 3, st.integers(1, 2)), max_size=12).map(
    lambda rows: Picks(np.array(rows, float).reshape(-1, 4)[:, :3], np.array(rows, int).reshape(-1, 4)[:, 3])
)


@settings(max_examples=100)
@given(picks=points, truth=points)
def test_particle_is_found_by_any_pick_within_half_its_radius(picks: Picks, truth: Picks) -> None:
    radius = {1: 7.0, 2: 4.0}
    for class_id, counts in count_czii2024(picks, truth, radius).items():
        own = picks.positions[picks.class_id == class_id]
        there = truth.positions[truth.class_id == class_id]
        found = sum(
            any(np.linalg.norm(place - pick) <= radius[class_id] / 2 for pick in own) for place in there
        )
        assert counts == Counts(found, len(own) - found, len(there) - found)


def test_counts_of_all_tomograms_are_summed_before_the_score() -> None:
    runs = [{1: Counts(3, 1, 0)}, {1: Counts(0, 0, 2)}]
    precision, recall = 3 / 4, 3 / 5
    expected = 17 * precision * recall / (16 * precision + recall)
    assert score_czii2024(runs, {1: 1.0}) == pytest.approx(expected)


def test_classes_weigh_as_they_are_given() -> None:
    runs = [{1: Counts(1, 0, 0), 2: Counts(0, 0, 1), 3: Counts(0, 5, 5)}]
    assert score_czii2024(runs, {1: 1.0, 2: 2.0, 3: 0.0}) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="weight above 0"):
        score_czii2024(runs, {1: 0.0})
