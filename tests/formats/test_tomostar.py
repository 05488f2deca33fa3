"""Tables of Warp (`.tomostar`): details, and agreement with starfile."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import starfile

from faket_dask.errors import InputError
from faket_dask.formats.tomostar import read_tomostar, write_tomostar
from faket_dask.geometry import TiltGeometry, acquisition_order, exposure_before

RECORDED = """data_

loop_
_wrpMovieName #1
_wrpAngleTilt #2
_wrpAxisAngle #3
_wrpDose #4
../frames/c.tif  0.01  -95.7  0.0
../frames/b.tif  -3.00  -95.5  2.5
../frames/a.tif  3.00  -95.6  5.0
"""


def geometry() -> TiltGeometry:
    angles = np.array([-10.0, 0, 10])
    order = acquisition_order(angles, "dose_symmetric")
    return TiltGeometry(angles, 2.5, -4.0, np.array([[1.0, 2], [0, 0], [3, 4]]), np.full(3, 2.5), order)


@dataclass(frozen=True)
class Sorted:
    geometry: TiltGeometry
    movies: tuple[str, ...]


def read_sorted(path: Path, pixel_size_A: float) -> Sorted:
    table = read_tomostar(path)
    order = np.argsort(table.angles)
    return Sorted(table.geometry(pixel_size_A, order), tuple(table.movies[row] for row in order))


def test_recorded_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.tomostar").write_text(RECORDED)
    result = read_sorted(tmp_path / "a.tomostar", 1.35)
    assert result.geometry.tilt_angles.tolist() == [-3, 0.01, 3]
    assert result.movies == ("../frames/b.tif", "../frames/c.tif", "../frames/a.tif")
    assert result.geometry.acquisition_order.tolist() == [1, 0, 2]
    assert result.geometry.exposure_before_e_per_A2.tolist() == [2.5, 0, 5]
    assert result.geometry.tilt_axis_angles.tolist() == [-95.5, -95.7, -95.6]
    assert result.geometry.shift_A is None


def test_starfile_reads_tilts_in_acquisition_order(tmp_path: Path) -> None:
    write_tomostar(tmp_path / "a.tomostar", geometry(), ["a.mrc", "b.mrc", "c.mrc"])
    [table] = starfile.read(tmp_path / "a.tomostar", always_dict=True).values()
    assert table["wrpMovieName"].tolist() == ["b.mrc", "c.mrc", "a.mrc"]
    assert table["wrpAngleTilt"].tolist() == [0, 10, -10]
    before = exposure_before(geometry().acquisition_order, 2.5)
    np.testing.assert_allclose(table["wrpDose"], np.sort(before))
    np.testing.assert_allclose(table["wrpAxisOffsetY"], [0, 4, 2])


def test_geometry_reads_back(tmp_path: Path) -> None:
    write_tomostar(tmp_path / "a.tomostar", geometry(), ["a.mrc", "b.mrc", "c.mrc"])
    result = read_sorted(tmp_path / "a.tomostar", 2.5)
    assert result.movies == ("a.mrc", "b.mrc", "c.mrc")
    for name in ("tilt_angles", "shift_A", "exposure_e_per_A2", "acquisition_order"):
        np.testing.assert_allclose(getattr(result.geometry, name), getattr(geometry(), name))


def test_series_without_acquisition_order(tmp_path: Path) -> None:
    write_tomostar(tmp_path / "a.tomostar", TiltGeometry(np.array([-1.0, 1]), 2.5), ["a", "b"])
    result = read_sorted(tmp_path / "a.tomostar", 2.5)
    assert result.movies == ("a", "b")
    assert result.geometry.acquisition_order is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("_wrpAngleTilt #2", "_wrpAngle #2", "no column _wrpAngleTilt"),
        ("3.00  -95.6", "x  -95.6", "row 3: _wrpAngleTilt is 'x'"),
        ("../frames", "", "lists no tilts"),
    ],
)
def test_unusable_tables_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = RECORDED.replace(old, new)
    if not new:
        text = RECORDED.split("../")[0]
    (tmp_path / "a.tomostar").write_text(text)
    with pytest.raises(InputError, match=message):
        read_sorted(tmp_path / "a.tomostar", 1.35)
