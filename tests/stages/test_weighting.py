"""Tilts made ready for back-projection."""

import numpy as np
import pytest

from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.binning import bin_axes
from faket_dask.kernels.projection import project
from faket_dask.stages.reconstruction import binned_coordinates, choose_tilts, prepare_tilt

ANGLES = np.arange(-60.0, 61, 3)


@pytest.mark.parametrize("tilt_stride", [1, 2, 3, 7])
def test_thinning_keeps_the_tilt_at_zero(tilt_stride: int) -> None:
    kept = choose_tilts(ANGLES, tilt_stride)
    assert 0 in ANGLES[kept]
    assert set(np.diff(kept)) <= {tilt_stride}
    assert len(kept) >= 41 // tilt_stride


@pytest.mark.parametrize(("size", "binning"), [(96, 2), (97, 2), (99, 4), (98, 3), (101, 1)])
def test_binned_pixels_keep_the_centre(size: int, binning: int) -> None:
    places = binned_coordinates(size, binning, 5.0)
    assert places[len(places) // 2] == size // 2 * 5.0
    assert set(np.diff(places)) == {binning * 5.0}


@pytest.mark.parametrize("kind", ["ramp", "crowther", "hann", "exact", "shrec"])
@pytest.mark.parametrize("binning", [1, 2])
def test_every_filter_puts_a_bead_where_it_was(kind: str, binning: int) -> None:
    shape, place = (36, 20, 96), (60.0, 10.0, 24.0)
    z, y, x = np.indices(shape)
    distance = (x - place[0]) ** 2 + (y - place[1]) ** 2 + (z - place[2]) ** 2
    volume = np.exp(-distance / (2 * 2.5**2)).astype(np.float32)
    stack = project(volume, ANGLES)
    ready = np.stack(
        [
            prepare_tilt(
                tilt=t, kind=kind, tilt_angles=ANGLES, index=i, thickness_px=36 / binning, binning=binning
            )
            for i, t in enumerate(stack)
        ]
    )
    tomogram = back_project(ready, ANGLES, 36 // binning)
    found = np.array(np.unravel_index(np.argmin(tomogram), tomogram.shape))
    expected = np.array(np.unravel_index(np.argmax(bin_axes(volume, binning, (0, 1, 2))), tomogram.shape))
    np.testing.assert_array_equal(found, expected)
    assert np.corrcoef(tomogram.ravel(), -bin_axes(volume, binning, (0, 1, 2)).ravel())[0, 1] > 0.6


def test_exact_weights_differ_between_tilts() -> None:
    tilt = np.random.default_rng(0).standard_normal((16, 32)).astype(np.float32)
    uneven = np.array([-60.0, -50, 0, 3, 6])
    first, last = (
        prepare_tilt(tilt=tilt, kind="exact", tilt_angles=uneven, index=index, thickness_px=20)
        for index in (0, 4)
    )
    assert np.abs(first - last).max() > 0.1 * np.abs(first).max()
