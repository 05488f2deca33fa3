"""Alignments of AreTomo beside stacks: dark tilts left out, beads of a phantom on their places."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.formats.aretomo import read_aln
from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.openers import open_tilt_series
from faket_dask.geometry import TiltGeometry
from tests.formats.conftest import VOXEL_A, Phantom, make_phantom
from tests.formats.test_tilt_series import (
    COLUMNS,
    ROWS,
    make_transforms,
    measure_error,
    recorded,
)

HEAD = "# SEC     ROT         GMAG       TX          TY      SMEAN     SFIT    SCALE     BASE     TILT\n"


def make_aln(
    rows: list[tuple[int, float, float, float, float]],
    dark: list[tuple[int, int, float]] = (),
    shape: tuple[int, int, int] = (COLUMNS, ROWS, 40),
    more: str = "# NumPatches = 0\n",
) -> str:
    """Make an `.aln` of rows ``(SEC, ROT, TX, TY, TILT)`` and dark frames."""
    text = f"# AreTomo Alignment / Priims bprmMn \n# RawSize = {shape[0]} {shape[1]} {shape[2]}\n{more}"
    text += "".join(f"# DarkFrame =  {frame:4d} {sec:4d} {tilt:8.2f}\n" for frame, sec, tilt in dark)
    text += HEAD
    for sec, rot, tx, ty, tilt in rows:
        text += f"{sec:5d}  {rot:9.4f}    1.00000  {tx:9.3f}  {ty:9.3f}     1.00     1.00     1.00     0.00  "
        text += f"{tilt:8.2f}\n"
    return text


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom((40, 100, 90))


def write_series(
    folder: Path, phantom: Phantom, axis: float, first: int, dark: tuple[int, ...] = (2, 31)
) -> tuple[TiltGeometry, np.ndarray]:
    """Write a stack in the order of acquisition, as recorded, and AreTomo's alignment of it, by its own equations.

    A recorded pixel is, from the middle of the image as IMOD has it, at R(ROT) times the aligned one plus (TX, TY).
    """
    geometry, stack = recorded(phantom, axis, jitter=60.0)
    order = np.argsort(geometry.acquisition_order)
    write_stack(folder / "a.mrc", iter(stack[order]), stack.shape, VOXEL_A)
    write_angles(folder / "a.rawtlt", np.round(geometry.stage_angles[order]))
    sections = np.argsort(order)  # section of each tilt
    middle = [COLUMNS // 2 - (COLUMNS - 1) / 2, ROWS // 2 - (ROWS - 1) / 2]
    shift = geometry.shift_A / VOXEL_A + middle
    by_stage = np.argsort(geometry.stage_angles)  # AreTomo's order
    rows, frames = [], []
    for frame, tilt in enumerate(by_stage):
        section = int(sections[tilt])
        angle = geometry.stage_angles[tilt]
        if section in dark:
            frames.append((frame, section + first, angle))
        else:
            rows.append((section + first, axis, *shift[tilt], angle))
    (folder / "a.aln").write_text(make_aln(rows, frames))
    return geometry, sections


@pytest.mark.parametrize(("axis", "first"), [(-4.3, 1), (84.7, 0)])
def test_alignment_beside_a_stack(phantom: Phantom, tmp_path: Path, axis: float, first: int) -> None:
    """Sections are counted from 1 by AreTomo3, from 0 by its predecessors."""
    geometry, sections = write_series(tmp_path, phantom, axis, first)
    with pytest.warns(
        UserWarning, match=r"leaving out 2 of 40 tilts, .*a\.aln \(DarkFrame\) .* views 3 .*, 32 "
    ):
        series = open_tilt_series(tmp_path / "a.mrc")
    used = ~np.isin(sections, [2, 31])
    assert len(series.images) == 38
    np.testing.assert_allclose(series.geometry.tilt_angles, geometry.tilt_angles[used], atol=0.006)
    assert [section for _, section in series.images] == sections[used].tolist()
    aligned = series.aligned()
    assert aligned.shape[1:] == ((COLUMNS, ROWS) if axis > 45 else (ROWS, COLUMNS))
    assert measure_error(aligned, phantom) < 0.15


@pytest.mark.filterwarnings("ignore:leaving out")
def test_ways_to_name_an_alignment(phantom: Phantom, tmp_path: Path) -> None:
    write_series(tmp_path, phantom, -4.3, 1)
    expected = open_tilt_series(tmp_path / "a.mrc").aligned().checksum()
    for path, options in (("a.aln", {}), (".", {}), ("a.mrc", {"transforms": tmp_path / "a.aln"})):
        assert open_tilt_series(tmp_path / path, **options).aligned().checksum() == expected
    (tmp_path / "a.aln").rename(tmp_path / "a_st.aln")
    assert open_tilt_series(tmp_path / "a.mrc").aligned().checksum() == expected
    (tmp_path / "a.rawtlt").unlink()
    alone = open_tilt_series(tmp_path / "a_st.aln")
    assert alone.aligned().checksum() == expected
    assert alone.describe_tilt(0).endswith("a.mrc (counted from 1), stage angle 57°")
    (tmp_path / "a.mrc").unlink()
    with pytest.raises(InputError, match=r"no stack beside it, such as a_st\.mrc or a_st\.st"):
        open_tilt_series(tmp_path / "a_st.aln")


def test_transforms_of_imod_are_preferred(phantom: Phantom, tmp_path: Path) -> None:
    geometry, sections = write_series(tmp_path, phantom, -4.3, 1)
    transforms = make_transforms(geometry)[np.argsort(sections)]
    write_transforms(tmp_path / "a.xf", transforms)
    with pytest.warns(UserWarning, match=r"a\.xf and .*a\.aln both align .*; the \.xf is taken"):
        series = open_tilt_series(tmp_path / "a.mrc")
    assert len(series.images) == 40


def test_sections_after_dark_ones_were_taken_out(tmp_path: Path) -> None:
    """An early AreTomo3 counted the tilts that are left, by increasing angle, and gave dark ones no section."""
    rows = [(sec, 0.0, sec, 0.0, angle) for sec, angle in enumerate((-30.0, 0.0, 60.0))]
    (tmp_path / "a.aln").write_text(make_aln(rows, [(0, 0, -60.0), (3, 0, 30.0)], (8, 6, 5)))
    alignment = read_aln(tmp_path / "a.aln")
    assert alignment.angles.tolist() == [-60, -30, 0, 30, 60]
    assert alignment.is_dark.tolist() == [True, False, False, True, False]
    assert alignment.transforms[:, 0, 2].tolist() == [0, 0, -1, 0, -2]
    assert alignment.raw_shape == (5, 6, 8)


def make_small(folder: Path, angles: list[float], **options: object) -> None:
    stack = np.random.default_rng(0).normal(size=(3, 6, 8)).astype(np.float32)
    write_stack(folder / "a.mrc", iter(stack), stack.shape, 5.0)
    rows = [(sec, 0.0, 1.0, 0.0, angle) for sec, angle in enumerate(angles, start=1)]
    (folder / "a.aln").write_text(make_aln(rows, shape=(8, 6, 3), **options))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("# NumPatches = 16\n", "local alignment of 16 patches, which is not applied"),
        ("# BetaOffset =     1.50\n", r"tilt of 1.5° about x \(BetaOffset\), which is not applied"),
    ],
)
def test_parts_that_are_not_applied_are_named(tmp_path: Path, more: str, message: str) -> None:
    make_small(tmp_path, [-3, 0, 3], more=more)
    with (tmp_path / "a.aln").open("a") as file:
        file.write("# Local Alignment\n   0   0  -558.42   -802.00   -100.07     24.43   1.0\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        series = open_tilt_series(tmp_path / "a.mrc")
    with pytest.warns(UserWarning, match=message):
        series.aligned()


def test_angles_of_another_order_are_noticed(tmp_path: Path) -> None:
    make_small(tmp_path, [-3, 0, 3])
    write_angles(tmp_path / "a.rawtlt", [-8, -5, -2])  # an offset of the whole specimen
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_tilt_series(tmp_path / "a.mrc")
    write_angles(tmp_path / "a.rawtlt", [3, 0, -3])
    with pytest.warns(
        UserWarning, match=r"disagree: view [13] of .*a\.mrc .*, stage angle -?3°, has -?3° there"
    ):
        series = open_tilt_series(tmp_path / "a.mrc")
    assert [section for _, section in series.images] == [2, 1, 0]


def test_alignment_of_another_stack(tmp_path: Path) -> None:
    make_small(tmp_path, [-3, 0, 3])
    text = (tmp_path / "a.aln").read_text().replace("RawSize = 8 6 3", "RawSize = 16 12 3")
    (tmp_path / "a.aln").write_text(text)
    write_angles(tmp_path / "a.tlt", [-3, 0, 3])
    with pytest.warns(UserWarning, match=r"3 tilts of 16 x 12 pixels, .* has 3 of 8 x 6; it is not used"):
        assert open_tilt_series(tmp_path / "a.mrc").transforms is None
    with pytest.raises(InputError, match="give the stack that AreTomo has aligned"):
        open_tilt_series(tmp_path / "a.aln")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace("1.00000", "x", 1), r"line 5: expected ten numbers"),
        (lambda text: text.replace("RawSize", "Size"), "no alignment of AreTomo"),
        (lambda text: text.replace("    3  ", "    7  "), "are not the 3 sections of a stack"),
        (lambda text: text.replace("RawSize = 8 6 3", "RawSize = 8 6"), "expected three numbers"),
        (lambda text: text.replace("   0.00\n", "   3.00\n"), r"line 6 and line 7 have the same angle, 3°"),
        (lambda text: "", "no alignment of AreTomo"),
    ],
)
def test_damaged_alignments_are_refused(tmp_path: Path, damage: Callable[[str], str], message: str) -> None:
    make_small(tmp_path, [-3, 0, 3])
    (tmp_path / "a.aln").write_text(damage((tmp_path / "a.aln").read_text()))
    with pytest.raises(InputError, match=message):
        open_tilt_series(tmp_path / "a.aln")


def test_tilt_table_gives_angles_order_and_exposures(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).normal(size=(3, 6, 8)).astype(np.float32)
    write_stack(tmp_path / "a.mrc", iter(stack), stack.shape, 5.0)
    (tmp_path / "a_TLT.txt").write_text(
        "   -3.00     3     2.50\n    0.00     1     3.00\n    3.00     4     2.75\n"
    )
    geometry = open_tilt_series(tmp_path / "a.mrc").geometry
    assert geometry.stage_angles.tolist() == [3, 0, -3]
    assert geometry.acquisition_order.tolist() == [2, 0, 1]
    assert geometry.exposure_before_e_per_A2.tolist() == [5.5, 0, 3]
