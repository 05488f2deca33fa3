"""Alignments by AreTomo of stacks beside them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.aretomo import AreTomoAlignment, read_aln
from faket_dask.formats.mrc import STACK_SUFFIXES, MrcStack
from faket_dask.formats.openers.series_format import Sign, find_beside
from faket_dask.formats.tilt_list import TiltList, warn_rejected
from faket_dask.formats.tilt_series import TiltSeries

SUFFIX = ".aln"
_LARGEST_CHANGE_DEG = 2.0
"""Change of a tilt angle by an alignment, besides an offset of all of them, above which it is of another tilt."""


def find_alignment(stack: Path) -> Path | None:
    """Find the `.aln` of a stack: of its name, with or without ``_st``."""
    stem = stack.name.split(".")[0]
    other = stem.removesuffix("_st") if stem.endswith("_st") else f"{stem}_st"
    return find_beside(stack, (SUFFIX,)) or find_beside(stack.with_name(f"{other}{stack.suffix}"), (SUFFIX,))


def find_stack(alignment: Path) -> Path:
    """Find the stack of an `.aln`: of its name, with or without ``_st``.

    Raises
    ------
    InputError
        If there is none beside it.
    """
    name = alignment.name.removesuffix(SUFFIX)
    stems = (name, name.removesuffix("_st"), f"{name}_st")
    candidates = [alignment.with_name(name)] if Path(name).suffix in STACK_SUFFIXES else []
    candidates += [alignment.with_name(stem + suffix) for stem in stems for suffix in STACK_SUFFIXES]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise InputError(f"{alignment} has no stack beside it, such as {name}.mrc or {name}.st; put it there")


def read_fitting_alignment(path: Path, stack: MrcStack, is_named: bool) -> AreTomoAlignment | None:
    """Read an `.aln` that belongs to a stack.

    Parameters
    ----------
    path
        `.aln` file.
    stack
        Stack.
    is_named
        True if the user has named the file, False if it only lies beside the stack.

    Returns
    -------
    alignment
        ``None``, with a warning, where the file is of another stack and not named.

    Raises
    ------
    InputError
        If the file is damaged, or named and of another stack.
    """
    alignment = read_aln(path)
    if alignment.raw_shape == stack.shape:
        return alignment
    tilts, rows, columns = alignment.raw_shape
    problem = (
        f"{path} aligns a stack of {tilts} tilts of {columns} x {rows} pixels, and {stack.path} has "
        f"{stack.shape[0]} of {stack.shape[2]} x {stack.shape[1]}"
    )
    if is_named:
        raise InputError(f"{problem}; give the stack that AreTomo has aligned")
    warnings.warn(f"{problem}; it is not used", stacklevel=4)
    return None


def find_dark(alignment: AreTomoAlignment, tilts: TiltList) -> NDArray[np.bool_]:
    """Find the tilts that AreTomo took out as dark, and warn of them."""
    dark = alignment.is_dark[np.array(tilts.numbers) - 1]
    warn_rejected(tilts, dark, f"{alignment.path} (DarkFrame)")
    return dark


def list_tilts(alignment: AreTomoAlignment, stack: Path, sign: Sign) -> TiltList:
    """List the tilts of a stack whose angles only the alignment has."""
    tilts = TiltList.in_order(
        alignment.path, alignment.angles, is_stage=sign == "imod", place="line", stack=stack
    )
    return replace(tilts, places=alignment.places)


def apply_alignment(series: TiltSeries, alignment: AreTomoAlignment, sign: Sign) -> TiltSeries:
    """Return a series with the angles and transforms of an alignment.

    Parameters
    ----------
    series
        Series in the stack that was aligned.
    alignment
        Alignment.
    sign
        Sign of its angles.
    """
    sections = np.array([section for _, section in series.images])
    tilts = list_tilts(alignment, series.images[0][0].path, sign)
    unused = np.ones(len(tilts), dtype=np.bool_)
    unused[sections] = False
    chosen = tilts.choose(unused)
    position = {int(section): tilt for tilt, section in enumerate(sections)}
    order = np.array([position[int(section)] for section in chosen])
    angles = tilts.tilt_angles[chosen]
    _compare_angles(series, tilts, chosen, order)
    return replace(
        series,
        geometry=series.geometry.select(order, angles),
        images=tuple(series.images[tilt] for tilt in order),
        transforms=alignment.transforms[chosen],
        rows=None if series.rows is None else series.rows[order],
        unapplied=(*series.unapplied, *alignment.unapplied),
    )


def _compare_angles(
    series: TiltSeries, tilts: TiltList, chosen: NDArray[np.intp], order: NDArray[np.intp]
) -> None:
    """Warn where a tilt's angle is not the one that the series had, but for an offset of all of them."""
    change = tilts.tilt_angles[chosen] - series.geometry.tilt_angles[order]
    residual = np.abs(change - np.median(change))
    if residual.max() > _LARGEST_CHANGE_DEG:
        worst = int(np.argmax(residual))
        warnings.warn(
            f"{tilts.source} and the angles of the stack disagree: {series.describe_tilt(int(order[worst]))}, "
            f"has {tilts.angles[chosen[worst]]:g}° there; the .aln is believed",
            stacklevel=5,
        )
