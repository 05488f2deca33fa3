"""Lazy tomograms: nothing is computed before it is asked for, and the bytes are those of the kernels."""

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

from faket_dask.errors import InputError
from faket_dask.graphs import filter_tilts, project, reconstruct, select_half
from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.binning import bin_axes
from faket_dask.kernels.ctf_correction import CtfCorrection, Wiener
from faket_dask.kernels.dose_weighting import DoseWeighting
from faket_dask.kernels.optics import Defocus, Optics
from faket_dask.stages.reconstruction import Half, Restoration, density_scale, prepare_tilt

ANGLES = np.arange(-40.0, 41, 10)


def stack(rows: int = 131, columns: int = 40) -> xr.DataArray:
    tilts = np.random.default_rng(0).standard_normal((ANGLES.size, rows, columns)).astype(np.float32)
    return xr.DataArray(
        da.from_array(tilts, chunks=(2, -1, -1)),
        dims=("tilt", "y", "x"),
        coords={
            "tilt_angle": ("tilt", ANGLES),
            "y": np.arange(rows) * 5.0,
            "x": 100 + np.arange(columns) * 5.0,
        },
    )


@pytest.mark.parametrize("kind", ["ramp", "exact"])
def test_lazy_tomograms_equal_the_stages_bytes(kind: str) -> None:
    series = stack()
    lazy = reconstruct(filter_tilts(series, kind, thickness_px=11), 11)
    ready = np.stack(
        [
            prepare_tilt(tilt=tilt, kind=kind, tilt_angles=ANGLES, index=index, thickness_px=11)
            for index, tilt in enumerate(series.values)
        ]
    )
    assert lazy.values.tobytes() == back_project(ready, ANGLES, 11).tobytes()
    assert lazy.dims == ("z", "y", "x")
    assert lazy.chunks[1] == (64, 64, 3)


def test_nothing_is_computed_before_compute() -> None:
    def refuse(block: np.ndarray) -> np.ndarray:
        raise AssertionError("computed")

    series = stack()
    series = series.copy(
        data=series.data.map_blocks(refuse, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))
    )
    lazy = reconstruct(filter_tilts(series), 5)
    with pytest.raises(AssertionError, match="computed"):
        dask.compute(lazy.data)


def test_binning_and_thinning_keep_places() -> None:
    filtered = filter_tilts(stack(rows=33, columns=41), binning=2, tilt_stride=3)
    assert filtered.shape == (3, 16, 20)
    assert filtered["tilt_angle"].values.tolist() == [-30, 0, 30]
    assert filtered["y"].values[8] == 16 * 5
    assert filtered["x"].values[10] == 100 + 20 * 5
    assert reconstruct(filtered, 6)["x"].values.tolist() == filtered["x"].values.tolist()


def test_tomogram_may_be_binned_instead_of_the_tilts() -> None:
    series = stack(rows=145, columns=41)
    filtered = filter_tilts(series, "ramp")
    binned = reconstruct(filtered, 9, binning=2)
    assert binned.shape == (9, 72, 20)
    assert binned.chunks[1] == (64, 8)
    whole = bin_axes(reconstruct(filtered, 18 + 24).values, 2, (0, 1, 2))[6:15]
    np.testing.assert_allclose(binned.values, whole, atol=2e-5)
    tilts_binned = filter_tilts(series, binning=2)
    for axis in "yx":
        assert binned[axis].values.tolist() == tilts_binned[axis].values.tolist()


def test_projected_volume_comes_back() -> None:
    volume = np.zeros((20, 8, 64), dtype=np.float32)
    volume[14, 3, 40] = 1
    lazy = xr.DataArray(da.from_array(volume, chunks=(-1, 4, -1)), dims=("z", "y", "x"))
    found = reconstruct(filter_tilts(project(lazy, np.arange(-60, 61, 3)), "ramp"), 20).values
    assert np.unravel_index(np.argmin(found), found.shape) == (14, 3, 40)


def test_unusable_stacks_are_refused() -> None:
    with pytest.raises(InputError, match="needs the specimen's thickness"):
        filter_tilts(stack(), "crowther")
    with pytest.raises(InputError, match="no coordinate tilt_angle"):
        filter_tilts(stack().drop_vars("tilt_angle"))
    with pytest.raises(InputError, match="at least one layer"):
        reconstruct(filter_tilts(stack()), 0)
    with pytest.raises(InputError, match=r"\(131, 40\) pixels cannot be binned by 41"):
        reconstruct(filter_tilts(stack()), 5, binning=41)


def test_lazy_tilts_are_corrected_as_by_the_stage() -> None:
    series, tilts = stack(rows=48), ANGLES.size
    restoration = Restoration(
        5.0,
        CtfCorrection(Wiener(5.0), Optics(), tuple(Defocus(2.0 + 0.1 * tilt) for tilt in range(tilts))),
        DoseWeighting(300.0, tuple(3.0 * np.arange(tilts)), (3.0,) * tilts),
    )
    lazy = filter_tilts(series, "ramp", tilt_stride=2, restoration=restoration)
    kept = np.arange(0, tilts, 2)
    for place, tilt in enumerate(kept):
        ready = prepare_tilt(
            tilt=series.values[tilt],
            kind="ramp",
            tilt_angles=ANGLES[kept],
            index=place,
            thickness_px=1,
            restoration=restoration.select(kept),
        )
        assert lazy[place].values.tobytes() == ready.tobytes()
    assert not np.array_equal(lazy.values, filter_tilts(series, "ramp", tilt_stride=2).values)


@pytest.mark.parametrize("halves", [(Half.ODD, Half.EVEN), (Half.EARLY, Half.LATE)])
def test_halves_add_up_to_the_whole(halves: tuple[Half, Half]) -> None:
    filtered = filter_tilts(stack(rows=16), "exact", thickness_px=9)
    before = np.abs(ANGLES) + (ANGLES > 0)
    parts = [select_half(filtered, half, before) for half in halves]
    total = sum(part.sizes["tilt"] * reconstruct(part, 9).values for part in parts)
    whole = reconstruct(filtered, 9).values
    np.testing.assert_allclose(total / ANGLES.size, whole, atol=1e-5 * np.abs(whole).max())


def test_lazy_tomogram_tells_its_density_scale() -> None:
    filtered = filter_tilts(stack(rows=32), "shrec", binning=2)
    expected = density_scale("shrec", (16, 20), ANGLES, 2)
    assert reconstruct(filtered, 5).attrs["density_scale"] == expected
    with pytest.raises(InputError, match="late half needs the exposure"):
        select_half(filtered, Half.LATE)
