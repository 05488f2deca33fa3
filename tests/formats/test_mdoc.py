"""Metadata of SerialEM (`.mdoc`): details, and agreement with mdocfile."""

from pathlib import Path

import mdocfile
import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.formats.mdoc import read_mdoc, write_mdoc
from faket_dask.geometry import TiltGeometry, acquisition_order, exposure_before

# As SerialEM writes it during acquisition: in the order of time, with Windows paths.
RECORDED = r"""PixelSpacing = 1.35
Voltage = 300
ImageFile = TS_01.mrc
ImageSize = 5760 4092
DataMode = 1

[T = SerialEM: Digitized on Krios]

[T =     Tilt axis angle = 84.7, binning = 1  spot = 8  camera = 2]

[ZValue = 0]
TiltAngle = 0.0013
ExposureDose = 3.1
PriorRecordDose = 0
RotationAngle = 174.7
TargetDefocus = -3
SubFramePath = X:\frames\TS_01_000_0.0.tif
DateTime = 12-May-21  10:11:12

[ZValue = 1]
TiltAngle = 3.0012
ExposureDose = 3.1
PriorRecordDose = 3.1
RotationAngle = 174.7
TargetDefocus = -3.5
SubFramePath = X:\frames\TS_01_001_3.0.tif
DateTime = 12-May-21  10:12:12

[ZValue = 2]
TiltAngle = -2.9987
ExposureDose = 3.1
PriorRecordDose = 6.2
RotationAngle = 174.7
TargetDefocus = -4
SubFramePath = X:\frames\TS_01_002_-3.0.tif
DateTime = 12-May-21  10:13:12
"""


def geometry() -> TiltGeometry:
    angles = np.array([-20.0, -10, 0, 10, 20])
    order = acquisition_order(angles, "dose_symmetric")
    return TiltGeometry(angles, 2.5, 85.0, exposure_e_per_A2=np.full(5, 3.0), acquisition_order=order)


def test_recorded_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.mdoc").write_text(RECORDED)
    result = read_mdoc(tmp_path / "a.mdoc")
    assert result.geometry.tilt_angles.tolist() == [-3.0012, -0.0013, 2.9987]
    assert result.sections == (1, 0, 2)
    assert result.geometry.acquisition_order.tolist() == [1, 0, 2]
    assert result.geometry.exposure_e_per_A2.tolist() == [3.1, 3.1, 3.1]
    assert result.geometry.tilt_axis_angle_deg == 84.7
    assert result.geometry.pixel_size_A == 1.35
    assert result.defocus_um.tolist() == [3.5, 3, 4]
    assert result.frames == ("TS_01_001_3.0.tif", "TS_01_000_0.0.tif", "TS_01_002_-3.0.tif")
    assert read_mdoc(tmp_path / "a.mdoc", pixel_size_A=2.7).geometry.pixel_size_A == 2.7


def test_mdocfile_reads_written_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc.mdoc"
    series = geometry()
    write_mdoc(path, series, "a.mrc", (40, 30), 300, np.array([2.0, 2.1, 2.2, 2.3, 2.4]))
    table = mdocfile.read(path)
    assert table["ZValue"].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(table["TiltAngle"].astype(float), [20, 10, 0, -10, -20])
    np.testing.assert_allclose(table["TargetDefocus"].astype(float), [-2, -2.1, -2.2, -2.3, -2.4])
    before = exposure_before(series.acquisition_order, 3.0)
    np.testing.assert_allclose(table["PriorRecordDose"].astype(float), before)
    np.testing.assert_allclose(table["ExposureDose"].astype(float), 3)
    np.testing.assert_allclose(table["RotationAngle"].astype(float), 85)
    assert set(table["PixelSpacing"].astype(float)) == {2.5}
    assert table["ImageSize"].iloc[0] == (30, 40)
    assert str(table["ImageFile"].iloc[0]) == "a.mrc"
    axis = [title for title in table["titles"].iloc[0] if "Tilt axis angle" in title]
    assert axis == ["[T =     Tilt axis angle = 85, binning = 1  spot = 1  camera = 0]"]


def test_written_file_names_frames_and_times(tmp_path: Path) -> None:
    frames = ["a.mrc", "b.mrc", "c.mrc", "d.mrc", "e.mrc"]
    write_mdoc(tmp_path / "a.mdoc", geometry(), "a.mrc", (40, 30), frames=frames)
    assert read_mdoc(tmp_path / "a.mdoc").frames == tuple(frames)
    table = mdocfile.read(tmp_path / "a.mdoc")
    minutes = [f"01-Jan-00  00:{rank:02d}:00" for rank in geometry().acquisition_order]
    assert table["DateTime"].tolist() == minutes  # the year has two digits, as SerialEM writes it


def test_tilts_of_unknown_order_have_times_in_that_of_the_stack(tmp_path: Path) -> None:
    series = TiltGeometry(np.array([-10.0, 0.0, 10.0]), 2.5)
    write_mdoc(tmp_path / "a.mdoc", series, "a.mrc", (40, 30))
    assert sorted(mdocfile.read(tmp_path / "a.mdoc")["DateTime"]) == [
        f"01-Jan-00  00:0{minute}:00" for minute in range(3)
    ]
    assert "SubFramePath" not in (tmp_path / "a.mdoc").read_text()
    assert "TiltAngle = 0.0000" in (tmp_path / "a.mdoc").read_text()


def test_file_written_by_mdocfile_is_read(tmp_path: Path) -> None:
    write_mdoc(tmp_path / "a.mdoc", geometry(), "a.mrc", (40, 30), 300)
    mdocfile.write(mdocfile.read(tmp_path / "a.mdoc"), tmp_path / "b.mdoc")
    result = read_mdoc(tmp_path / "b.mdoc").geometry
    np.testing.assert_allclose(result.tilt_angles, geometry().tilt_angles)
    assert result.acquisition_order.tolist() == geometry().acquisition_order.tolist()


def test_rotation_angle_replaces_missing_title(tmp_path: Path) -> None:
    (tmp_path / "a.mdoc").write_text(RECORDED.replace("Tilt axis angle", "Axis"))
    assert read_mdoc(tmp_path / "a.mdoc").geometry.tilt_axis_angle_deg == 174.7


def test_ambiguous_exposures_give_no_order(tmp_path: Path) -> None:
    text = "\n".join(
        line for line in RECORDED.splitlines() if not line.startswith(("PriorRecordDose", "ExposureDose"))
    )
    (tmp_path / "a.mdoc").write_text(text)
    result = read_mdoc(tmp_path / "a.mdoc").geometry
    assert result.acquisition_order is None
    assert result.exposure_before_e_per_A2 is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("TiltAngle = 3.0012\n", "", r"section 1 has no TiltAngle"),
        ("TiltAngle = 3.0012\n", "TiltAngle = a\n", "section 1, TiltAngle: 'a' is not a number"),
        ("[ZValue = 1]", "[ZValue = 0]", "a section for the second time"),
        ("PixelSpacing = 1.35\n", "", "no PixelSpacing; give the pixel size"),
        ("ExposureDose = 3.1\n", "ExposureDose = -3.1\n", "negative exposure"),
        ("TiltAngle = 3.0012", "TiltAngle = 0.0013", "have the same angle"),
        ("[ZValue", "[Frame", "has no sections"),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "a.mdoc").write_text(RECORDED.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_mdoc(tmp_path / "a.mdoc")
