"""Command files of etomo beside a stack: rejected views are left out, steps that are not applied are named."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.openers import open_tilt_series
from faket_dask.formats.tilt_com import write_tilt_com
from faket_dask.geometry import TiltGeometry

TILT = """# THIS IS A COMMAND FILE TO RUN TILT
$setenv IMOD_OUTPUT_FORMAT MRC
$tilt -StandardInput
InputProjections {name}
OutputFile a_full_rec.mrc
TILTFILE a.tlt
THICKNESS 100
{option}
$if (-e ./savework) ./savework
"""
ALIGN = """$tiltalign -StandardInput
ModelFile a.fid
ImageFile a.preali
{option}
$xfproduct -StandardInput
InputFile1 a.prexg
"""


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    images = np.random.default_rng(0).normal(size=(9, 6, 8)).astype(np.float32)
    for name in ("a.st", "a.ali"):
        write_stack(tmp_path / name, iter(images), images.shape, 5.0)
    write_angles(tmp_path / "a.tlt", np.arange(-12, 13, 3))
    write_transforms(tmp_path / "a.xf", np.repeat([[[0.0, 1.0, 2.0], [-1.0, 0.0, 1.0]]], 9, axis=0))
    return tmp_path / "a.st"


@pytest.mark.parametrize(
    ("file", "option", "views"),
    [
        ("tilt.com", "EXCLUDELIST 2,8-9", [2, 8, 9]),
        ("tilt.com", "EXCLUDELIST2 1, 3", [1, 3]),
        ("align.com", "ExcludeList 4", [4]),
        ("tiltb.com", "excludelist2 4", [4]),
    ],
)
def test_rejected_views_are_left_out(stack: Path, file: str, option: str, views: list[int]) -> None:
    text = ALIGN if file.startswith("align") else TILT
    stack.with_name(file).write_text(text.format(name="a_ali.mrc", option=option))
    message = (
        rf"leaving out {len(views)} of 9 tilts, which .*{file} \(EXCLUDELIST2?\) rejects: views? {views[0]} "
    )
    for name in ("a.st", "a.ali"):
        with pytest.warns(UserWarning, match=message):
            series = open_tilt_series(stack.with_name(name))
        left = [view for view in range(1, 10) if view not in views]
        assert [section + 1 for _, section in series.images] == left[::-1]
        assert series.geometry.stage_angles.tolist() == [3 * view - 15 for view in left[::-1]]
        if name == "a.st":
            assert series.transforms.shape == (len(left), 2, 3)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tilt.com", TILT.format(name="b.ali", option="EXCLUDELIST 2")),
        ("tilt.com", TILT.format(name="a.ali", option="THICKNESS 200")),
        ("tilt.com", "$newstack -StandardInput\nEXCLUDELIST 2\n"),
        ("other.com", TILT.format(name="a.ali", option="EXCLUDELIST 2")),
    ],
)
def test_files_without_rejected_views_of_this_stack(stack: Path, file: str, text: str) -> None:
    stack.with_name(file).write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_tilt_series(stack).shape[0] == 9


def test_own_command_file_says_nothing(tmp_path: Path) -> None:
    images = np.zeros((3, 6, 8), np.float32)
    write_stack(tmp_path / "a.mrc", iter(images), images.shape, 5.0)
    write_tilt_com(tmp_path, "a", TiltGeometry(np.array([-3.0, 0, 3]), 5.0), (6, 8), 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_tilt_series(tmp_path / "a.mrc")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("OFFSET 1.5", r"adds 1.5° to all tilt angles \(OFFSET\), which is not applied"),
        ("OFFSET 0 4", r"moves the tilt axis by 4 pixels \(OFFSET\)"),
        ("XAXISTILT -2.5", r"turns the specimen by -2.5° about x \(XAXISTILT\)"),
        ("XTILTFILE a.xtilt", "tilts about x of up to 0.7° in a.xtilt"),
        ("LOCALFILE alocal.xf", r"a local alignment in alocal.xf \(LOCALFILE\)"),
    ],
)
def test_steps_that_are_not_applied_are_named(stack: Path, option: str, message: str) -> None:
    stack.with_name("tilt.com").write_text(TILT.format(name="a.ali", option=option))
    stack.with_name("a.xtilt").write_text("0.0\n-0.7\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        series = open_tilt_series(stack)
    with pytest.warns(UserWarning, match=message):
        series.aligned()
    stack.with_name("a.xf").unlink()
    with pytest.warns(UserWarning, match=message):
        open_tilt_series(stack.with_name("a.ali"))


def test_offset_of_angles_is_missing_in_a_rawtlt(stack: Path) -> None:
    stack.with_name("align.com").write_text(ALIGN.format(option="AngleOffset 2.0"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_tilt_series(stack).aligned()
    stack.with_name("a.tlt").rename(stack.with_name("a.rawtlt"))
    with pytest.warns(UserWarning, match=r"adds 2° to all tilt angles .*a\.rawtlt; give the \.tlt"):
        open_tilt_series(stack).aligned()


def test_list_that_cannot_be_read_is_refused(stack: Path) -> None:
    stack.with_name("tilt.com").write_text(TILT.format(name="a.ali", option="EXCLUDELIST 1-x"))
    with pytest.raises(InputError, match=r"tilt\.com: EXCLUDELIST is '1-x', which is no list of views"):
        open_tilt_series(stack)
