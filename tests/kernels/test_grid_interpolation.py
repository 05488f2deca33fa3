"""Interpolation on a grid gives the bytes that interpolation point by point gives."""

import numpy as np
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.grid_interpolation import interpolate_grid


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(*[st.integers(4, 12)] * 3),
    start=st.floats(-4, 3),
    step=st.floats(0.1, 2.5),
)
def test_grid_equals_points(seed: int, shape: tuple[int, int, int], start: float, step: float) -> None:
    volume = np.random.default_rng(seed).standard_normal(shape)
    coefficients = scipy.ndimage.spline_filter(volume, order=3)
    axes = [start + step * np.arange(count) for count in (7, 9, 11)]
    grid = np.meshgrid(*axes, indexing="ij")
    expected = scipy.ndimage.map_coordinates(coefficients, grid, order=3, prefilter=False)
    result = interpolate_grid(coefficients, *axes)
    np.testing.assert_allclose(result, expected, rtol=1e-13, atol=1e-13)


def test_places_on_the_faces_are_inside() -> None:
    volume = np.random.default_rng(0).standard_normal((5, 6, 7))
    coefficients = scipy.ndimage.spline_filter(volume, order=3)
    axes = [np.array([0.0, size - 1.0, size - 1 + 1e-9]) for size in volume.shape]
    corners = interpolate_grid(coefficients, *axes)
    np.testing.assert_allclose(corners[:2, :2, :2], volume[[0, -1]][:, [0, -1]][:, :, [0, -1]], atol=1e-12)
    assert not corners[2].any()
