"""Laws of the assignment by distance, of curves and of the counts that follow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.errors import InputError
from faket_dask.scoring.assignment import NOBODY, assign
from faket_dask.scoring.distances import measure_nearest
from faket_dask.scoring.one_to_one import score_one_to_one
from faket_dask.scoring.picks import Picks
from faket_dask.scoring.precision_recall import trace_curve

RADIUS = 3.0


@st.composite
def point_sets(draw: st.DrawFn, scored: bool = False) -> Picks:
    """Draw points on a small lattice, so that distances and scores tie."""
    rows = draw(st.lists(st.tuples(*[st.integers(0, 8)] * 3, st.integers(1, 3)), max_size=14))
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    score = draw(st.lists(st.integers(0, 4), min_size=len(rows), max_size=len(rows)))
    return Picks(table[:, :3], table[:, 3].astype(np.int64), np.array(score, np.float64) if scored else None)


both = st.booleans().flatmap(lambda scored: point_sets(scored=scored))


@settings(max_examples=150)
@given(picks=both, truth=point_sets())
def test_nothing_is_assigned_twice_or_out_of_reach_and_nothing_in_reach_is_left(picks, truth) -> None:
    assignment = assign(picks, truth, RADIUS)
    rows = np.flatnonzero(assignment.is_assigned)
    owners = assignment.truth[rows]
    assert np.unique(owners).size == owners.size
    distance = np.linalg.norm(picks.positions[rows] - truth.positions[owners], axis=1)
    np.testing.assert_allclose(assignment.distance[rows], distance)
    assert (distance <= RADIUS).all()
    free = truth.select(~np.isin(np.arange(len(truth)), owners))
    lone = picks.select(~assignment.is_assigned)
    assert (measure_nearest(lone.positions, free.positions) > RADIUS).all()


@settings(max_examples=150)
@given(picks=both, truth=point_sets())
def test_counts_agree_with_the_confusion_and_the_lists(picks, truth) -> None:
    score = score_one_to_one(picks, truth, RADIUS)
    assert score.confusion[1:].sum() == len(truth)
    assert score.confusion[:, 1:].sum() == len(picks)
    assert score.localisation.hits == score.confusion[1:, 1:].sum()
    for class_id, counts in score.by_class.items():
        assert counts.hits + counts.missed == np.count_nonzero(truth.class_id == class_id)
        assert counts.hits + counts.false == np.count_nonzero(picks.class_id == class_id)
        if class_id in score.curves:
            assert score.curves[class_id].recall[-1:].tolist() in ([], [pytest.approx(counts.recall)])
            assert 0 <= score.curves[class_id].average_precision <= 1 + 1e-12


@settings(max_examples=100)
@given(picks=point_sets(scored=True), truth=point_sets(), data=st.data())
def test_order_of_the_picks_does_not_matter(picks, truth, data) -> None:
    order = np.array(data.draw(st.permutations(range(len(picks)))), dtype=np.intp)
    first, second = (
        score_one_to_one(picks, truth, RADIUS),
        score_one_to_one(picks.select(order), truth, RADIUS),
    )
    assert first.by_class == second.by_class or has_ties(picks, truth)
    assert first.localisation.hits == second.localisation.hits or has_ties(picks, truth)


def has_ties(picks: Picks, truth: Picks) -> bool:
    """Tell whether two picks of one score are equally far from particles, where the order may decide."""
    assert picks.score is not None
    distance = np.linalg.norm(picks.positions[:, None] - truth.positions[None], axis=2)
    keys = [
        (picks.score[pick], distance[pick, particle])
        for pick in range(len(picks))
        for particle in range(len(truth))
    ]
    return len(set(keys)) < len(keys)


@settings(max_examples=50)
@given(truth=point_sets())
def test_truth_itself_scores_perfectly(truth) -> None:
    places = np.unique(truth.positions, axis=0, return_index=True)[1]
    truth = truth.select(places)
    score = score_one_to_one(Picks(truth.positions, truth.class_id, np.ones(len(truth))), truth, RADIUS)
    assert score.localisation.hits == len(truth)
    assert all(counts.f_score() == 1 for counts in score.by_class.values())
    assert score.mean_average_precision == (pytest.approx(1) if len(truth) else None)


def test_better_score_wins_over_the_nearer_pick() -> None:
    truth = Picks(np.zeros((1, 3)), np.array([1]))
    near_and_far = np.array([[0.5, 0, 0], [2, 0, 0]])
    assert assign(
        Picks(near_and_far, np.array([1, 1]), np.array([0.1, 0.9])), truth, RADIUS
    ).truth.tolist() == [
        NOBODY,
        0,
    ]
    assert assign(Picks(near_and_far, np.array([1, 1])), truth, RADIUS).truth.tolist() == [0, NOBODY]


def test_own_class_is_assigned_before_another() -> None:
    truth = Picks(np.zeros((1, 3)), np.array([1]))
    picks = Picks(np.array([[0.0, 0, 0], [2, 0, 0]]), np.array([2, 1]), np.array([0.9, 0.1]))
    score = score_one_to_one(picks, truth, RADIUS)
    assert score.by_class[1].hits == 1
    assert score.by_class[2].false == 1


def test_every_particle_has_its_radius() -> None:
    truth = Picks(np.array([[0.0, 0, 0], [50, 0, 0]]), np.array([1, 2]))
    picks = Picks(np.array([[4.0, 0, 0], [54, 0, 0]]), np.array([1, 2]))
    assert assign(picks, truth, np.array([3.0, 5.0])).truth.tolist() == [NOBODY, 1]
    for wrong in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="positive and finite"):
            assign(picks, truth, wrong)


def test_radius_that_reaches_everything_is_refused() -> None:
    many = Picks(np.random.default_rng(0).random((5000, 3)), np.ones(5000, np.int64))
    with pytest.raises(InputError, match="within a radius of 10, each particle has 5000 picks"):
        assign(many, many, 10.0)


def test_ignored_particles_are_neither_hit_nor_missed_nor_false() -> None:
    truth = Picks(np.array([[0.0, 0, 0], [50, 0, 0], [52, 0, 0]]), np.array([1, 2, 1]))
    ignored = np.array([False, True, False])
    picks = Picks(np.array([[0.0, 0, 0], [49, 0, 0], [50, 0, 0], [99, 0, 0]]), np.ones(4, np.int64))
    score = score_one_to_one(picks, truth, RADIUS, ignored)
    assert score.assignment.truth.tolist() == [0, NOBODY, 2, NOBODY]
    assert score.assignment.is_ignored.tolist() == [False, True, False, False]
    assert (score.localisation.hits, score.localisation.false, score.localisation.missed) == (2, 1, 0)
    assert list(score.by_class) == [1]


def test_average_precision_is_the_area_under_the_steps() -> None:
    score = np.array([0.9, 0.8, 0.8, 0.1])
    hits = np.array([True, False, True, True])
    curve = trace_curve(score, hits, particles=5)
    assert curve.threshold.tolist() == [0.9, 0.8, 0.1]
    assert curve.precision.tolist() == [1, 2 / 3, 3 / 4]
    assert curve.average_precision == pytest.approx(0.2 * 1 + 0.2 * 2 / 3 + 0.2 * 3 / 4)
    assert trace_curve(np.empty(0), np.empty(0, bool), 3).average_precision == 0
    with pytest.raises(ValueError, match="3 picks hit 2 particles"):
        trace_curve(score, hits, particles=2)


@pytest.mark.parametrize(
    ("positions", "class_id", "score"),
    [
        (np.zeros((1, 2)), [1], None),
        (np.zeros((2, 3)), [1], None),
        (np.full((1, 3), np.nan), [1], None),
        (np.zeros((1, 3)), [-1], None),
        (np.zeros((1, 3)), [1], [1.0, 2.0]),
        (np.zeros((1, 3)), [1], [np.nan]),
    ],
)
def test_unusable_picks_are_refused(positions, class_id, score) -> None:
    with pytest.raises(ValueError, match="picks"):
        Picks(positions, np.array(class_id), None if score is None else np.array(score))
