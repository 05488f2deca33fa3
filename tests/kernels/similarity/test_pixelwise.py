import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio

from faket_dask.kernels.similarity.pixelwise import Summary, compare_tilts, normalise_series, summarise


def image(seed=0, shape=(16, 20)):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def test_equal_tilts():
    distance = compare_tilts(image(), image())
    assert (distance.mae, distance.mse, distance.psnr, distance.ssim) == (0, 0, np.inf, pytest.approx(1))


def test_distances_by_their_definition():
    a, b = image(0), image(1)
    distance = compare_tilts(a, b)
    assert distance.mae == pytest.approx(np.abs(a - b).mean())
    assert distance.mse == pytest.approx(((a - b) ** 2).mean())
    assert distance.psnr == pytest.approx(peak_signal_noise_ratio(a, b, data_range=1), rel=1e-6)
    assert -1 <= distance.ssim < 0.5


def test_little_noise_is_nearer_than_much():
    a, noise = image(0), image(1) - 0.5
    near, far = (compare_tilts(a, a + level * noise) for level in (0.05, 0.5))
    assert near.mae < far.mae
    assert near.psnr > far.psnr
    assert near.ssim > far.ssim


@settings(max_examples=30)
@given(scale=st.floats(0.01, 100), shift=st.floats(-100, 100))
def test_series_is_normalised_whatever_its_scale(scale, shift):
    stack = np.random.default_rng(2).standard_normal((3, 8, 9))
    scaled = normalise_series(stack * scale + shift)
    assert scaled.min() == 0
    assert scaled.max() == 1
    np.testing.assert_allclose(scaled, normalise_series(stack), atol=1e-6)


def test_one_tilt_is_scaled_as_part_of_its_series():
    stack = np.random.default_rng(2).standard_normal((3, 8, 9))
    one = normalise_series(stack[1], stack.min(), stack.max())
    np.testing.assert_array_equal(one, normalise_series(stack)[1])
    assert normalise_series(stack, -0.1, 0.1).max() == 1


def test_summary():
    summary = summarise(np.arange(11.0))
    assert (summary.mean, summary.p10, summary.p90) == (5, 1, 9)
    assert summarise(np.full(3, np.inf)) == Summary(np.inf, np.inf, np.inf)
    some = summarise(np.array([*np.arange(10.0), np.inf]))
    assert (some.p10, some.p90) == (1, 9)
    assert summarise(np.array([1.0, 2.0, np.inf])).p90 == np.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare_tilts(image(), image(shape=(20, 16))), "one shape"),
        (lambda: compare_tilts(image(shape=(6, 20)), image(shape=(6, 20))), "at least 7 x 7"),
        (lambda: compare_tilts(image(), np.full((16, 20), np.nan)), "NaN"),
        (lambda: normalise_series(np.ones((2, 3, 4))), "from 1 to 1"),
        (lambda: normalise_series(np.array([[[0, np.inf]]])), "NaN or infinite"),
    ],
)
def test_unusable_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
