import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.moments import match_moments, standardise

shapes = st.tuples(st.integers(2, 40), st.integers(2, 40))


@settings(max_examples=60)
@given(
    shape=shapes,
    seed=st.integers(0, 999),
    offset=st.floats(-1e4, 1e4),
    mean=st.floats(-1e4, 1e4),
    std=st.floats(1e-2, 1e4),
)
def test_result_has_the_requested_moments(shape, seed, offset, mean, std):
    image = (np.random.default_rng(seed).standard_normal(shape) + offset).astype(np.float32)
    result = match_moments(image, mean, std)
    assert result.dtype == np.float32
    rounding = 1e-6 * (abs(mean) + 10 * std)  # of storing the result as float32
    assert result.mean(dtype=np.float64) == pytest.approx(mean, abs=rounding)
    assert result.std(dtype=np.float64) == pytest.approx(std, abs=rounding)


def test_moments_are_exact_for_large_images_far_from_zero():
    image = np.random.default_rng(0).standard_normal((1500, 1500), dtype=np.float32) + np.float32(3000)
    result = match_moments(image, 0.0, 2.0)
    assert abs(result.mean(dtype=np.float64)) < 1e-7
    assert result.std(dtype=np.float64) == pytest.approx(2.0, rel=1e-7)


@settings(max_examples=30)
@given(shape=shapes, seed=st.integers(0, 999), scale=st.floats(0.1, 10), shift=st.floats(-10, 10))
def test_standardised_images_do_not_depend_on_scale_and_shift(shape, seed, scale, shift):
    image = np.random.default_rng(seed).standard_normal(shape)
    np.testing.assert_allclose(standardise(image * scale + shift), standardise(image), atol=1e-5)


def test_counts_are_taken_by_value():
    counts = np.random.default_rng(0).integers(0, 255, (20, 30), dtype=np.uint8)
    np.testing.assert_array_equal(standardise(counts), standardise(counts.astype(np.float64)))


@pytest.mark.parametrize("value", [0, 0.1, 1e8, -3])
def test_image_without_contrast_standardises_to_zero(value):
    assert not standardise(np.full((33, 17), value, dtype=np.float32)).any()


def test_constant_image_cannot_be_given_a_standard_deviation():
    constant = np.full((5, 6), 0.1)
    with pytest.raises(ValueError, match="no contrast"):
        match_moments(constant, 1.0, 2.0)
    np.testing.assert_array_equal(match_moments(constant, 1.0, 0.0), np.ones((5, 6)))


@pytest.mark.parametrize(
    ("image", "mean", "std", "message"),
    [
        (np.empty((0, 4)), 0, 1, "empty"),
        (np.array([[0, np.nan]]), 0, 1, "NaN"),
        (np.array([[0, np.inf]]), 0, 1, "infinity"),
        (np.eye(3), np.nan, 1, "finite"),
        (np.eye(3), 0, -1, "not negative"),
    ],
)
def test_unusable_input_is_refused(image, mean, std, message):
    with pytest.raises(ValueError, match=message):
        match_moments(image, mean, std)
