"""Defocus files of IMOD's ctfplotter and ctfphaseflip, `.defocus`, versions 2 and 3.

From IMOD's manual pages and the source of its readers (``ctfutils.cpp``, ``ctfphaseflip.cpp``): a line holds a range of
views (from 1), the tilt angles at its ends, and the defocus in nm, underfocus positive, which holds for the middle view
of the range; other views lie between on straight lines. Version 3 begins with a line of flags. With astigmatism there
are two defoci, and its angle is that of the **first**, from x towards y.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntFlag
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.atomic import write_text
from faket_dask.errors import InputError
from faket_dask.formats.ctf_table import MOST_VIEWS, CtfTable, DefocusUnit, make_table
from faket_dask.formats.files import read_text
from faket_dask.geometry.series_ctf import SeriesCtf

SUFFIX = ".defocus"
_PLAIN_COLUMNS = 5
_HEAD_COLUMNS = 6


class _Flag(IntFlag):
    """Flags in the first line of version 3."""

    ASTIGMATISM = 1
    ASTIGMATISM_IN_RADIANS = 2
    PHASE_SHIFT = 4
    PHASE_SHIFT_IN_RADIANS = 8
    INVERTED_ANGLES = 16
    CUT_ON = 32


@dataclass(frozen=True)
class _Range:
    """Line of the file: its number, views, stage angles and optics."""

    line: int
    first: int
    last: int
    angles: tuple[float, float]
    u: float
    v: float
    angle_deg: float
    phase_shift_deg: float

    @property
    def middle(self) -> int:
        """View that the defocus is of, as IMOD counts from 0 and halves."""
        return (self.first + self.last - 2) // 2 + 1


def is_defocus_file(path: Path) -> bool:
    """Return True for a file that IMOD wrote, by its first line: five or six numbers, the sixth a version."""
    words = next(iter(read_text(path, "defocus file").splitlines()), "").split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return False
    return len(numbers) == _PLAIN_COLUMNS or (len(numbers) == _HEAD_COLUMNS and numbers[5] in (1, 2, 3))


def read_defocus(path: Path) -> CtfTable:
    """Read a `.defocus` file; its numbers are not checked yet.

    Parameters
    ----------
    path
        File to read.

    Returns
    -------
    table
        Every view from the first to the last that the file names; those between two middles of ranges lie on straight
        lines, as ctfphaseflip has them.

    Raises
    ------
    InputError
        If the file is absent or empty, of an unknown version, has cut-on frequencies, or a line does not fit its flags.
    """
    lines = [
        (number, line.split())
        for number, line in enumerate(read_text(path, "defocus file").splitlines(), start=1)
        if line.strip()
    ]
    flags = _Flag(0)
    if lines and len(lines[0][1]) == _HEAD_COLUMNS:
        head = _parse(path, *lines[0], _HEAD_COLUMNS)
        if head[5] == 3:
            flags = _Flag(int(head[0]))
            lines = lines[1:]
        elif head[5] not in (1, 2):
            raise InputError(
                f"defocus file {path}, line {lines[0][0]}: version {head[5]:g} is not known; save it as version 3"
            )
    if not lines:
        raise InputError(f"defocus file {path} has no views; save it anew in ctfplotter")
    if _Flag.CUT_ON in flags:
        raise InputError(
            f"defocus file {path} has phases that are cut on at a frequency (flag 32), which are not read; save it "
            "without"
        )
    ranges = [_read_range(path, number, words, flags) for number, words in lines]
    return _fill(path, sorted(ranges, key=lambda item: item.middle))


def write_defocus(path: Path, ctf: SeriesCtf, stage_angles: NDArray[np.float64]) -> None:
    """Write a `.defocus` file of version 3, a line for each view.

    Parameters
    ----------
    path
        File to write; replaced whole.
    ctf
        Contrast transfer of the tilts, in the order of the stack.
    stage_angles
        ``(tilt,)`` degrees with IMOD's sign.
    """
    has_phase = any(tilt.phase_shift for tilt in ctf.defocus)
    flags = _Flag.ASTIGMATISM | (_Flag.PHASE_SHIFT if has_phase else _Flag(0))
    lines = [f"{int(flags)} 0 0. 0. 0 3"]
    for view, (tilt, angle) in enumerate(zip(ctf.order_axes().defocus, stage_angles, strict=True), start=1):
        defoci_nm = f"{1e3 * tilt.along_um:.1f} {1e3 * tilt.across_um:.1f}"
        line = f"{view} {view} {angle:z.2f} {angle:z.2f} {defoci_nm} {tilt.astigmatism_angle:.2f}"
        lines.append(f"{line} {tilt.phase_shift:.2f}" if has_phase else line)
    write_text(path, "\n".join(lines) + "\n")


def _read_range(path: Path, line: int, words: list[str], flags: _Flag) -> _Range:
    columns = _PLAIN_COLUMNS + 2 * (_Flag.ASTIGMATISM in flags) + (_Flag.PHASE_SHIFT in flags)
    values = _parse(path, line, words, columns)
    sign = -1 if _Flag.INVERTED_ANGLES in flags else 1
    u = v = values[4]
    angle = phase = 0.0
    if _Flag.ASTIGMATISM in flags:
        v, angle = values[5] or u, values[6]
        if _Flag.ASTIGMATISM_IN_RADIANS in flags:
            angle = float(np.rad2deg(angle))
    if _Flag.PHASE_SHIFT in flags:
        phase = abs(values[-1])
        if _Flag.PHASE_SHIFT_IN_RADIANS in flags:
            phase = float(np.rad2deg(phase))
    first, last = int(values[0]), int(values[1])
    if not 1 <= first <= last <= MOST_VIEWS:
        raise InputError(
            f"defocus file {path}, line {line}: views {values[0]:g} to {values[1]:g} are no range from 1; views are "
            "counted from 1"
        )
    return _Range(line, first, last, (sign * values[2], sign * values[3]), u, v, angle, phase)


def _parse(path: Path, line: int, words: list[str], columns: int) -> list[float]:
    """Return the numbers of a line; further ones are IMOD's version, or empty."""
    try:
        values = [float(word) for word in words[:columns]]
    except ValueError:
        values = []
    if len(values) < columns or not np.isfinite(values).all():
        raise InputError(
            f"defocus file {path}, line {line}: expected {columns} numbers (views, tilt angles, defocus in nm, …), "
            f"found {' '.join(words)[:60]!r}"
        )
    return values


def _fill(path: Path, ranges: list[_Range]) -> CtfTable:
    """Return the views of all ranges, those without one of their own on straight lines between the others."""
    views = np.arange(min(item.first for item in ranges), max(item.last for item in ranges) + 1)
    middles = np.array([item.middle for item in ranges], dtype=np.float64)
    nearest = [int(np.argmin(np.abs(middles - view))) for view in views]
    mean = np.array([(item.u + item.v) / 2 for item in ranges])
    axis = np.deg2rad([2 * item.angle_deg for item in ranges])
    astigmatism = np.array([item.u - item.v for item in ranges]) * np.exp(1j * axis)

    def interpolate(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.interp(views, middles, values)

    vector = interpolate(astigmatism.real) + 1j * interpolate(astigmatism.imag)
    half = np.abs(vector) / 2
    table = make_table(
        path,
        DefocusUnit.NANOMETRE,
        [f"line {ranges[near].line} (view {view})" for near, view in zip(nearest, views, strict=True)],
        interpolate(mean) + half,
        interpolate(mean) - half,
        np.rad2deg(np.angle(vector)) / 2,
        interpolate(np.array([item.phase_shift_deg for item in ranges])),
    )
    angles = np.full(views.size, np.nan)
    for item in ranges:
        if item.first == item.last:
            angles[item.first - views[0]] = -np.mean(item.angles)
    known = angles if np.isfinite(angles).any() else None
    return replace(table, views=views.astype(np.int64), is_complete=False, tilt_angles=known)
