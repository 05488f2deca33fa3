import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.filters import (
    angular_spans,
    continued_columns,
    crowther_frequency,
    exact_filter,
    filter_rows,
    filter_tilt,
    ramp_filter,
    shrec_filter,
    shrec_slope,
)

sides = st.integers(4, 40)


@settings(max_examples=60)
@given(ny=sides, nx=sides)
def test_no_filter_passes_a_constant_along_x(ny, nx):
    for weights in (
        shrec_filter(ny, nx),
        ramp_filter(ny, nx),
        ramp_filter(ny, nx, crowther=0.1, hann=0.4),
        exact_filter(ny, nx, [-10, 0, 10], 1, 20),
    ):
        assert weights.shape == (ny, nx)
        assert weights.dtype == np.float64
        assert (weights >= 0).all()
        assert not weights[:, 0].any()
        stripes = np.broadcast_to(np.arange(ny, dtype=np.float32)[:, None], (ny, nx))
        np.testing.assert_allclose(filter_tilt(stripes, weights), 0, atol=1e-4)


@pytest.mark.parametrize(("ny", "nx"), [(64, 64), (63, 63), (48, 64), (64, 47)])
def test_published_filter_is_a_bounded_ramp(ny, nx):
    weights = shrec_filter(ny, nx)
    assert weights.max() == 1
    assert weights[0, 0] == 0
    positive = weights[0, 1 : int(0.3 * nx)]
    assert (np.diff(positive) > 0).all()


def test_other_shapes_take_the_profile_of_the_published_filter():
    """One more row changes the frequencies by little, and the published off-centre Gaussian by one frequency."""
    published, other = shrec_filter(256, 256), shrec_filter(257, 256)
    np.testing.assert_allclose(other[0], published[0], atol=0.02)
    assert (other[:, 1:] == other[:, :0:-1]).all()


def test_ramp_is_the_frequency_across_the_tilt_axis():
    weights = ramp_filter(5, 8)
    np.testing.assert_array_equal(weights, np.tile(np.abs(np.fft.fftfreq(8)), (5, 1)))
    np.testing.assert_array_equal(ramp_filter(5, 8, crowther=0.2), np.minimum(weights, 0.2))
    rolled_off = ramp_filter(4, 8, hann=0.25)[0]
    np.testing.assert_allclose(rolled_off, [0, 0.0625, 0, 0, 0, 0, 0, 0.0625], atol=1e-12)


def test_exact_weights_of_even_tilts_are_a_ramp_and_then_constant():
    angles = np.arange(-60, 61, 3.0)
    thickness = 60
    weights = exact_filter(4, 512, angles, 20, thickness)[0, :257]
    frequency = np.arange(257) / 512
    crowther = crowther_frequency(thickness, angular_spans(angles)[0])
    assert crowther == pytest.approx(1 / (60 * np.deg2rad(3)))
    # Below the lowest of these the missing wedge leaves fewer overlaps than a full circle would have.
    ramp = (frequency > 0.05) & (frequency < 0.5 * crowther)
    np.testing.assert_allclose(weights[ramp], frequency[ramp], rtol=0.12)
    np.testing.assert_allclose(weights[frequency > 1.01 * crowther], crowther, rtol=1e-9)


def test_exact_weights_are_larger_for_an_isolated_tilt():
    angles = np.array([-40, -1, 0, 1])
    lonely, crowded = (exact_filter(4, 64, angles, tilt, 100) for tilt in (0, 2))
    assert (lonely[0, 1:20] > crowded[0, 1:20]).all()


def test_filtering_multiplies_the_spectrum():
    rng = np.random.default_rng(0)
    for shape in ((8, 8), (7, 9), (9, 6)):
        tilt, weights = rng.standard_normal(shape).astype(np.float32), rng.random(shape)
        expected = np.fft.ifft2(np.fft.fft2(tilt.astype(float)) * weights).real
        found = filter_tilt(tilt, weights)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-6)


@settings(max_examples=40)
@given(ny=st.integers(4, 90), nx=sides, hann=st.sampled_from([None, 0.4]))
def test_rows_filtered_alone_are_those_of_the_whole(ny, nx, hann):
    tilt = np.random.default_rng(0).standard_normal((ny, nx))
    expected = filter_tilt(tilt, ramp_filter(ny, nx, hann=hann))
    np.testing.assert_allclose(filter_rows(tilt, ramp_filter(1, nx, hann=hann)[0]), expected, atol=1e-5)


@settings(max_examples=40)
@given(ny=st.integers(4, 8), nx=st.integers(4, 300))
def test_continued_row_is_that_of_its_mirrored_self(ny, nx):
    columns = continued_columns(nx)
    assert 2 * nx <= columns <= 3 * nx
    tilt = np.random.default_rng(0).standard_normal((ny, nx))
    left = (columns - nx) // 2
    wide = np.concatenate((tilt[:, ::-1], tilt, tilt[:, ::-1]), axis=1)[:, nx - left : nx - left + columns]
    expected = filter_tilt(wide, ramp_filter(ny, columns))[:, left : left + nx]
    np.testing.assert_allclose(filter_rows(tilt, ramp_filter(1, columns)[0]), expected, atol=1e-5)


def test_continuation_leaves_what_ends_before_the_sides():
    """The kernel of a ramp falls off with the square of the distance, so a little of the other period is seen."""
    x = np.arange(256)
    tilt = np.tile(np.exp(-(((x - 140) / 12) ** 2) / 2), (4, 1))
    plain = filter_tilt(tilt, ramp_filter(4, 256))
    continued = filter_rows(tilt, ramp_filter(1, continued_columns(256))[0])
    difference = (continued - plain)[:, 64:192]
    assert np.ptp(difference) < 0.005 * np.ptp(plain)


def test_continuation_removes_the_step_between_the_ends():
    tilt = np.tile(np.linspace(0, 1, 256), (4, 1))
    plain = filter_tilt(tilt, ramp_filter(4, 256, hann=0.5))
    continued = filter_rows(tilt, ramp_filter(1, continued_columns(256), hann=0.5)[0])
    assert np.abs(continued).max() < 0.05 * np.abs(plain).max()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: shrec_filter(3, 64), "at least 4 x 4"),
        (lambda: ramp_filter(64, 64, crowther=0), "crowther must be positive"),
        (lambda: ramp_filter(64, 64, hann=np.nan), "hann must be positive"),
        (lambda: exact_filter(64, 64, [0], 0, 10), "at least 2 angles"),
        (lambda: exact_filter(64, 64, [0, 1], 0, -1), "thickness_px must be positive"),
        (lambda: crowther_frequency(10, 0.0), "step"),
        (lambda: ramp_filter(1, 3), "at least 4 x 4"),
        (lambda: filter_tilt(np.zeros((4, 5)), np.zeros((5, 4))), "one shape"),
        (lambda: filter_rows(np.zeros((4, 5)), np.zeros(4)), "x to 3 x columns"),
        (lambda: filter_rows(np.zeros((4, 5)), np.zeros(16)), "x to 3 x columns"),
        (lambda: filter_rows(np.zeros((3, 5)), np.zeros(5)), "at least 4 x 4"),
    ],
)
def test_unusable_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@given(st.lists(st.floats(0.5, 8), min_size=2, max_size=20), st.randoms())
def test_spans_share_out_the_range_whatever_the_order(gaps: list[float], shuffle: random.Random) -> None:
    angles = -60 + np.concatenate(([0], np.cumsum(gaps)))
    spans = np.rad2deg(angular_spans(angles))
    order = list(range(angles.size))
    shuffle.shuffle(order)
    np.testing.assert_allclose(np.rad2deg(angular_spans(angles[order])), spans[order])
    if np.ptp(gaps) > 0.02 * np.mean(gaps):
        assert spans.sum() == pytest.approx(np.sum(gaps) + (gaps[0] + gaps[-1]) / 2)


def test_spacing_as_read_from_a_stage_is_even() -> None:
    angles = np.arange(-60.0, 61, 3) + np.random.default_rng(0).uniform(-0.01, 0.01, 41)
    assert np.ptp(angular_spans(angles)) == 0


def test_slope_of_the_shrec_filter_is_measured_on_the_filter() -> None:
    for shape in ((64, 64), (100, 100), (96, 80), (65, 65)):
        weights = shrec_filter(*shape)
        assert shrec_slope(*shape) == pytest.approx(weights[0, 1] * shape[1], rel=1e-12)
