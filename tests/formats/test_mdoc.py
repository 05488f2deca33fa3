"""Metadata of SerialEM (`.mdoc`): details, and agreement with mdocfile."""

import warnings
from pathlib import Path

import mdocfile
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faket_dask.errors import InputError
from faket_dask.formats.mdoc import Mdoc, read_mdoc, write_mdoc
from faket_dask.geometry import TiltGeometry, acquisition_order, exposure_before
from tests.ctf import make_ctf

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
    write_mdoc(path, series, "a.mrc", (40, 30), 300, make_ctf([2.0, 2.1, 2.2, 2.3, 2.4]))
    table = mdocfile.read(path)
    assert table["ZValue"].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(table["TiltAngle"].astype(float), [20, 10, 0, -10, -20])
    np.testing.assert_allclose(table["TargetDefocus"].astype(float), [-2, -2.1, -2.2, -2.3, -2.4])
    before = exposure_before(series.acquisition_order, 3.0)
    np.testing.assert_allclose(table["PriorRecordDose"].astype(float), before)
    np.testing.assert_allclose(table["ExposureDose"].astype(float), 3)
    np.testing.assert_allclose(table["RotationAngle"].astype(float), 175)
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


def read(folder: Path, text: str) -> Mdoc:
    (folder / "a.mdoc").write_text(text)
    return read_mdoc(folder / "a.mdoc")


def without(*keys: str) -> str:
    return "\n".join(line for line in RECORDED.splitlines() if not line.startswith(keys)) + "\n"


@pytest.mark.parametrize(
    ("rotation", "axis"),
    [
        (174.7, 84.7),
        (172.9, 82.9),
        (3.34915, -86.65085),  # the public file of 656.139 A pixels has -86.7 in its title
        (-3.5, -93.5),  # not turned to 86.5, which would mirror the specimen
        (-90.0, 180.0),
        (90.0, 0.0),
    ],
)
def test_rotation_angle_is_axis_plus_90(tmp_path: Path, rotation: float, axis: float) -> None:
    text = RECORDED.replace("Tilt axis angle", "Axis").replace("174.7", str(rotation))
    with pytest.warns(UserWarning, match=r"no title line .* RotationAngle of .* less 90°"):
        assert read(tmp_path, text).geometry.tilt_axis_angle_deg == pytest.approx(axis)


@given(axis=st.floats(-179.9, 180))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_written_axis_is_read_from_title_and_from_rotation_angle(tmp_path: Path, axis: float) -> None:
    axis = round(axis, 1)
    series = TiltGeometry(np.array([-3.0, 0.0, 3.0]), 2.5, axis)
    path = tmp_path / "a.mdoc"
    write_mdoc(path, series, "a.mrc", (4, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_mdoc(path).geometry.tilt_axis_angle_deg == axis
    path.write_text(path.read_text().replace("Tilt axis angle", "Axis"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert read_mdoc(path).geometry.tilt_axis_angle_deg == pytest.approx(axis, abs=1e-3)


@pytest.mark.parametrize(("title", "warned"), [(84.7, False), (85.5, False), (-95.3, False), (80.0, True)])
def test_title_is_believed_against_rotation_angle(tmp_path: Path, title: float, warned: bool) -> None:
    """A difference of 180° is that of a stage which runs the other way, and is in the title only."""
    mdoc = read(tmp_path, RECORDED.replace("= 84.7", f"= {title}"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert mdoc.geometry.tilt_axis_angle_deg == title
    assert [f"{title:g}° in a title line" in str(warning.message) for warning in caught] == [True] * warned


@pytest.mark.parametrize(
    ("stated", "rotation", "axis"),
    [
        (-176.20, 86.20, 86.2),  # as Tomography 5 writes it
        (-175.6, 85.6, 85.6),
        (-91.81, 1.81, 1.81),
        (-3.8, -86.2, -86.2),
        (94.0, 176.0, 176.0),  # 94 is -266
        (84.7, 174.7, 84.7),  # as SerialEM has it
        (-84.7, 174.7, 84.7),  # the opposite sign
    ],
)
def test_axis_of_tomography_5_is_that_of_its_rotation_angle(
    tmp_path: Path, stated: float, rotation: float, axis: float
) -> None:
    text = RECORDED.replace(
        "[T =     Tilt axis angle = 84.7, binning", f"[T =   TiltAxisAngle = {stated}  Binning"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mdoc = read(tmp_path, text.replace("174.7", str(rotation)))
        assert mdoc.geometry.tilt_axis_angle_deg == pytest.approx(axis)


@pytest.mark.parametrize("rotation", ["RotationAngle = 30", "Other = 3"])
def test_axis_of_tomography_5_that_nothing_confirms_is_warned_of(tmp_path: Path, rotation: str) -> None:
    text = RECORDED.replace("[T =     Tilt axis angle = 84.7, binning", "[T = TiltAxisAngle = 84.9 Binning")
    with pytest.warns(UserWarning, match=r"TiltAxisAngle of 84\.9°, .* taken to be 84\.9°: check it"):
        mdoc = read(tmp_path, text.replace("RotationAngle = 174.7", rotation))
    assert mdoc.geometry.tilt_axis_angle_deg == 84.9


def test_exposure_of_zero_is_unknown(tmp_path: Path) -> None:
    text = RECORDED.replace("ExposureDose = 3.1", "ExposureDose = 0")
    np.testing.assert_allclose(read(tmp_path, text).geometry.exposure_e_per_A2, 3.1)  # by PriorRecordDose
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("PriorRecordDose"))
    assert read(tmp_path, bare).geometry.exposure_e_per_A2 is None
    with pytest.warns(UserWarning, match=r"section \[ZValue = 0\] has an ExposureDose of 0"):
        some = read(tmp_path, bare.replace("ExposureDose = 0", "ExposureDose = 3.1").replace("3.1", "0", 1))
    assert some.exposure_e_per_A2 is None


def test_time_gives_order_where_exposures_do_not(tmp_path: Path) -> None:
    for text in (
        without("PriorRecordDose", "ExposureDose"),
        without("PriorRecordDose = 3.1"),  # SerialEM may leave out some of them
        RECORDED.replace("PriorRecordDose = 3.1", "PriorRecordDose = 0").replace("= 6.2", "= 0"),
        without("PriorRecordDose").replace("May-21", "May-2021"),
    ):
        assert read(tmp_path, text).geometry.acquisition_order.tolist() == [1, 0, 2]
    stamped = without("PriorRecordDose").replace("DateTime = 12-May-21  10:1", "TimeStamp = 4200000")
    stamped = stamped.replace(":12\n", "\n")
    assert read(tmp_path, stamped).geometry.acquisition_order.tolist() == [1, 0, 2]


def test_nothing_in_time_gives_no_order(tmp_path: Path) -> None:
    result = read(tmp_path, without("PriorRecordDose", "ExposureDose", "DateTime")).geometry
    assert result.acquisition_order is None
    assert result.exposure_before_e_per_A2 is None
    same_minute = without("PriorRecordDose").replace("10:12", "10:11").replace("10:13", "10:11")
    assert read(tmp_path, same_minute).geometry.acquisition_order is None


def test_contradictory_orders_are_said(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"another by DateTime .*; PriorRecordDose is believed"):
        result = read(tmp_path, RECORDED.replace("10:13:12", "10:10:12"))
    assert result.geometry.acquisition_order.tolist() == [1, 0, 2]


def test_keys_of_other_sections_are_not_those_of_tilts(tmp_path: Path) -> None:
    others = "[MontSection = 0]\nTiltAngle = 12.34\n[FrameSet = 0]\nExposureDose = 99\n[ZeroTilt = 1]\nTiltAngle = 7\n"
    result = read(tmp_path, RECORDED.replace("[ZValue = 2]", others + "[ZValue = 2]") + others)
    np.testing.assert_array_equal(result.geometry.tilt_angles, [-3.0012, -0.0013, 2.9987])
    np.testing.assert_array_equal(result.geometry.exposure_e_per_A2, [3.1] * 3)


def test_key_twice_is_refused_unless_it_says_the_same(tmp_path: Path) -> None:
    again = RECORDED.replace("TiltAngle = 3.0012\n", "TiltAngle = 3.0012\nTiltAngle = 3.0012\n")
    assert read(tmp_path, again).stage_angles.tolist() == [3.0012, 0.0013, -2.9987]
    message = r"line 22: section \[ZValue = 1\] has TiltAngle for the second time, '9' after '3.0012'"
    with pytest.raises(InputError, match=message):
        read(tmp_path, RECORDED.replace("TiltAngle = 3.0012\n", "TiltAngle = 3.0012\nTiltAngle = 9\n"))


def test_defocus_of_some_sections_is_not_needed(tmp_path: Path) -> None:
    result = read(tmp_path, without("TargetDefocus = -3.5"))
    assert result.defocus_um is None
    assert len(result.geometry) == 3


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig", "utf-16"])
def test_names_in_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    text = RECORDED.replace("[ZValue = 0]", "Operator = Müller\n[ZValue = 0]").replace("TS_01_0", "Süd_01_0")
    (tmp_path / "a.mdoc").write_bytes(text.encode(encoding))
    result = read_mdoc(tmp_path / "a.mdoc")
    assert result.frames[0] == "Süd_01_001_3.0.tif"
    np.testing.assert_array_equal(result.geometry.tilt_angles, [-3.0012, -0.0013, 2.9987])


def test_contradictory_pixel_sizes(tmp_path: Path) -> None:
    one = RECORDED.replace("TiltAngle = 0.0013", "PixelSpacing = 2.7\nTiltAngle = 0.0013")
    with pytest.warns(
        UserWarning, match=r"1\.35 Å in its head and 2\.7 Å in its sections; that of the sections"
    ):
        assert read(tmp_path, one).pixel_size_A == 2.7
    with pytest.raises(InputError, match=r"different pixel sizes, 2\.7 and 5\.4 Å"):
        read(tmp_path, one.replace("TiltAngle = 3.0012", "PixelSpacing = 5.4\nTiltAngle = 3.0012"))


def test_montage_is_refused(tmp_path: Path) -> None:
    pieces = RECORDED
    for number in range(3):
        pieces = pieces.replace(
            f"[ZValue = {number}]", f"[ZValue = {number}]\nPieceCoordinates = {90 * number} 0 0"
        )
    with pytest.raises(InputError, match=r"is of a montage: .* \(IMOD: blendmont\)"):
        read(tmp_path, pieces)
    planes = RECORDED
    for number in range(3):
        planes = planes.replace(
            f"[ZValue = {number}]", f"[ZValue = {number}]\nPieceCoordinates = 0 0 {number}"
        )
    assert len(read(tmp_path, planes.replace("DataMode", "Montage = 1\nDataMode"))) == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("TiltAngle = 3.0012\n", "", r"section \[ZValue = 1\] has no TiltAngle"),
        ("TiltAngle = 3.0012\n", "TiltAngle = a\n", "section 1, TiltAngle: 'a' is not a number"),
        ("[ZValue = 1]", "[ZValue = 0]", "a section for the second time"),
        ("PixelSpacing = 1.35\n", "", "no PixelSpacing; give the pixel size"),
        ("ExposureDose = 3.1\n", "ExposureDose = -3.1\n", "negative exposure"),
        ("TiltAngle = 3.0012", "TiltAngle = 0.0013", "have the same angle"),
        ("[ZValue", "[Frame", "has no sections"),
        ("[ZValue", "[FrameSet", "of the frames of one exposure, .*stackframemdocs"),
        ("[ZValue", "[Image", "of single TIFF images"),
        ("[ZValue = 1]", "[ZValue = one]", r"line 20: '\[ZValue = one\]' has no number"),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "a.mdoc").write_text(RECORDED.replace(old, new))
    with pytest.raises(InputError, match=message):
        assert read_mdoc(tmp_path / "a.mdoc").geometry


def test_exposure_before_the_series_is_kept(tmp_path: Path) -> None:
    text = RECORDED.replace("PriorRecordDose = 6.2", "PriorRecordDose = 16.2")
    text = text.replace("PriorRecordDose = 3.1", "PriorRecordDose = 13.1")
    series = read(tmp_path, text.replace("PriorRecordDose = 0", "PriorRecordDose = 10")).geometry
    np.testing.assert_allclose(series.exposure_before_e_per_A2, [13.1, 10, 16.2])
    write_mdoc(tmp_path / "b.mdoc", series, "b.mrc", (4, 4))
    again = read_mdoc(tmp_path / "b.mdoc").geometry
    np.testing.assert_allclose(again.exposure_before_e_per_A2, [13.1, 10, 16.2])
    np.testing.assert_allclose(again.exposure_e_per_A2, [3.1, 3.1, 3.1])
