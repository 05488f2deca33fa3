"""Stacks in MRC files, with their angles in a file beside them or from the user."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.aretomo import TILT_TABLE, AreTomoAlignment
from faket_dask.formats.mrc import STACK_SUFFIXES, MrcStack, open_stack
from faket_dask.formats.openers.aretomo import (
    SUFFIX,
    apply_alignment,
    find_alignment,
    find_dark,
    find_stack,
    list_tilts,
    read_fitting_alignment,
)
from faket_dask.formats.openers.etomo import EtomoNotes, read_notes
from faket_dask.formats.openers.mdoc import open_mdoc
from faket_dask.formats.openers.series_format import (
    SeriesFormat,
    SeriesOptions,
    add_transforms,
    find_beside,
    find_by_suffix,
    make_series,
    sort_images,
)
from faket_dask.formats.shrec import ALIGNMENT_FILE
from faket_dask.formats.tilt_list import FindLeftOut, TiltList
from faket_dask.formats.tilt_series import TiltSeries

ANGLE_FILES = (".tlt", ".rawtlt", TILT_TABLE, ".mdoc")
"""Endings of the names of files with the angles of a stack, the most refined ones first."""


class MissingAnglesError(InputError):
    """Stack whose tilt angles neither the user nor a file beside it gives."""


def open_stack_series(path: Path, options: SeriesOptions) -> TiltSeries:
    """Open a stack, with the angles that the user gives or that a file of its name has.

    Raises
    ------
    MissingAnglesError
        If there are no angles.
    InputError
        If a file is absent or damaged, or angles and transforms do not fit the stack.
    """
    stack = open_stack(path, pixel_size_A=options.pixel_size_A)
    alignment = _choose_alignment(path, stack, options.transforms)
    notes = read_notes(path)

    def find_left_out(tilts: TiltList) -> NDArray[np.bool_]:
        excluded = options.exclusion.find(tilts) | notes.find(tilts)
        return excluded if alignment is None else excluded | find_dark(alignment, tilts)

    series = _open_with_angles(path, stack, options, alignment, find_left_out)
    if alignment is not None:
        return apply_alignment(series, alignment, options.sign)
    return _add_notes(add_transforms(series, path, options.transforms), notes)


def _add_notes(series: TiltSeries, notes: EtomoNotes) -> TiltSeries:
    """Add the steps of etomo that are not applied; of a stack that is aligned already they are said at once."""
    unapplied = notes.unapplied
    source = series.list_tilts().source
    if notes.angle_offset_deg and isinstance(source, Path) and source.suffix == ".rawtlt":
        unapplied += (
            f"the alignment of {series.images[0][0].path} adds {notes.angle_offset_deg:g}° to all tilt angles "
            f"(AngleOffset in align.com), which are taken from {source}; give the .tlt",
        )
    if series.transforms is None and series.geometry.is_aligned:
        for sentence in unapplied:
            warnings.warn(sentence, stacklevel=4)
        return series
    return replace(series, unapplied=unapplied)


def _choose_alignment(path: Path, stack: MrcStack, transforms: Path | None) -> AreTomoAlignment | None:
    """Read the `.aln` that the user names, or the one beside the stack where there is no `.xf`."""
    if transforms is not None:
        return read_fitting_alignment(transforms, stack, True) if transforms.suffix == SUFFIX else None
    file = find_alignment(path)
    if file is None:
        return None
    if (other := find_beside(path, (".xf",))) is not None:
        warnings.warn(f"{other} and {file} both align {path}; the .xf is taken", stacklevel=4)
        return None
    return read_fitting_alignment(file, stack, False)


def _open_with_angles(
    path: Path,
    stack: MrcStack,
    options: SeriesOptions,
    alignment: AreTomoAlignment | None,
    find_left_out: FindLeftOut,
) -> TiltSeries:
    """Open a stack with the angles that the user gives, of a file of its name, or of its alignment."""
    angles = options.tilt_angles
    images = [(stack, section) for section in range(stack.shape[0])]
    if angles is None:
        shrec = path.with_name(ALIGNMENT_FILE)
        angles = find_beside(path, ANGLE_FILES) or (shrec if shrec.is_file() else None)
    if angles is None and alignment is not None:
        return make_series(images, list_tilts(alignment, path, options.sign), find_left_out)
    if angles is None:
        raise MissingAnglesError(
            f"no tilt angles for {path}: write `tilt_angles` (a list or a file), or put "
            f"{path.stem}.tlt beside it"
        )
    if isinstance(angles, Path) and angles.suffix == ".mdoc":
        return open_mdoc(angles, stack, options.pixel_size_A, find_left_out)
    return sort_images(path, images, angles, options.sign, find_left_out)


def _open_alignment(path: Path, options: SeriesOptions) -> TiltSeries:
    """Open the stack of an `.aln`, aligned by it."""
    if options.transforms is not None:
        raise InputError(f"{path} is an alignment itself; name the stack to align it by {options.transforms}")
    return open_stack_series(find_stack(path), replace(options, transforms=path))


def _find_none(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Return nothing: a folder with an `.aln` has the stack of it, too."""
    return []


STACK = SeriesFormat(STACK_SUFFIXES, find_by_suffix(*STACK_SUFFIXES), open_stack_series)
ARETOMO = SeriesFormat((SUFFIX,), _find_none, _open_alignment)
