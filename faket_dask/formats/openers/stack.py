"""Stacks in MRC files, with their angles in a file beside them, in their own extended header, or from the user.

Each fact has an order of sources, the same however a series is named: angles are the user's, else those of a `.tlt`
(which an alignment refined), `.rawtlt`, `.mdoc`, SHREC's alignment file, or the stack's extended header; the pixel
size is the user's, else the stack's own, else the `.mdoc`'s; tilt axis, exposures and order of acquisition are the
`.mdoc`'s; defocus is the user's, else that of a CTF file beside the stack, else the `.mdoc`'s target. Sources are
compared with each other, and a warning says which is believed where they disagree.
"""

from __future__ import annotations

import warnings
from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.errors import InputError
from faket_dask.formats.angle_agreement import SAME_ANGLE_DEG, Agreement, assign_sections
from faket_dask.formats.aretomo import AreTomoAlignment
from faket_dask.formats.compression import kind_suffix
from faket_dask.formats.ctf_table import CtfTable
from faket_dask.formats.imod import read_angles
from faket_dask.formats.mdoc import Mdoc, read_mdoc
from faket_dask.formats.mdoc_sections import find_axis_angle
from faket_dask.formats.mrc import STACK_SUFFIXES, MrcStack, open_stack
from faket_dask.formats.openers.aligned_stacks import find_raw_name, is_transformed
from faket_dask.formats.openers.aretomo import (
    SUFFIX,
    apply_alignment,
    find_alignment,
    find_dark,
    find_stack,
    list_tilts,
    read_fitting_alignment,
)
from faket_dask.formats.openers.ctf_sources import add_ctf, list_beside
from faket_dask.formats.openers.etomo import EtomoNotes, read_notes
from faket_dask.formats.openers.listed_tilts import (
    ListedTilts,
    check_count,
    list_mdoc,
    list_stated,
    make_series,
)
from faket_dask.formats.openers.mdoc_matching import match_angle_file, match_recorded_angles
from faket_dask.formats.openers.series_format import (
    SeriesFormat,
    SeriesOptions,
    Sign,
    add_transforms,
    find_beside,
)
from faket_dask.formats.openers.tomograms import list_stacks
from faket_dask.formats.shrec import ALIGNMENT_FILE
from faket_dask.formats.tilt_list import TiltList
from faket_dask.formats.tilt_series import TiltSeries

_REFINED_DEG = 3.0
"""Largest change of an angle by an alignment that needs no word."""

TILT_TABLE = "_TLT.txt"
"""Ending of AreTomo3's table of the tilts of a stack."""

ANGLE_ENDINGS = (".tlt", ".rawtlt", TILT_TABLE)
"""Endings of the angle files of a stack's name; each goes before those after it."""

MDOC_ENDINGS = (".mdoc", *(f"{suffix}.mdoc" for suffix in STACK_SUFFIXES))
"""Endings of the `.mdoc` of a stack's name; the first goes before the others."""


class MissingAnglesError(InputError):
    """Stack whose tilt angles neither the user nor a file beside it gives."""


def open_stack_series(path: Path, options: SeriesOptions, mdoc_file: Path | None = None) -> TiltSeries:
    """Open a stack, with what the user and the files of its name say about it.

    Parameters
    ----------
    path
        Stack.
    options
        Arguments of the user.
    mdoc_file
        Its `.mdoc`; by default that of its name, if there is one.

    Raises
    ------
    MissingAnglesError
        If there are no angles.
    InputError
        If a file is absent or damaged, or angles and transforms do not fit the stack.
    """
    given = options.tilt_angles
    if isinstance(given, Path) and kind_suffix(given) == ".mdoc":
        mdoc_file, angles = given, None
    else:
        mdoc_file = mdoc_file or find_by_name(path, MDOC_ENDINGS)
        angles = find_by_name(path, ANGLE_ENDINGS) if given is None else given
    shrec = path.with_name(ALIGNMENT_FILE)
    if angles is None and mdoc_file is None and shrec.is_file():
        angles = shrec
    mdoc = _read_mdoc(mdoc_file, needed=angles is None)
    stated = None if mdoc is None or mdoc.pixel_size_A is None else (mdoc.path, mdoc.pixel_size_A)
    stack = open_stack(path, pixel_size_A=options.pixel_size_A, stated=stated)
    alignment, notes = _choose_alignment(path, stack, options.transforms), read_notes(path)
    axis = None if _is_aligned(stack) else _tilt_axis(stack, mdoc)
    if angles is not None:
        listed = _list_with_angles(stack, angles, options, explicit=given is not None)
        if isinstance(angles, Path) and given is None:
            _compare_angle_files(path, angles)
        listed = listed if mdoc is None else _add_exposures(listed, mdoc)
    elif mdoc is not None:
        listed = list_mdoc(mdoc, match_recorded_angles(mdoc, stack), path)
    else:
        listed = _list_recorded(stack, alignment, options.sign)

    def find_left_out(tilts: TiltList) -> NDArray[np.bool_]:
        excluded = options.exclusion.find(tilts) | notes.find(tilts)
        return excluded if alignment is None else excluded | find_dark(alignment, tilts)

    series = make_series(listed, lambda section: (stack, section), find_left_out, axis)
    if alignment is not None:
        series = apply_alignment(series, alignment, options.sign)
    else:
        series = _add_notes(_align_once(series, stack, options.transforms), notes)
    return _add_ctf(series, options, listed.ctf, path)


def _add_ctf(series: TiltSeries, options: SeriesOptions, own: CtfTable | None, path: Path) -> TiltSeries:
    """Add the contrast transfer, from files of the stack's name, or else of its raw stack's."""
    raw = find_raw_name(path)
    if raw is None:
        return add_ctf(series, options, own, list_beside(path))
    raw_stack = path.with_name(raw)
    of_raw = list_beside(raw_stack)
    of_aligned = [file for file in list_beside(path) if file not in of_raw]
    if of_aligned:
        return add_ctf(series, options, own, of_aligned)
    return add_ctf(series, options, own, of_raw, raw_stack)


def _choose_alignment(path: Path, stack: MrcStack, transforms: Path | None) -> AreTomoAlignment | None:
    """Read the `.aln` that the user names, or the one beside the stack where there is no `.xf`."""
    if transforms is not None:
        return read_fitting_alignment(transforms, stack, True) if kind_suffix(transforms) == SUFFIX else None
    file = None if _is_aligned(stack) else find_alignment(path)
    if file is None:
        return None
    if (other := find_beside(path, (".xf",))) is not None:
        warnings.warn(f"{other} and {file} both align {path}; the .xf is taken", stacklevel=4)
        return None
    return read_fitting_alignment(file, stack, False)


def _add_notes(series: TiltSeries, notes: EtomoNotes) -> TiltSeries:
    """Add the steps of etomo that are not applied; of a stack that is aligned already they are said at once."""
    unapplied = notes.unapplied
    source = series.list_tilts().source
    if notes.angle_offset_deg and isinstance(source, Path) and kind_suffix(source) == ".rawtlt":
        unapplied += (
            f"the alignment of {series.images[0][0].path} adds {notes.angle_offset_deg:g}° to all tilt angles "
            f"(AngleOffset in align.com), which are taken from {source}; give the .tlt",
        )
    if series.transforms is None and series.geometry.is_aligned:
        for sentence in unapplied:
            warnings.warn(sentence, stacklevel=4)
        return series
    return replace(series, unapplied=unapplied)


def find_by_name(
    path: Path, endings: Sequence[str], *, present: Container[Path] = (), absent: Container[Path] = ()
) -> Path | None:
    """Find a file of a stack's name, or of the raw stack's where it is an aligned one.

    Parameters
    ----------
    path
        Stack.
    endings, present, absent
        As for `faket_dask.formats.openers.series_format.find_beside`.
    """
    raw = find_raw_name(path)
    names = (path,) if raw is None else (path, path.with_name(raw))
    files = (find_beside(name, endings, present=present, absent=absent) for name in names)
    return next((file for file in files if file is not None), None)


def _read_mdoc(path: Path | None, *, needed: bool) -> Mdoc | None:
    if path is None:
        return None
    try:
        return read_mdoc(path)
    except InputError as error:
        if needed:
            raise
        warnings.warn(f"{error}; the angles are from elsewhere, and this file is not used", stacklevel=4)
        return None


def _is_aligned(stack: MrcStack) -> bool:
    return find_raw_name(stack.path) is not None or is_transformed(stack.header.labels)


def _tilt_axis(stack: MrcStack, mdoc: Mdoc | None) -> float | None:
    place, axis = f"a title of {stack.path}", find_axis_angle(stack.header.labels)
    if axis is None:
        place, axis = f"the extended header of {stack.path}", stack.header.extended.tilt_axis_angle_deg
    if mdoc is None:
        return axis
    return mdoc.tilt_axis_angle(None if axis is None else (place, axis))


def _list_recorded(stack: MrcStack, alignment: AreTomoAlignment | None, sign: Sign) -> ListedTilts:
    """List the tilts by the angles in the extended header, or by those that only an alignment has."""
    recorded = stack.header.extended.tilt_angles
    if recorded is not None:
        source = f"the extended header of {stack.path}"
        angles = np.array(recorded, dtype=np.float64)
        return ListedTilts(
            TiltList.in_order(source, angles, is_stage=True, place="section", stack=stack.path)
        )
    if alignment is not None:
        return ListedTilts(list_tilts(alignment, stack.path, sign))
    raise MissingAnglesError(
        f"no tilt angles for {stack.path}: write `tilt_angles` (a list or a file), or put "
        f"{stack.path.stem}.tlt beside it"
    )


def _list_with_angles(
    stack: MrcStack, tilt_angles: Path | ArrayLike, options: SeriesOptions, *, explicit: bool
) -> ListedTilts:
    listed = list_stated(tilt_angles, options.sign, stack.path)
    check_count(listed, stack.shape[0], stack.path)
    recorded = stack.header.extended.tilt_angles
    if recorded is None or len(recorded) != len(listed.tilts):
        return listed
    refined = isinstance(tilt_angles, Path) and kind_suffix(tilt_angles) == ".tlt"
    return _compare_with_recorded(listed, -np.array(recorded), stack.path, explicit=explicit, refined=refined)


def _compare_with_recorded(
    listed: ListedTilts,
    recorded: NDArray[np.float64],
    stack: Path,
    *,
    explicit: bool,
    refined: bool,
) -> ListedTilts:
    """Compare stated angles with those in the extended header; bring them to its order where they are the same."""
    stated, source = listed.tilt_angles, listed.tilts.source
    assigned = assign_sections(stated, recorded)
    agreement = assigned.agreement
    apart = np.abs(stated - recorded)
    header = f"those in the extended header of {stack}"
    if agreement is Agreement.EQUAL:
        return listed
    if agreement is Agreement.SAME_ORDER:
        if apart.max() > (_REFINED_DEG if refined else SAME_ANGLE_DEG):
            warnings.warn(
                f"the angles in {source} differ from {header} by up to {apart.max():.3g}°; those in {source} are used",
                stacklevel=5,
            )
        return listed
    if agreement is Agreement.OPPOSITE_SIGN:
        warnings.warn(
            f"the angles in {source} have the opposite sign of {header}; those in {source} are used: if the tomogram "
            "is mirrored, read them with the other sign (angle_sign in a run file, or --sign)",
            stacklevel=5,
        )
        return listed
    if agreement is Agreement.OTHER_ORDER and not explicit:
        warnings.warn(
            f"the angles in {source} are in another order than {header}; the header's order is used",
            stacklevel=5,
        )
        return listed.reorder(assigned.places)
    section = int(np.argmax(apart))
    difference = (
        f"the angles in {source} do not fit {header} (view {section + 1}, counted from 1: {-stated[section]:g}° and "
        f"{-recorded[section]:g}° with the stage's sign)"
    )
    if not explicit:
        raise InputError(f"{difference}; name the right file of angles")
    warnings.warn(f"{difference}; those in {source} are used, as given", stacklevel=5)
    return listed


def _compare_angle_files(path: Path, believed: Path) -> None:
    """Warn where a `.rawtlt` beside a `.tlt` cannot be of the same tilts."""
    other = find_by_name(path, (".rawtlt",))
    if other is None or kind_suffix(believed) != ".tlt":
        return
    try:
        refined, raw = read_angles(believed), read_angles(other)
    except InputError:
        return
    agreement = assign_sections(refined, raw).agreement
    if refined.size != raw.size:
        difference = f"has {raw.size} angles, and {believed} {refined.size}"
    elif agreement is Agreement.OPPOSITE_SIGN:
        difference = f"has the angles of {believed} with the opposite sign"
    elif agreement is Agreement.OTHER_ORDER:
        difference = f"has the angles of {believed} in another order"
    else:
        return
    warnings.warn(f"{other} {difference}; {believed} is used", stacklevel=4)


def _add_exposures(listed: ListedTilts, mdoc: Mdoc) -> ListedTilts:
    """Add the exposures and the order of acquisition of an `.mdoc` to tilts whose angles are from elsewhere."""
    places = match_angle_file(mdoc, -listed.tilt_angles, listed.tilts.source)
    return listed if places is None else listed.with_exposures(mdoc, places)


def _align_once(series: TiltSeries, stack: MrcStack, transforms: Path | None) -> TiltSeries:
    """Add the transforms of a stack, unless they are those that made it."""
    if not _is_aligned(stack):
        return add_transforms(series, stack.path, transforms)
    named = find_raw_name(stack.path) is not None
    reason = "by its name" if named else "by a title in its header (newstack: transformed)"
    if transforms is not None:
        warnings.warn(
            f"{stack.path} is an aligned stack {reason}; {transforms} is used, as given, and would align it twice "
            "if it is the transform that made it",
            stacklevel=4,
        )
        return add_transforms(series, stack.path, transforms)
    beside = find_beside(stack.path, (".xf",))
    if beside is not None and not named:
        warnings.warn(
            f"{stack.path} is an aligned stack {reason}, so {beside} is not applied; give it as the transforms if the "
            "stack is not aligned",
            stacklevel=4,
        )
    return series


def _open_alignment(path: Path, options: SeriesOptions) -> TiltSeries:
    """Open the stack of an `.aln`, aligned by it."""
    if options.transforms is not None:
        raise InputError(f"{path} is an alignment itself; name the stack to align it by {options.transforms}")
    return open_stack_series(find_stack(path), replace(options, transforms=path))


def _find_stacks(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Return the MRC files of a folder that are no tomograms."""
    return list_stacks(files)


def _find_none(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Return nothing: a folder with an `.aln` has the stack of it, too."""
    return []


STACK = SeriesFormat(STACK_SUFFIXES, _find_stacks, open_stack_series)
ARETOMO = SeriesFormat((SUFFIX,), _find_none, _open_alignment)
