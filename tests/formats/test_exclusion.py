"""Tilts that a user leaves out: by number or angle, in every format, with counterparts and masks."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.exclusion import Exclusion
from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mrc import open_stack, write_stack
from faket_dask.formats.openers import FORMATS, SeriesFormat, SeriesOptions, open_tilt_series
from faket_dask.formats.openers.series_format import find_by_suffix
from faket_dask.formats.star import write_star
from faket_dask.formats.tilt_list import TiltList
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.geometry import TiltGeometry

PIXEL_A = 5.0
SHAPE = (4, 6)


@dataclass(frozen=True, eq=False)
class Recording:
    """Tilts in the order of their file; every pixel of tilt ``i`` is ``i``.

    Parameters
    ----------
    stage_angles
        ``(tilt,)`` whole degrees with SerialEM's sign.
    rank
        ``(tilt,)`` rank in time.
    """

    stage_angles: NDArray[np.float64]
    rank: NDArray[np.int64]

    def __len__(self) -> int:
        return self.stage_angles.size

    @property
    def before(self) -> NDArray[np.float64]:
        """Exposure before each tilt, of 3 e/Å² each."""
        return 3.0 * self.rank

    def write_stack(self, path: Path) -> None:
        images = (np.full(SHAPE, tilt, np.float32) for tilt in range(len(self)))
        write_stack(path, images, (len(self), *SHAPE), PIXEL_A)

    def write_images(self, folder: Path) -> list[str]:
        folder.mkdir(exist_ok=True)
        for tilt in range(len(self)):
            image = np.full(SHAPE, tilt, np.float32)
            write_stack(folder / f"t{tilt}.mrc", [image], (1, *SHAPE), PIXEL_A)
        return [f"t{tilt}.tif" for tilt in range(len(self))]


def write_rawtlt(folder: Path, recording: Recording) -> Path:
    recording.write_stack(folder / "a.st")
    write_angles(folder / "a.rawtlt", recording.stage_angles)
    return folder / "a.st"


def write_mdoc(folder: Path, recording: Recording) -> Path:
    recording.write_stack(folder / "a.mrc")
    text = f"PixelSpacing = {PIXEL_A}\n\n[T = Tilt axis angle = 85.0, binning = 1]\n\n"
    for z, (angle, before) in enumerate(zip(recording.stage_angles, recording.before, strict=True)):
        text += f"[ZValue = {z}]\nTiltAngle = {angle}\nExposureDose = 3\nPriorRecordDose = {before}\n\n"
    (folder / "a.mrc.mdoc").write_text(text)
    return folder / "a.mrc.mdoc"


def write_relion(folder: Path, recording: Recording) -> Path:
    recording.write_stack(folder / "a.mrcs")
    one = {"rlnTomoName": ["a"], "rlnVoltage": [300], "rlnSphericalAberration": [2.7]}
    one |= {"rlnAmplitudeContrast": [0.1], "rlnTomoTiltSeriesPixelSize": [PIXEL_A]}
    write_star(folder / "tilt_series.star", {"global": one | {"rlnTomoTiltSeriesStarFile": ["a.star"]}})
    tilts = {
        "rlnMicrographName": [f"{tilt + 1}@a.mrcs" for tilt in range(len(recording))],
        "rlnTomoNominalStageTiltAngle": list(recording.stage_angles),
        "rlnMicrographPreExposure": list(recording.before),
    }
    write_star(folder / "a.star", {"a": tilts})
    return folder / "tilt_series.star"


def write_tomostar(folder: Path, recording: Recording) -> Path:
    movies = recording.write_images(folder / "average")
    columns = {
        "wrpMovieName": movies,
        "wrpAngleTilt": list(-recording.stage_angles),
        "wrpDose": list(recording.before),
    }
    write_star(folder / "a.tomostar", {"": columns})
    return folder / "a.tomostar"


def write_xml(folder: Path, recording: Recording) -> Path:
    movies = recording.write_images(folder / "average")
    columns = {"Angles": -recording.stage_angles, "Dose": recording.before, "MoviePath": movies}
    elements = (f"<{tag}>" + "\n".join(map(str, values)) + f"</{tag}>" for tag, values in columns.items())
    (folder / "a.xml").write_text(f"<TiltSeries>{''.join(elements)}</TiltSeries>")
    return folder / "a.xml"


def write_single_images(folder: Path, recording: Recording) -> Path:
    recording.write_images(folder)
    write_angles(folder / "any.tlt", recording.stage_angles)
    return folder


def write_aln(folder: Path, recording: Recording) -> Path:
    recording.write_stack(folder / "a.mrc")
    text = f"# RawSize = {SHAPE[1]} {SHAPE[0]} {len(recording)}\n# SEC ROT\n"
    for tilt in np.argsort(recording.stage_angles):
        text += f"{tilt + 1} 0 1 1.5 0 1 1 1 0 {recording.stage_angles[tilt]}\n"
    (folder / "a.aln").write_text(text)
    return folder / "a.aln"


WRITERS: dict[str, tuple[Callable[[Path, Recording], Path], int]] = {  # and the sign of the file's angles
    "rawtlt": (write_rawtlt, 1),
    "mdoc": (write_mdoc, 1),
    "relion": (write_relion, 1),
    "tomostar": (write_tomostar, -1),
    "xml": (write_xml, -1),
    "images": (write_single_images, 1),
    "aln": (write_aln, 1),
}
KNOW_EXPOSURES = ("mdoc", "relion", "tomostar", "xml")


@settings(max_examples=25, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("name", WRITERS)
def test_opened_tilts_are_those_that_are_not_excluded(name: str, data: st.DataObject) -> None:
    tilts = data.draw(st.integers(2, 7))
    angles = data.draw(st.lists(st.integers(-60, 60), min_size=tilts, max_size=tilts, unique=True))
    rank = np.array(data.draw(st.permutations(range(tilts))))
    recording = Recording(np.array(angles, dtype=np.float64), rank)
    excluded = data.draw(st.sets(st.integers(0, tilts - 1), max_size=tilts - 1))
    by_angle = {tilt for tilt in excluded if data.draw(st.booleans())}
    writer, sign = WRITERS[name]
    left = [tilt for tilt in np.argsort(-recording.stage_angles) if tilt not in excluded]
    with tempfile.TemporaryDirectory() as folder:
        path = writer(Path(folder), recording)
        series = open_tilt_series(
            path,
            exclude=[tilt + 1 for tilt in excluded - by_angle],
            exclude_angles=[sign * recording.stage_angles[tilt] + 0.3 for tilt in by_angle],
        )
        assert [int(series.tilt(tilt)[0, 0]) for tilt in range(series.shape[0])] == left
        np.testing.assert_allclose(series.geometry.stage_angles, recording.stage_angles[left])
        for index, tilt in enumerate(left):
            angle = sign * recording.stage_angles[tilt] + 0.0
            assert f" {tilt + 1} of " in series.describe_tilt(index)
            assert f"angle {angle:g}°" in series.describe_tilt(index)
        if name in KNOW_EXPOSURES:
            np.testing.assert_allclose(series.geometry.exposure_before_e_per_A2, recording.before[left])


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return write_rawtlt(tmp_path, Recording(np.array([3.0, 0, -3, 0, 6]), np.arange(5)))


def test_tilt_of_an_angle_that_is_there_twice_can_be_left_out(stack: Path) -> None:
    message = (
        r"a\.rawtlt: line 2 and line 4 have the same angle, 0° \(views 2 and 4 of .*a\.st, counted "
        r"from 1\); leave one of them out: --exclude 4, or `exclude: \[4\]`"
    )
    with pytest.raises(InputError, match=message):
        open_tilt_series(stack)
    for exclude, section in ((2, 3), (4, 1)):
        series = open_tilt_series(stack, exclude=[exclude])
        assert [s for _, s in series.images] == [4, 0, section, 2]
    with pytest.raises(
        InputError, match=r"0° may be any of views 2 \(0°\), 4 \(0°\), counted from 1.*by number"
    ):
        open_tilt_series(stack, exclude_angles=[0])


def test_exclusion_changes_the_checksum(stack: Path) -> None:
    """Two exclusions may leave the same angles."""
    sums = {open_tilt_series(stack, exclude=exclude).checksum() for exclude in ([2], [4], [2, 5])}
    assert len(sums) == 3
    write_angles(stack.with_suffix(".rawtlt"), [3, 1, -3, 0, 6])
    assert open_tilt_series(stack).checksum() == open_stack(stack).checksum()


def test_transforms_counterparts_and_masks_follow(stack: Path) -> None:
    shifts = np.zeros((5, 2, 3)) + np.eye(2, 3)
    shifts[:, 0, 2] = range(5)
    write_transforms(stack.with_suffix(".xf"), shifts)
    series = open_tilt_series(stack, exclude="4-5")
    assert series.transforms[:, 0, 2].tolist() == [0, 1, 2]
    other = series.counterpart(open_stack(stack))
    assert [section for _, section in other.images] == [0, 1, 2]
    short = stack.with_name("short.mrc")
    write_stack(short, iter(np.zeros((3, *SHAPE), np.float32)), (3, *SHAPE), PIXEL_A)
    with pytest.raises(InputError, match="must agree, tilts that are left out included"):
        series.counterpart(open_stack(short))
    with pytest.raises(InputError, match="they must agree"):
        series.mask(open_stack(short))


def test_mask_of_single_images_may_have_the_tilts_that_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    recording = Recording(np.array([3.0, 0, -3, 6]), np.arange(4))
    write_single_images(folder, recording)
    series = open_tilt_series(folder, exclude=[2])
    for sections, expected in ((4, [0, 1, 3]), (3, [0, 1, 2])):
        mask = tmp_path / f"mask{sections}.mrc"
        write_stack(mask, iter(np.zeros((sections, *SHAPE), np.float32)), (sections, *SHAPE), PIXEL_A)
        assert [section for _, section in series.mask(open_stack(mask)).images] == expected


def test_format_that_knows_of_no_exclusion(stack: Path) -> None:
    def open_foreign(path: Path, options: SeriesOptions) -> TiltSeries:
        opened = open_stack(stack)
        geometry = TiltGeometry(np.arange(5.0), PIXEL_A, shift_A=np.ones((5, 2)))
        return TiltSeries(geometry, tuple((opened, section) for section in range(5)))

    stack.with_name("a.foreign").touch()
    FORMATS.insert(0, SeriesFormat((".foreign",), find_by_suffix(".foreign"), open_foreign))
    try:
        path = stack.with_name("a.foreign")
        series = open_tilt_series(path, exclude=[1], exclude_angles=[3])
        assert [section for _, section in series.images] == [1, 2, 4]
        assert series.geometry.tilt_angles.tolist() == [1, 2, 4]
        assert series.describe_tilt(2) == f"view 5 of {stack} (counted from 1), tilt angle 4°"
        assert open_tilt_series(path).describe_tilt(2) == f"view 3 of {stack} (counted from 1), tilt angle 2°"
        with pytest.raises(InputError, match=r"all 5 tilts .* are left out"):
            open_tilt_series(path, exclude="1-5")
    finally:
        del FORMATS[0]


@pytest.mark.parametrize(
    ("views", "angles", "message"),
    [
        ([6], [], r"there is no tilt 6 in .*a\.st, which has 5, numbers 1 to 5 \(counted from 1\)"),
        ("4-7", [], "there is no tilt 6"),
        ("1-5", [], r"all 5 tilts of .*a\.st are left out"),
        ([0], [], "'0' is no tilt"),
        (["3-1"], [], "'3-1' is no tilt"),
        (["1-999999999"], [], "is no tilt"),
        ([True], [], "'True' is no tilt"),
        ("1,,2", [], "'' is no tilt"),
        ([], [4], r"no tilt of .*a\.rawtlt is within 0.5° of 4°; its angles go from -3° to 6°"),
        ([], "-3,x", "'x' is no tilt angle"),
        ([], [91], "'91' is no tilt angle"),
    ],
)
def test_tilts_that_are_not_there_are_refused(
    stack: Path, views: list[int] | str, angles: list[float] | str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        open_tilt_series(stack, exclude=views, exclude_angles=angles)


@given(views=st.sets(st.integers(1, 40)))
def test_ranges_are_read(views: set[int]) -> None:
    tilts = TiltList.in_order("a.tlt", np.arange(40.0), is_stage=True, place="line")
    words = [str(view) if view % 3 else f"{view}-{view}" for view in views]
    for given_views in (words, ",".join(words)) if words else ([], ""):
        mask = Exclusion.parse(given_views).find(tilts)
        assert set((np.nonzero(mask)[0] + 1).tolist()) == views
