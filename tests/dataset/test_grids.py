"""Voxel grids of exported volumes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.dataset.grids import Grid
from faket_dask.kernels.binning import bin_axes


def centred_grid(shape: tuple[int, int, int], step: int) -> Grid:
    """Return the grid of a tomogram with voxels of `step`, whose voxel ``n // 2`` lies at ``N // 2``."""
    binned = tuple(size // step for size in shape)
    origin = tuple(size // 2 - step * (small // 2) for size, small in zip(shape, binned, strict=True))
    return Grid(binned, origin, step, 10.0)


@given(
    shape=st.tuples(st.integers(6, 20), st.integers(6, 20), st.integers(6, 20)),
    step=st.integers(2, 4),
    rows=st.tuples(st.integers(0, 4), st.integers(1, 5)),
)
def test_resampled_density_is_the_binned_one(
    shape: tuple[int, int, int], step: int, rows: tuple[int, int]
) -> None:
    volume = np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)
    resampled = centred_grid(shape, step).resample(volume)
    expected = bin_axes(volume, step, (0, 1, 2))
    assert resampled.shape == expected.shape
    np.testing.assert_allclose(resampled[:, :, :], expected, atol=1e-5)
    block = slice(rows[0], rows[0] + rows[1])
    np.testing.assert_allclose(resampled[:, block, :], expected[:, block, :], atol=1e-5)


@pytest.mark.parametrize("step", [1, 2])
def test_resampled_density_is_empty_outside_the_specimen(step: int) -> None:
    grid = Grid((6, 3, 3), (-2 * step, 0, 0), step, 10.0)
    resampled = grid.resample(np.ones((4 * step, 3 * step, 3 * step), dtype=np.float32))
    layers = resampled[:, :, :].mean(axis=(1, 2))
    np.testing.assert_allclose(layers, [0, 0, 1, 1, 1, 1], atol=1e-6)
