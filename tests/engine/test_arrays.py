"""Arrays on disk: files that a unit owns, and coordinates as xarray reads them."""

from dataclasses import replace
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


def list_files(group: Path, name: str) -> set[str]:
    return {str(p.relative_to(group)) for p in (group / name / "c").rglob("*") if p.is_file()}


def test_writing_a_piece_creates_its_file_only(group: Path) -> None:
    open_array(group, "noiseless")[:, 64:100] = np.ones((5, 36, 90), np.float32)
    assert list_files(group, "noiseless") == {BLOCKED.file((0, 1, 0))}
    open_array(group, "faket")[3] = np.ones((100, 90), np.float32)
    assert list_files(group, "faket") == {BY_TILT.file((3, 0, 0))}


def test_attributes_give_way_to_others_and_data_stay(group: Path) -> None:
    open_array(group, "faket")[3] = np.ones((100, 90), np.float32)
    create_array(group, replace(BY_TILT, attributes={"units": "V"}))
    array = open_array(group, "faket", "r")
    assert dict(array.attrs) == {"units": "V"}
    assert (array[3] == 1).all()


def test_empty_piece_is_written(group: Path) -> None:
    open_array(group, "noiseless")[:, :64] = 0
    open_array(group, "faket")[0] = 0
    assert list_files(group, "noiseless") == {BLOCKED.file((0, 0, 0))}
    assert list_files(group, "faket") == {BY_TILT.file((0, 0, 0))}


def test_blocks_of_rows_are_read_by_tilt(group: Path) -> None:
    stack = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    for rows in (slice(0, 64), slice(64, 100)):
        open_array(group, "noiseless")[:, rows] = stack[:, rows]
    np.testing.assert_array_equal(read_tilt(group, "noiseless", 2), stack[2])


def test_equal_data_give_equal_bytes(group: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.zarr"
    create_group(other, {"seed": 3})
    create_array(other, BLOCKED)
    stack = np.random.default_rng(0).random((5, 64, 90), dtype=np.float32)
    for path in (group, other):
        open_array(path, "noiseless")[:, :64] = stack
    for name in ("zarr.json", "noiseless/zarr.json", BLOCKED.file((0, 0, 0))):
        assert (group / name).read_bytes() == (other / name).read_bytes()


def test_repeated_creation_keeps_data(group: Path) -> None:
    open_array(group, "faket")[1] = 7
    create_group(group, {"seed": 3})
    create_array(group, BY_TILT)
    assert read_tilt(group, "faket", 1).min() == 7


@pytest.mark.parametrize("name", ["noiseless", "faket"])
def test_reading_a_missing_chunk_raises(group: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="is missing"):
        read_tilt(group, name, 1)


def test_torn_metadata_of_a_group_is_replaced_and_data_kept(group: Path) -> None:
    open_array(group, "faket")[1] = 7
    (group / "zarr.json").write_text('{"zarr_fo')
    create_group(group, {"seed": 3})
    assert zarr.open_group(group, mode="r").attrs["seed"] == 3
    assert read_tilt(group, "faket", 1).min() == 7


def test_torn_metadata_of_an_array_is_replaced(group: Path) -> None:
    (group / "faket" / "zarr.json").write_text('{"zarr_fo')
    create_array(group, BY_TILT)
    assert open_array(group, "faket", "r").shape == SHAPE


def test_xarray_opens_a_stack_with_its_tilt_angles(group: Path) -> None:
    write_vector(group, "tilt_angle", "tilt", np.linspace(-60, 60, 5), {"units": "degrees"})
    opened = xr.open_zarr(group, consolidated=False)
    assert opened["faket"].dims == ("tilt", "y", "x")
    np.testing.assert_allclose(opened["tilt_angle"], np.linspace(-60, 60, 5))
