"""Choice of the contrast transfer of a series among its sources, and their comparison.

The user's word goes before everything, then come estimates (a project's own table; files beside a stack), and last the
target defocus that the microscope was asked for, which nothing is compared with.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.alignment import Alignment
from faket_dask.formats.compression import kind_suffix
from faket_dask.formats.ctf_table import LARGEST_UM, REMEDY, SMALLEST_UM, CtfTable
from faket_dask.formats.ctffind import read_ctffind
from faket_dask.formats.imod import read_transforms
from faket_dask.formats.imod_defocus import SUFFIX, is_defocus_file, read_defocus
from faket_dask.formats.mdoc import read_mdoc
from faket_dask.formats.openers.series_format import SeriesOptions, find_beside
from faket_dask.formats.relion5 import read_ctf_table
from faket_dask.formats.tilt_list import TiltList
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.formats.warp_xml import read_warp_xml
from faket_dask.geometry.series_ctf import SeriesCtf
from faket_dask.kernels.optics import Defocus

CTF_ENDINGS = (SUFFIX, "_CTF.txt", "_ctf.txt", "_ctffind5.txt", "_ctffind4.txt", "_ctffind.txt")
"""Endings of the CTF files of a stack's name; each goes before those after it."""

LARGEST_DIFFERENCE = 0.05
"""Share by which two sources may differ in the defocus of a tilt."""

_SAME_TILT_DEG = 3.0
"""Largest difference of a tilt's angles in two files, one of which an alignment refined."""


def add_ctf(
    series: TiltSeries,
    options: SeriesOptions,
    own: CtfTable | None,
    beside: Sequence[Path] = (),
    raw_stack: Path | None = None,
) -> TiltSeries:
    """Return a series with its contrast transfer, where it is known.

    Parameters
    ----------
    series
        Series as it was recorded.
    options
        Arguments of the user.
    own
        Table of the project or `.mdoc` that the series was opened by, in the order of all tilts that its files list.
    beside
        CTF files beside a stack, of its name.
    raw_stack
        Raw stack that the files are of, where that of the series is an aligned one.

    Raises
    ------
    InputError
        If the defocus of a tilt is missing or cannot be right, is of other tilts, or two estimates differ.
    """
    if options.ctf == "none" and options.defocus_um is None:
        return series
    readers = [] if own is None or own.is_target else [lambda: own.to_series(_rows(series))]
    readers += [_make_reader(file, series, raw_stack) for file in beside]
    if options.defocus_um is not None or isinstance(options.ctf, Path):
        named = _read_named(series, options)
        for read in readers if options.ctf != "none" else ():
            _warn_of_difference(named, read, series)
        return replace(series, ctf=named)
    estimates = [read() for read in readers]
    if estimates:
        for other in estimates[1:]:
            _refuse_difference(estimates[0], other, series)
        return replace(series, ctf=estimates[0])
    return series if own is None else replace(series, ctf=own.to_series(_rows(series)))


def read_ctf(path: Path) -> CtfTable:
    """Read a file of the contrast transfer, of whatever kind it is; its numbers are not checked yet.

    Parameters
    ----------
    path
        IMOD's `.defocus`, a text file of CTFFIND or AreTomo, RELION's table of one tilt-series, Warp's `.xml`, or an
        `.mdoc`.

    Raises
    ------
    InputError
        If it is absent, damaged, or has no defocus.
    """
    suffix = kind_suffix(path)
    if suffix == ".star":
        table = read_ctf_table(path)
    elif suffix == ".xml":
        table = read_warp_xml(path).ctf
    elif suffix == ".mdoc":
        table = read_mdoc(path).target_ctf
    elif suffix == SUFFIX or is_defocus_file(path):
        table = read_defocus(path)
    else:
        table = read_ctffind(path)
    if table is None:
        raise InputError(f"{path} has no defocus of the tilts; estimate it, or {REMEDY}")
    return table


def _read_named(series: TiltSeries, options: SeriesOptions) -> SeriesCtf:
    if options.defocus_um is None:
        assert isinstance(options.ctf, Path)
        return _fit(read_ctf(options.ctf), series)
    if isinstance(options.ctf, Path):
        raise InputError(f"both a file ({options.ctf}) and a number give the defocus; give one of them")
    if not SMALLEST_UM <= options.defocus_um <= LARGEST_UM:
        raise InputError(
            f"a defocus of {options.defocus_um:g} µm is impossible; give {SMALLEST_UM:g} to {LARGEST_UM:g} µm, "
            "underfocus positive"
        )
    return SeriesCtf((Defocus(options.defocus_um),) * len(series.images), "defocus_um")


def list_beside(stack: Path) -> list[Path]:
    """List the CTF files of a stack's name, those that are believed before others first."""
    files = (find_beside(stack, (ending,)) for ending in CTF_ENDINGS)
    return list(dict.fromkeys(file for file in files if file is not None))


def _make_reader(file: Path, series: TiltSeries, raw_stack: Path | None) -> Callable[[], SeriesCtf]:
    def read() -> SeriesCtf:
        ctf = _fit(read_ctf(file), series)
        return ctf if raw_stack is None else _turn_as_aligned(ctf, series, raw_stack)

    return read


def _turn_as_aligned(ctf: SeriesCtf, series: TiltSeries, raw_stack: Path) -> SeriesCtf:
    """Turn the astigmatism of raw images as the transforms have turned the images themselves."""
    if not any(tilt.astigmatism_um for tilt in ctf.defocus):
        return ctf
    file = find_beside(raw_stack, (".xf",))
    sections = [section for _, section in series.images]
    transforms = None if file is None else read_transforms(file)
    if transforms is None or len(transforms) <= max(sections):
        warnings.warn(
            f"{series.images[0][0].path} is an aligned stack, and no .xf of its raw stack says how its images were "
            f"turned; the angles of astigmatism in {ctf.source} are used as they are",
            stacklevel=5,
        )
        return ctf
    return ctf.turn(Alignment.from_transforms(transforms[sections], series.shape[1:]).turns_deg)


def _rows(series: TiltSeries) -> NDArray[np.intp]:
    return np.arange(len(series.images)) if series.rows is None else series.rows


def _fit(table: CtfTable, series: TiltSeries) -> SeriesCtf:
    """Find each tilt of a series in a file, by its number in the stack, or else by its angle."""
    tilts = series.list_tilts()
    rows = _rows(series)
    find = _find_by_angle if table.views is None else _find_by_view
    return table.to_series(find(table, tilts, rows))


def _find_by_view(table: CtfTable, tilts: TiltList, rows: NDArray[np.intp]) -> list[int]:
    assert table.views is not None
    numbers = np.array(tilts.numbers)
    last = int(table.views.max())
    if last > numbers.max() or (table.is_complete and len(table) != len(tilts)):
        has = f"{len(table)} tilts" if table.is_complete else f"view {last}"
        raise InputError(
            f"{table.path} has the defocus of {has}, and {tilts.stack or tilts.source} has {len(tilts)} tilts; {REMEDY}"
        )
    position = {int(view): row for row, view in enumerate(table.views)}
    missing = [int(row) for row in rows if int(numbers[row]) not in position]
    if missing:
        raise InputError(
            f"{table.path} has no defocus of {len(missing)} of {len(rows)} tilts, {tilts.describe(missing[0])} first; "
            f"estimate it, leave the tilts out, or {REMEDY}"
        )
    found = [position[int(numbers[row])] for row in rows]
    _compare_angles(table, tilts, found, rows)
    return found


def _compare_angles(table: CtfTable, tilts: TiltList, found: Sequence[int], rows: NDArray[np.intp]) -> None:
    """Refuse a file whose views have other angles than those of the stack, of whichever sign."""
    if table.tilt_angles is None:
        return
    ours, theirs = tilts.tilt_angles[rows], table.tilt_angles[list(found)]
    apart = min((np.abs(ours - sign * theirs) for sign in (1, -1)), key=lambda d: np.nanmax(d, initial=0))
    if np.nanmax(apart, initial=0) > _SAME_TILT_DEG:
        tilt = int(np.nanargmax(apart))
        theirs_as_ours = theirs[tilt] * (-1 if tilts.is_stage else 1)
        raise InputError(
            f"{table.path}, {table.places[found[tilt]]}: the defocus is of a tilt at {theirs_as_ours + 0.0:g}°, and "
            f"the tilt is {tilts.describe(int(rows[tilt]))}; {REMEDY}"
        )


def _find_by_angle(table: CtfTable, tilts: TiltList, rows: NDArray[np.intp]) -> list[int]:
    assert table.tilt_angles is not None
    apart = np.abs(tilts.tilt_angles[rows][:, None] - table.tilt_angles[None, :])
    found = apart.argmin(axis=1)
    if (
        apart.min(axis=1).max() > _SAME_TILT_DEG
        or np.unique(found).size < found.size
        or len(table) < len(rows)
    ):
        tilt = int(apart.min(axis=1).argmax())
        raise InputError(
            f"{table.path} has the defocus of {len(table)} tilts, and none of them alone is the nearest to "
            f"{tilts.describe(int(rows[tilt]))} ({len(rows)} tilts are used); {REMEDY}"
        )
    return found.tolist()


def _find_worst(one: SeriesCtf, other: SeriesCtf) -> tuple[int, float]:
    """Return the tilt in which two sources differ most, and the share."""
    a, b = (np.array([tilt.mean_um for tilt in ctf.defocus]) for ctf in (one, other))
    shares = np.abs(a - b) / np.minimum(np.abs(a), np.abs(b))
    worst = int(np.argmax(shares))
    return worst, float(shares[worst])


def _describe_difference(one: SeriesCtf, other: SeriesCtf, tilt: int, series: TiltSeries) -> str:
    values = [f"{ctf.defocus[tilt].mean_um:.4g} µm in {ctf.source}" for ctf in (one, other)]
    return f"the defocus of {series.describe_tilt(tilt)} is {values[0]} and {values[1]}"


def _refuse_difference(one: SeriesCtf, other: SeriesCtf, series: TiltSeries) -> None:
    tilt, share = _find_worst(one, other)
    if share > LARGEST_DIFFERENCE:
        raise InputError(f"{_describe_difference(one, other, tilt, series)}, {share:.0%} apart; {REMEDY}")


def _warn_of_difference(named: SeriesCtf, read: Callable[[], SeriesCtf], series: TiltSeries) -> None:
    """Warn where a file differs from what the user gives; one that cannot be used contradicts nobody."""
    try:
        other = read()
    except InputError:
        return
    tilt, share = _find_worst(named, other)
    if share > LARGEST_DIFFERENCE:
        warnings.warn(
            f"{_describe_difference(named, other, tilt, series)}; the first is used, as given", stacklevel=4
        )
