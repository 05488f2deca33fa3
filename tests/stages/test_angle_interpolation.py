"""Which reference tilts stand for an angle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.stages.angle_interpolation import interpolation_weights, weighted_mean

angle_lists = st.lists(st.integers(-70, 70), min_size=1, max_size=12, unique=True)


@given(angle_lists, st.floats(-90, 90), st.sampled_from(["nearest", "interpolate"]))
def test_shares_add_up_to_one(angles: list[int], angle: float, match: str) -> None:
    shares = interpolation_weights(angles, angle, match)
    assert sum(share for _, share in shares) == pytest.approx(1)
    assert all(share > 0 for _, share in shares)


@given(angle_lists, st.floats(-90, 90))
def test_nearest_is_nearest(angles: list[int], angle: float) -> None:
    [(tilt, _)] = interpolation_weights(angles, angle, "nearest")
    assert abs(angles[tilt] - angle) == min(abs(a - angle) for a in angles)


@given(angle_lists, st.floats(-90, 90))
def test_interpolation_is_linear_in_the_angle(angles: list[int], angle: float) -> None:
    shares = interpolation_weights(angles, angle, "interpolate")
    expected = np.interp(angle, sorted(angles), [2.0 * a + 1 for a in sorted(angles)])
    assert weighted_mean([2.0 * a + 1 for a in angles], shares) == pytest.approx(expected)
