import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.specimen.surfaces.redistance import signed_distances
from faket_dask.specimen.surfaces.spline import fit_spline, spline_derivatives


@given(slopes=st.tuples(*[st.floats(-2, 2)] * 3), place=st.floats(1, 9.9))
def test_linear_functions_are_kept_up_to_the_faces(slopes, place):
    z, y, x = np.ogrid[:12, :12, :12]
    spline = fit_spline(slopes[0] * x + slopes[1] * y + slopes[2] * z + 0.0)
    [result] = spline_derivatives(spline, np.full((1, 3), place))
    assert result[0] == pytest.approx(sum(slopes) * place, abs=1e-4)
    np.testing.assert_allclose(result[1:4], slopes, atol=1e-4)
    np.testing.assert_allclose(result[4:], 0, atol=1e-4)


@given(radius=st.floats(5, 9), offset=st.tuples(*[st.floats(-0.5, 0.5)] * 3))
def test_distance_from_a_ball_is_its_height(radius, offset):
    z, y, x = np.ogrid[-12:13, -12:13, -12:13]
    square = (x - offset[0]) ** 2 + (y - offset[1]) ** 2 + (z - offset[2]) ** 2
    distances = signed_distances((square - radius**2) / (2 * radius), 3.0)
    heights = np.sqrt(square) - radius
    near = np.abs(heights) < 3
    np.testing.assert_allclose(distances[near], heights[near], atol=2e-3)
    np.testing.assert_allclose(distances, heights, atol=0.75)
    assert distances[12, 12, 12] == pytest.approx(heights[12, 12, 12], abs=0.5)


def test_distance_at_the_centre_of_a_ball_is_its_radius():
    z, y, x = np.ogrid[-8:9, -8:9, -8:9]
    assert signed_distances((x**2 + y**2 + z**2 - 25.0) / 10, 4.0)[8, 8, 8] == pytest.approx(-5.0, abs=1e-3)
