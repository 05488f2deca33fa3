"""Laws of intervals and differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faket_dask.study.charts import confusion_percentiles
from faket_dask.study.statistics import bootstrap_curves, bootstrap_mean, compare_paired, summarise

SCORES = st.tuples(st.integers(1, 6), st.integers(1, 3)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(0, 1, width=32))
)


@given(SCORES)
def test_intervals_lie_in_each_other_and_among_the_scores(scores: np.ndarray) -> None:
    inner, outer = bootstrap_mean(scores)
    assert scores.min() - 1e-9 <= outer.low <= inner.low <= inner.high <= outer.high <= scores.max() + 1e-9


@given(SCORES, st.floats(-1, 1, width=32))
def test_a_difference_is_that_of_the_shift_and_turns_its_sign(scores: np.ndarray, shift: float) -> None:
    difference, turned = compare_paired(scores + shift, scores), compare_paired(scores, scores + shift)
    assert difference.mean == pytest.approx(shift, abs=1e-6)
    assert turned.mean == -difference.mean
    if len(scores) > 1:
        assert difference.smallest_visible == pytest.approx(0, abs=1e-6)


def test_interval_over_seeds_has_the_width_of_the_standard_error() -> None:
    scores = np.random.default_rng(1).normal(0.5, 0.1, (40, 1))
    inner, outer = summarise(scores).inner, summarise(scores).outer
    error = scores.std() / np.sqrt(40)
    assert (inner.high - inner.low) / 2 == pytest.approx(error, rel=0.05)
    assert (outer.high - outer.low) / 2 == pytest.approx(1.96 * error, rel=0.05)


def test_smallest_visible_difference_is_seen_four_times_in_five() -> None:
    rng = np.random.default_rng(2)
    seeds, spread = 6, 0.02
    sizes, seen = [], 0
    for _ in range(400):
        noise = rng.normal(0, spread, (seeds, 1))
        sizes.append(compare_paired(noise, np.zeros((seeds, 1))).smallest_visible)
    true = float(np.sqrt(np.mean(np.square(sizes))))
    for _ in range(400):
        values = rng.normal(true, spread, seeds)
        seen += abs(values.mean()) / (values.std(ddof=1) / np.sqrt(seeds)) > 2.5706
    assert 0.72 < seen / 400 < 0.9


def test_curves_have_intervals_at_every_epoch() -> None:
    curves = np.array([[0.1, 0.5], [0.3, 0.7]])
    ends = bootstrap_curves(curves)
    assert ends.shape == (4, 2)
    assert (ends[0] >= 0.1 - 1e-9).all()
    np.testing.assert_allclose(ends[3], [0.3, 0.7])


def test_confusion_percentiles_are_shares_of_true_classes() -> None:
    matrices = [np.array([[0, 2], [1, 3]]), np.array([[0, 0], [2, 2]])]
    low, middle, high = confusion_percentiles(matrices)
    np.testing.assert_allclose(middle[1], [0.375, 0.625])
    assert (low <= middle).all()
    assert (middle <= high).all()
