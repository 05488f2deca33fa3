"""Arrays on disk: which files a unit owns, and what xarray sees."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from faket_dask.engine.arrays import (
    ArraySpec,
    create_array,
    create_group,
    open_array,
    read_tilt,
    write_vector,
)

SHAPE = (5, 100, 90)
BLOCKED = ArraySpec("noiseless", ("tilt", "y", "x"), SHAPE, (5, 64, 90), read_shape=(1, 64, 90))
BY_TILT = ArraySpec("faket", ("tilt", "y", "x"), SHAPE, (1, 100, 90))


@pytest.fixture
def group(tmp_path: Path) -> Path:
    path = tmp_path / "series.zarr"
    create_group(path, {"seed": 3})
    for spec in (BLOCKED, BY_TILT):
        create_array(path, spec)
    return path


def files(group: Path, name: str) -> set[str]:
    return {str(p.relative_to(group)) for p in (group / name / "c").rglob("*") if p.is_file()}


def test_writing_one_piece_makes_its_file_and_no_other(group: Path) -> None:
    open_array(group, "noiseless")[:, 64:100] = np.ones((5, 36, 90), np.float32)
    assert files(group, "noiseless") == {BLOCKED.file((0, 1, 0))}
    open_array(group, "faket")[3] = np.ones((100, 90), np.float32)
    assert files(group, "faket") == {BY_TILT.file((3, 0, 0))}


def test_an_empty_piece_is_a_file_too(group: Path) -> None:
    open_array(group, "noiseless")[:, :64] = 0
    open_array(group, "faket")[0] = 0
    assert files(group, "noiseless") == {BLOCKED.file((0, 0, 0))}
    assert files(group, "faket") == {BY_TILT.file((0, 0, 0))}


def test_blocks_written_along_y_read_back_by_tilt(group: Path) -> None:
    stack = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    for rows in (slice(0, 64), slice(64, 100)):
        open_array(group, "noiseless")[:, rows] = stack[:, rows]
    np.testing.assert_array_equal(read_tilt(group, "noiseless", 2), stack[2])


def test_same_data_same_bytes(group: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.zarr"
    create_group(other, {"seed": 3})
    create_array(other, BLOCKED)
    stack = np.random.default_rng(0).random((5, 64, 90), dtype=np.float32)
    for path in (group, other):
        open_array(path, "noiseless")[:, :64] = stack
    for name in ("zarr.json", "noiseless/zarr.json", BLOCKED.file((0, 0, 0))):
        assert (group / name).read_bytes() == (other / name).read_bytes()


def test_creating_again_keeps_the_data(group: Path) -> None:
    open_array(group, "faket")[1] = 7
    create_group(group, {"seed": 3})
    create_array(group, BY_TILT)
    assert read_tilt(group, "faket", 1).min() == 7


@pytest.mark.parametrize("name", ["noiseless", "faket"])
def test_reading_what_is_not_there_is_an_error_and_not_zeros(group: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="is missing"):
        read_tilt(group, name, 1)


def test_torn_metadata_of_a_group_is_replaced_and_the_data_kept(group: Path) -> None:
    open_array(group, "faket")[1] = 7
    (group / "zarr.json").write_text('{"zarr_fo')
    create_group(group, {"seed": 3})
    assert zarr.open_group(group, mode="r").attrs["seed"] == 3
    assert read_tilt(group, "faket", 1).min() == 7


def test_torn_metadata_is_replaced(group: Path) -> None:
    (group / "faket" / "zarr.json").write_text('{"zarr_fo')
    create_array(group, BY_TILT)
    assert open_array(group, "faket", "r").shape == SHAPE


def test_xarray_opens_it_with_its_angles(group: Path) -> None:
    write_vector(group, "tilt_angle", "tilt", np.linspace(-60, 60, 5), {"units": "degrees"})
    opened = xr.open_zarr(group, consolidated=False)
    assert opened["faket"].dims == ("tilt", "y", "x")
    np.testing.assert_allclose(opened["tilt_angle"], np.linspace(-60, 60, 5))
