"""Search of a folder for its tilt-series, among the tomograms and other files that programs leave there."""

from pathlib import Path

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.formats.imod import write_angles
from faket_dask.formats.mrc import write_stack, write_volume
from faket_dask.formats.openers import open_tilt_series

STAGE = [6.0, 0.0, -6.0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_stack(tmp_path / "TS_01.st", np.random.default_rng(0).random((3, 16, 16)), (3, 16, 16), 5.0)
    write_angles(tmp_path / "TS_01.rawtlt", STAGE)
    return tmp_path


def assert_opens_stack(folder: Path) -> None:
    series = open_tilt_series(folder)
    assert {stack.path.name for stack, _ in series.images} == {"TS_01.st"}
    assert series.geometry.tilt_angles.tolist() == [-6, 0, 6]


@pytest.mark.parametrize(
    "name",
    ["TS_01_faket_rec.mrc", "TS_01_rec.mrc", "TS_01_full_rec.mrc", "TS_01.rec", "TS_01_Vol.mrc", "x.mrc"],
)
def test_tomogram_in_a_folder_is_no_tilt_series(folder: Path, name: str) -> None:
    write_volume(folder / name, np.ones((4, 16, 16), dtype=np.float32), 5.0)
    assert_opens_stack(folder)


def test_volume_of_unknown_origin_remains_a_candidate(folder: Path) -> None:
    path = folder / "x.mrc"
    write_volume(path, np.ones((4, 16, 16), dtype=np.float32), 5.0)
    content = bytearray(path.read_bytes())
    content[224:234] = b"other prog"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"several tilt-series \(TS_01.st, x.mrc"):
        open_tilt_series(folder)


def test_hidden_files_of_macos_are_passed_over(folder: Path) -> None:
    for name in ("._TS_01.st", "._TS_01.mdoc", ".x.mrc.12345678.tmp", "._a.star"):
        (folder / name).write_bytes(b"\0\5\x16\7" + bytes(100))
    assert_opens_stack(folder)


def test_single_images_open_beside_their_tomogram(tmp_path: Path) -> None:
    for number in range(3):
        write_stack(tmp_path / f"t_{number}.mrc", np.ones((1, 16, 16)), (1, 16, 16), 5.0)
    write_angles(tmp_path / "t.rawtlt", STAGE)
    write_volume(tmp_path / "t_faket_rec.mrc", np.ones((4, 16, 16), dtype=np.float32), 5.0)
    assert [stack.path.name for stack, _ in open_tilt_series(tmp_path).images] == [
        "t_0.mrc",
        "t_1.mrc",
        "t_2.mrc",
    ]


def test_folder_of_tomograms_alone_says_so(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.rec", np.ones((4, 16, 16), dtype=np.float32), 5.0)
    with pytest.raises(InputError, match=r"only tomograms .*\(a\.rec\); name the file"):
        open_tilt_series(tmp_path)


def test_advice_about_a_broken_single_image_names_its_place(tmp_path: Path) -> None:
    for number in range(3):
        image = np.ones((1, 16, 16))
        image[0, 2, 3] = np.nan if number == 1 else 1
        write_stack(tmp_path / f"t_{number}.mrc", image, (1, 16, 16), 5.0)
    write_angles(tmp_path / "t.rawtlt", STAGE)
    with pytest.raises(
        InputError, match=r"t_1\.mrc, view 1 of 1 .* leave it out: --exclude 2, or `exclude: \[2\]`"
    ):
        open_tilt_series(tmp_path).tilt(1)
    assert np.isfinite(open_tilt_series(tmp_path, exclude="2").tilt(1)).all()
