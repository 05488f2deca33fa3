"""New stacks among old side files, and the other way round."""

from pathlib import Path

import numpy as np
import pytest

from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.openers import open_tilt_series
from faket_dask.formats.side_files import list_misreadings, list_series_files

ANGLES = [-40.0, 0.0, 40.0]


def write_series(path: Path, *suffixes: str) -> Path:
    write_stack(path, np.zeros((3, 4, 6), np.float32), (3, 4, 6), 10.0)
    for suffix in suffixes:
        write_angles(path.with_suffix(suffix), ANGLES)
    return path


def test_free_name_is_not_misread(tmp_path: Path) -> None:
    write_series(tmp_path / "a.st", ".rawtlt", ".tlt")
    target = tmp_path / "b.mrc"
    assert list_misreadings(target, [tmp_path / "b.rawtlt", tmp_path / "b.xf"]) == []
    assert list_misreadings(tmp_path / "absent/a.mrc", [tmp_path / "absent/a.rawtlt"]) == []


def test_new_stack_with_an_old_angle_file_that_goes_before_its_own(tmp_path: Path) -> None:
    write_angles(tmp_path / "a.tlt", ANGLES)
    [line] = list_misreadings(tmp_path / "a.mrc", [tmp_path / "a.rawtlt"])
    assert f"{tmp_path}/a.tlt would be read as the tilt angles of {tmp_path}/a.mrc" in line
    write_series(tmp_path / "a.mrc", ".rawtlt")
    (tmp_path / "a.rawtlt").write_text("30\n20\n10\n")
    np.testing.assert_array_equal(open_tilt_series(tmp_path / "a.mrc").geometry.tilt_angles, ANGLES)


def test_aligned_stack_with_an_old_alignment(tmp_path: Path) -> None:
    write_transforms(tmp_path / "a.xf", np.broadcast_to(np.eye(2, 3), (3, 2, 3)))
    [line] = list_misreadings(tmp_path / "a.mrc", [tmp_path / "a.rawtlt"], [tmp_path / "a.xf"])
    assert "a.xf would be read as the alignment of" in line


@pytest.mark.parametrize("other", ["a.st", "a.preali.mrc"])
def test_old_stack_with_new_side_files(tmp_path: Path, other: str) -> None:
    write_series(tmp_path / other)
    angles, alignment = list_misreadings(tmp_path / "a.mrc", [tmp_path / "a.rawtlt", tmp_path / "a.xf"])
    assert f"a.rawtlt would be read as the tilt angles of {tmp_path / other}" in angles
    assert f"a.xf would be read as the alignment of {tmp_path / other}" in alignment


def test_volume_that_an_mdoc_of_single_images_would_take_for_its_stack(tmp_path: Path) -> None:
    (tmp_path / "a.mdoc").write_text("")
    [line] = list_misreadings(tmp_path / "a.mrc", is_series=False)
    assert f"{tmp_path}/a.mrc would be read as the images of {tmp_path}/a.mdoc" in line
    write_series(tmp_path / "b.mrc")
    (tmp_path / "b.mdoc").write_text("")
    assert list_misreadings(tmp_path / "b.st", is_series=False) == []


def test_files_of_a_series_are_those_of_its_name(tmp_path: Path) -> None:
    series = open_tilt_series(write_series(tmp_path / "a.st", ".tlt", ".rawtlt"))
    write_series(tmp_path / "b.st", ".tlt")
    assert {path.name for path in list_series_files(series)} == {"a.st", "a.tlt", "a.rawtlt"}
    names = {path.name for path in list_series_files(series, [tmp_path / "b.tlt"])}
    assert names == {"a.st", "a.tlt", "a.rawtlt", "b.st", "b.tlt"}
