"""Sources of one fact about a stack: which is believed, and that a contradiction is said."""

import bz2
import gzip
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mrcfile.dtypes import HEADER_DTYPE

from faket_dask.errors import InputError
from faket_dask.formats.mrc import open_stack, write_stack
from faket_dask.formats.openers import MissingAnglesError, open_tilt_series
from faket_dask.formats.tilt_series import TiltSeries
from tests.formats import extended_headers

STAGE = np.array([-40.0, -20.0, 0.0, 20.0, 40.0, 60.0])
IN_TIME = [2, 3, 1, 0, 4, 5]
"""Tilts of `STAGE` in the order of their acquisition."""


def write_images(path: Path, stage: np.ndarray, pixel_size_A: float = 10.0) -> None:
    """Write a stack whose images have the mean of their stage angle."""
    rng = np.random.default_rng(0)
    images = [rng.normal(angle, 1, (8, 9)).astype(np.float32) for angle in stage]
    images = [image - image.mean() + angle for image, angle in zip(images, stage, strict=True)]
    write_stack(path, images, (len(stage), 8, 9), pixel_size_A)


def mdoc(
    stage: np.ndarray, head: str = "PixelSpacing = 10\n", axis: float | None = 85.3, **keys: list
) -> str:
    lines = [head]
    if axis is not None:
        lines.append(f"[T =     Tilt axis angle = {axis}, binning = 1  spot = 8  camera = 0]\n")
    for z, angle in enumerate(stage):
        lines.append(f"\n[ZValue = {z}]\nTiltAngle = {angle:.4f}\nExposureDose = 3\n")
        lines += [f"{key} = {values[z]}\n" for key, values in keys.items()]
    return "".join(lines)


def in_time(**keys: list) -> str:
    """Return an `.mdoc` in the order of acquisition."""
    doses = [3.0 * number for number in range(len(STAGE))]
    return mdoc(STAGE[IN_TIME], PriorRecordDose=doses, **keys)


def tlt(angles: np.ndarray) -> str:
    return "".join(f"{angle:.2f}\n" for angle in angles)


def open_said(path: Path, **options: object) -> tuple[TiltSeries, str]:
    """Open a series; return it and all that was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        series = open_tilt_series(path, **options)
    return series, " | ".join(str(warning.message) for warning in caught)


def assert_right(series: TiltSeries) -> None:
    """Assert that every image has its own angle, by its mean."""
    means = [series.tilt(tilt).mean() for tilt in range(len(series.images))]
    np.testing.assert_allclose(series.geometry.stage_angles, means, atol=0.05)


def test_recorded_angles_are_enough(tmp_path: Path) -> None:
    order = [3, 0, 5, 1, 4, 2]
    write_images(tmp_path / "a.st", STAGE[order])
    with pytest.raises(MissingAnglesError, match="no tilt angles"):
        open_tilt_series(tmp_path / "a.st")
    extended_headers.insert(tmp_path / "a.st", extended_headers.serialem(STAGE[order], flags=63))
    for path in (tmp_path, tmp_path / "a.st"):
        series, said = open_said(path)
        assert_right(series)
        assert not said


def test_mdoc_in_order_of_time_beside_sorted_stack_that_records_angles(tmp_path: Path) -> None:
    write_images(tmp_path / "a.mrc", STAGE)
    extended_headers.insert(tmp_path / "a.mrc", extended_headers.serialem(STAGE))
    (tmp_path / "a.mrc.mdoc").write_text(in_time())
    for path in (tmp_path, tmp_path / "a.mrc", tmp_path / "a.mrc.mdoc"):
        series, said = open_said(path)
        assert_right(series)
        assert "its sections are matched to the stack's by their angles, not by ZValue" in said
        expected = np.argsort(IN_TIME)[::-1]  # of decreasing stage angles
        assert series.geometry.acquisition_order.tolist() == expected.tolist()
        assert series.geometry.tilt_axis_angle_deg == 85.3


@given(order=st.permutations(range(len(STAGE))), written=st.permutations(range(len(STAGE))))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_mdoc_or_angle_file_is_right_or_said(
    tmp_path: Path, order: list[int], written: list[int]
) -> None:
    """The extended header tells the order of the stack, whichever the text files have."""
    path = tmp_path / "a.mrc"
    write_images(path, STAGE[order])
    extended_headers.insert(path, extended_headers.serialem(STAGE[order]))
    for name, text in (("a.mdoc", mdoc(STAGE[written])), ("a.rawtlt", tlt(STAGE[written]))):
        (tmp_path / name).write_text(text)
        series, said = open_said(path)
        assert_right(series)
        assert bool(said) == (list(order) != list(written))
        (tmp_path / name).unlink()


@pytest.mark.parametrize("ending", [".mdoc", ".rawtlt"])
def test_angles_of_another_series_are_refused(tmp_path: Path, ending: str) -> None:
    write_images(tmp_path / "a.mrc", STAGE)
    extended_headers.insert(tmp_path / "a.mrc", extended_headers.serialem(STAGE))
    other = np.array([0.0, -9, 9, -18, 18, 27])
    (tmp_path / f"a{ending}").write_text(mdoc(other) if ending == ".mdoc" else tlt(other))
    with pytest.raises(
        InputError, match=r"do not fit those in the extended header .*view 1, counted from 1: 0°"
    ):
        open_tilt_series(tmp_path / "a.mrc")


def test_angles_that_the_user_gives_are_used_and_compared(tmp_path: Path) -> None:
    write_images(tmp_path / "a.mrc", STAGE)
    extended_headers.insert(tmp_path / "a.mrc", extended_headers.serialem(STAGE))
    given = np.array([0.0, -9, 9, -18, 18, 27])
    (tmp_path / "b.tlt").write_text(tlt(given))
    for angles in (-given, tmp_path / "b.tlt"):
        series, said = open_said(tmp_path / "a.mrc", tilt_angles=angles)
        np.testing.assert_array_equal(series.geometry.tilt_angles, np.sort(-given))
        assert "used, as given" in said


def test_refined_angles_need_no_word_and_offsets_do(tmp_path: Path) -> None:
    write_images(tmp_path / "a.mrc", STAGE)
    extended_headers.insert(tmp_path / "a.mrc", extended_headers.serialem(STAGE))
    for offset, words in ((0.7, 0), (11.0, 1)):
        (tmp_path / "a.tlt").write_text(tlt(STAGE + offset))
        series, said = open_said(tmp_path / "a.mrc")
        np.testing.assert_allclose(series.geometry.stage_angles, (STAGE + offset)[::-1])
        assert said.count("differ from those in the extended header") == words
    (tmp_path / "a.tlt").unlink()
    (tmp_path / "a.rawtlt").write_text(tlt(STAGE + 0.7))
    assert "differ from those in the extended header" in open_said(tmp_path / "a.mrc")[1]


def test_opposite_sign_is_said(tmp_path: Path) -> None:
    write_images(tmp_path / "a.mrc", STAGE)
    extended_headers.insert(tmp_path / "a.mrc", extended_headers.serialem(STAGE))
    (tmp_path / "a.tlt").write_text(tlt(-STAGE))
    assert "have the opposite sign of those in the extended header" in open_said(tmp_path / "a.mrc")[1]
    series, said = open_said(tmp_path / "a.mrc", sign="warp")
    assert not said
    assert_right(series)


def test_reversed_mdoc_of_a_symmetric_series_is_in_another_order(tmp_path: Path) -> None:
    stage = np.array([-40.0, -20, 0, 20, 40])
    write_images(tmp_path / "a.mrc", stage)
    extended_headers.insert(tmp_path / "a.mrc", extended_headers.serialem(stage))
    (tmp_path / "a.mdoc").write_text(mdoc(stage[::-1]))
    series, said = open_said(tmp_path / "a.mrc")
    assert_right(series)
    assert "in another order" in said


def test_mdoc_with_more_sections_than_the_stack(tmp_path: Path) -> None:
    kept = [0, 1, 3, 4]
    write_images(tmp_path / "a.mrc", STAGE[kept])
    (tmp_path / "a.mdoc").write_text(in_time())
    with pytest.raises(
        InputError, match=r"has 6 sections up to \[ZValue = 5\], .* has 4 tilts, which are ZValue 0 to 3"
    ):
        open_tilt_series(tmp_path / "a.mrc")
    extended_headers.insert(tmp_path / "a.mrc", extended_headers.serialem(STAGE[kept]))
    series, said = open_said(tmp_path / "a.mrc")
    assert_right(series)
    assert "6 sections up to ZValue 5 for 4 images" in said
    assert series.geometry.acquisition_order.tolist() == [3, 0, 1, 2]


@pytest.mark.parametrize("scaled", [False, True])
def test_statistics_of_images_tell_the_order(tmp_path: Path, scaled: bool) -> None:
    """Without angles in the stack, MinMaxMean tells of another order, unless the images were scaled afterwards."""
    write_images(tmp_path / "a.mrc", STAGE)
    stack = open_stack(tmp_path / "a.mrc")
    images = [stack.tilt(tilt) for tilt in IN_TIME]
    factor = 3 if scaled else 1
    statistics = [f"{factor * i.min():.6g} {factor * i.max():.6g} {factor * i.mean():.6g}" for i in images]
    (tmp_path / "a.mdoc").write_text(in_time(MinMaxMean=statistics))
    series, said = open_said(tmp_path / "a.mrc")
    if scaled:
        assert not said
        assert [section for _, section in series.images] == np.argsort(-STAGE[IN_TIME]).tolist()[::-1][::-1]
    else:
        assert "(MinMaxMean); its sections are matched" in said
        assert_right(series)


@pytest.mark.parametrize("named", ["a.st", "a.mdoc", "."])
@pytest.mark.parametrize("mdoc_name", ["a.mdoc", "a.st.mdoc", "a.mrc.mdoc"])
def test_angle_file_with_mdoc(tmp_path: Path, named: str, mdoc_name: str) -> None:
    """Angles are the refined ones, axis and exposures the `.mdoc`'s, however the series is named."""
    write_images(tmp_path / "a.st", STAGE)
    (tmp_path / "a.tlt").write_text(tlt(STAGE + 0.3))
    (tmp_path / mdoc_name).write_text(mdoc(STAGE, PriorRecordDose=[6, 9, 3, 0, 12, 15]))
    series, said = open_said(tmp_path / named.replace("a.mdoc", mdoc_name))
    assert not said
    np.testing.assert_allclose(series.geometry.stage_angles, (STAGE + 0.3)[::-1])
    assert series.geometry.tilt_axis_angle_deg == 85.3
    assert series.needs_alignment
    np.testing.assert_array_equal(series.geometry.exposure_e_per_A2, [3] * 6)
    np.testing.assert_array_equal(series.geometry.exposure_before_e_per_A2, [15, 12, 0, 3, 9, 6])


def test_mdoc_in_another_order_than_the_angle_file(tmp_path: Path) -> None:
    write_images(tmp_path / "a.st", STAGE)
    (tmp_path / "a.tlt").write_text(tlt(STAGE + 0.3))
    (tmp_path / "a.mdoc").write_text(in_time())
    series, said = open_said(tmp_path / "a.st")
    assert "in another order than the angles in" in said
    assert [section for _, section in series.images] == [5, 4, 3, 2, 1, 0]
    assert series.geometry.acquisition_order.tolist() == np.argsort(IN_TIME)[::-1].tolist()


def test_mdoc_that_does_not_fit_gives_its_axis_alone(tmp_path: Path) -> None:
    write_images(tmp_path / "a.st", STAGE)
    (tmp_path / "a.tlt").write_text(tlt(STAGE))
    (tmp_path / "a.mdoc").write_text(mdoc(np.arange(4.0)))
    series, said = open_said(tmp_path / "a.st")
    assert "exposures and the order of acquisition are not used" in said
    assert series.geometry.exposure_e_per_A2 is None
    assert series.geometry.tilt_axis_angle_deg == 85.3
    (tmp_path / "a.mdoc").write_text("[FrameSet = 0]\n")
    series, said = open_said(tmp_path / "a.st")
    assert "this file is not used" in said
    assert_right(series)


def test_second_column_of_angle_file(tmp_path: Path) -> None:
    write_images(tmp_path / "a.st", STAGE)
    lines = [f"{angle} {number}\n" for angle, number in zip(STAGE, [4, 3, 1, 2, 5, 6], strict=True)]
    (tmp_path / "a.rawtlt").write_text("".join(lines))
    series, _ = open_said(tmp_path / "a.st")
    assert_right(series)
    assert series.geometry.acquisition_order.tolist() == [5, 4, 1, 0, 2, 3]


def test_tlt_beside_contradictory_rawtlt(tmp_path: Path) -> None:
    write_images(tmp_path / "a.st", STAGE)
    (tmp_path / "a.tlt").write_text(tlt(STAGE))
    for raw, words in (
        (STAGE + 0.4, ""),
        (-STAGE, "with the opposite sign"),
        (STAGE[:5], "has 5 angles, and"),
        (STAGE[IN_TIME], "in another order"),
    ):
        (tmp_path / "a.rawtlt").write_text(tlt(raw))
        series, said = open_said(tmp_path / "a.st")
        assert_right(series)
        assert words in said
        assert bool(said) == bool(words)


def test_pixel_size_is_the_same_both_ways_in(tmp_path: Path) -> None:
    write_images(tmp_path / "a.mrc", STAGE, 10.0)
    (tmp_path / "a.mrc.mdoc").write_text(mdoc(STAGE, "PixelSpacing = 1.35\n"))
    for path in (tmp_path, tmp_path / "a.mrc", tmp_path / "a.mrc.mdoc"):
        series, said = open_said(path)
        assert series.pixel_size_A == 10
        assert re.search(r"10 Å in its header, and .*a\.mrc\.mdoc states 1\.35 Å; the header's is used", said)
        series, said = open_said(path, pixel_size_A=10.0)
        assert (series.pixel_size_A, said) == (10, "")
        series, said = open_said(path, pixel_size_A=2.7)
        assert series.pixel_size_A == 2.7
        assert "2.7 Å is used, as given" in said


@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_pixel_size_of_mdoc_fills_in_for_an_unknown_one(tmp_path: Path, edge: float) -> None:
    write_images(tmp_path / "a.mrc", STAGE)
    raw = bytearray((tmp_path / "a.mrc").read_bytes())
    header = np.frombuffer(raw, HEADER_DTYPE, count=1)[0]
    header["cella"] = tuple(edge * int(header[n]) for n in ("mx", "my", "mz"))
    (tmp_path / "a.mrc").write_bytes(raw)
    (tmp_path / "a.mrc.mdoc").write_text(mdoc(STAGE, "PixelSpacing = 1.35\n"))
    for path in (tmp_path / "a.mrc", tmp_path / "a.mrc.mdoc"):
        series, said = open_said(path)
        assert (series.pixel_size_A, said) == (1.35, "")
    (tmp_path / "a.tlt").write_text(tlt(STAGE))
    assert open_said(tmp_path / "a.mrc")[0].pixel_size_A == 1.35


def test_stack_is_found_by_image_file(tmp_path: Path) -> None:
    write_images(tmp_path / "frames.mrc", STAGE)
    (tmp_path / "TS_01.mdoc").write_text(mdoc(STAGE, "PixelSpacing = 10\nImageFile = X:\\data\\frames.mrc\n"))
    assert_right(open_said(tmp_path / "TS_01.mdoc")[0])


def label(path: Path, *titles: str) -> None:
    raw = bytearray(path.read_bytes())
    header = np.frombuffer(raw, HEADER_DTYPE, count=1)[0]
    header["nlabl"] = len(titles)
    for number, title in enumerate(titles):
        header["label"][number] = title.encode()
    path.write_bytes(raw)


def test_axis_in_titles_of_the_stack(tmp_path: Path) -> None:
    write_images(tmp_path / "a.st", STAGE)
    label(
        tmp_path / "a.st", "SerialEM: Krios", "    Tilt axis angle = 85.3, binning = 1  spot = 8  camera = 0"
    )
    (tmp_path / "a.rawtlt").write_text(tlt(STAGE))
    series, said = open_said(tmp_path / "a.st")
    assert (series.geometry.tilt_axis_angle_deg, said) == (85.3, "")
    assert series.needs_alignment
    (tmp_path / "a.mdoc").write_text(mdoc(STAGE, axis=84.0))
    series, said = open_said(tmp_path / "a.st")
    assert series.geometry.tilt_axis_angle_deg == 84
    assert "85.3°; the mdoc is believed" in said
    (tmp_path / "a.mdoc").write_text(mdoc(STAGE, axis=None, RotationAngle=[-4.7] * 6))
    series, said = open_said(tmp_path / "a.st")
    assert (series.geometry.tilt_axis_angle_deg, said) == (
        85.3,
        "",
    )  # not -94.7, which the title says otherwise


@pytest.mark.parametrize("name", ["a.ali", "a_ali.mrc", "a_aligned.mrc", "a.mrc"])
def test_aligned_stack_is_not_aligned_again(tmp_path: Path, name: str) -> None:
    write_images(tmp_path / name, STAGE)
    (tmp_path / "a.tlt").write_text(tlt(STAGE))
    (tmp_path / "a.mdoc").write_text(mdoc(STAGE))
    (tmp_path / "a.xf").write_text("0 -1 1 0 3 4\n" * 6)
    if name == "a.mrc":
        assert open_said(tmp_path / name)[0].needs_alignment
        label(
            tmp_path / name,
            "Tilt axis angle = 85.3",
            "NEWSTACK: Images copied, transformed   21-Oct-15  13:21:42",
        )
    series, said = open_said(tmp_path / name)
    assert ("is an aligned stack by a title" in said) == (name == "a.mrc")
    assert_right(series)
    assert series.geometry.is_aligned
    assert not series.needs_alignment
    assert series.geometry.exposure_e_per_A2 is not None
    with pytest.raises(InputError, match="use the series as it is"):
        series.aligned()
    series, said = open_said(tmp_path / name, transforms=tmp_path / "a.xf")
    assert "would align it twice" in said
    assert series.needs_alignment


def test_montage_stack_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path / "a.mrc", STAGE)
    table = np.zeros((6, 4), dtype="<i2")
    table[:, 0] = 100 * STAGE
    table[:, 1] = [0, 8, 0, 8, 0, 8]
    table[:, 3] = [0, 0, 1, 1, 2, 2]
    extended_headers.insert(tmp_path / "a.mrc", (table.tobytes(), b"SERI", 8, 3))
    with pytest.raises(InputError, match=r"is a montage: .*blendmont"):
        open_tilt_series(tmp_path / "a.mrc", tilt_angles=STAGE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_named(tmp_path: Path, value: float) -> None:
    images = np.random.default_rng(0).random((6, 8, 9)).astype(np.float32)
    images[2, 5, 7] = value
    with np.errstate(invalid="ignore"):
        write_stack(tmp_path / "a.mrc", images, images.shape, 10)
    (tmp_path / "a.tlt").write_text(tlt(STAGE))
    series = open_tilt_series(tmp_path / "a.mrc")
    series.tilt(0)
    expected = r"view 3 of 6 \(counted from 1; ZValue 2\): the pixel x = 7, y = 5 is -?(nan|inf);"
    with pytest.raises(InputError, match=expected):
        series.tilt(3)
    with pytest.raises(InputError, match=expected):
        open_tilt_series(tmp_path / "a.mrc", transforms=None, tilt_angles=STAGE).counterpart(
            open_stack(tmp_path / "a.mrc")
        ).tilt(2)


@pytest.mark.parametrize(("ending", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
@pytest.mark.parametrize("named", ["folder", "stack", "mdoc"])
def test_everything_may_be_compressed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
    compress: Callable[[bytes], bytes],
    named: str,
) -> None:
    monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    folder.mkdir()
    write_images(folder / "a.st", STAGE)
    (folder / "a.st.mdoc").write_text(mdoc(STAGE))
    (folder / "a.rawtlt").write_text(tlt(STAGE))
    (folder / "a.xf").write_text("1 0 0 1 3 4\n" * 6)
    for file in list(folder.iterdir()):
        file.with_name(file.name + ending).write_bytes(compress(file.read_bytes()))
        file.unlink()
    paths = {"folder": folder, "stack": folder / f"a.st{ending}", "mdoc": folder / f"a.st.mdoc{ending}"}
    series, said = open_said(paths[named])
    assert not said
    assert_right(series)
    assert series.transforms is not None
    assert series.geometry.tilt_axis_angle_deg == 85.3


@pytest.mark.parametrize(("stored", "axis"), [(-86.2, 86.2), (93.5, -93.5), (273.8, 86.2), (np.nan, 0.0)])
def test_tilt_axis_of_thermo_fishers_extended_header(tmp_path: Path, stored: float, axis: float) -> None:
    """It has the opposite sign there; values that are no angle say nothing."""
    stage = np.array([3.0, 0.0, -3.0])
    write_images(tmp_path / "a.mrc", stage)
    extended_headers.insert(tmp_path / "a.mrc", extended_headers.thermo(stage, axis=stored))
    assert open_tilt_series(tmp_path / "a.mrc").geometry.tilt_axis_angle_deg == pytest.approx(axis)


def test_sorted_stack_of_tomography_5_has_angles_in_its_header_only(tmp_path: Path) -> None:
    """The `.mdoc` is in the order of acquisition; without the extended header nothing tells, which is said."""
    write_images(tmp_path / "a.mrc", STAGE)
    text = in_time(RotationAngle=[86.2] * len(STAGE)).replace(
        "Tilt axis angle = 85.3,", "TiltAxisAngle = -176.2 "
    )
    (tmp_path / "a.mdoc").write_text(text)
    series, said = open_said(tmp_path / "a.mrc")
    assert "sorts its stacks by angle" in said
    assert series.geometry.tilt_axis_angle_deg == pytest.approx(86.2)
    extended_headers.insert(tmp_path / "a.mrc", extended_headers.thermo(STAGE, axis=-86.2))
    series, said = open_said(tmp_path / "a.mrc")
    assert "sorts its stacks" not in said
    means = [float(series.tilt(tilt).mean()) for tilt in range(len(STAGE))]
    np.testing.assert_allclose(means, -series.geometry.tilt_angles, atol=1e-3)
    assert series.geometry.tilt_axis_angle_deg == pytest.approx(86.2)
    assert series.geometry.acquisition_order.tolist() == np.argsort(IN_TIME)[::-1].tolist()
