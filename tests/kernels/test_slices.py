import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.projection import project
from faket_dask.kernels.slices import divide_depth, project_slices


@given(depth=st.integers(1, 300), thickness=st.integers(1, 80))
def test_slices_hold_every_layer_once_from_the_top(depth, thickness):
    slices = divide_depth(depth, thickness)
    layers = [z for low, high in slices for z in range(high - 1, low - 1, -1)]
    assert layers == list(range(depth - 1, -1, -1))


@settings(max_examples=30, deadline=None)
@given(angle=st.floats(-65, 65), z=st.integers(0, 29), x=st.integers(20, 60))
def test_point_is_seen_in_its_slice_at_its_place(angle, z, x):
    volume = np.zeros((30, 2, 81), np.float32)
    volume[z, 1, x] = 1
    slices = divide_depth(30, 7)
    stack = project_slices(volume, slices, angle, 81)
    own = next(n for n, (low, high) in enumerate(slices) if low <= z < high)
    assert not stack[:, 0].any()
    assert not np.delete(stack, own, axis=0).any()
    theta = math.radians(angle)
    s = (x - 40) * math.cos(theta) - (z - 15) * math.sin(theta)
    line = stack[own, 1].astype(np.float64)
    assert line.sum() == pytest.approx(1, abs=1e-4)
    # A voxel is cos θ wide in the image, and its place is known to half of what a pixel is wider.
    rounding = (1 - math.cos(theta)) / 2
    assert (line * (np.arange(81) - 40)).sum() == pytest.approx(s, abs=rounding + 1e-4)


@pytest.mark.parametrize("angle", [-60.0, -20.0, 0.0, 45.0])
def test_slices_add_up_to_the_projection(angle):
    rng = np.random.default_rng(0)
    rows, depth, columns = np.ogrid[:3, :40, :160]
    volume = np.zeros((40, 3, 160), np.float32)
    for z, x in rng.uniform((8, 40), (32, 120), (12, 2)):
        blob = np.exp(-((depth - z) ** 2 + (columns - x) ** 2) / 18.0) + 0 * rows
        volume += blob.transpose(1, 0, 2).astype(np.float32)
    total = project_slices(volume, divide_depth(40, 6), angle, 120).sum(0)
    whole = -project(volume, [angle], width=120)[0]
    assert np.abs(total - whole).max() < 0.03 * whole.max()
