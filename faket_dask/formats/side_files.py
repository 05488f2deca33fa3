"""Files that belong to a stack by their names, and the harm that a new stack among them would do.

A stack is read with the side files of its name. So a new stack could be read with an old angle file, and an old stack,
or an `.mdoc`, with new files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from faket_dask.formats.compression import kind_suffix
from faket_dask.formats.mrc import STACK_SUFFIXES
from faket_dask.formats.openers.aligned_stacks import find_raw_name
from faket_dask.formats.openers.ctf_sources import CTF_ENDINGS
from faket_dask.formats.openers.mdoc import list_named_stacks
from faket_dask.formats.openers.stack import ANGLE_ENDINGS, MDOC_ENDINGS, find_by_name
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.outputs.record import OutputRecord, Owner, absolute

_SIDE_FILES = {
    "tilt angles": ANGLE_ENDINGS,
    "metadata": MDOC_ENDINGS,
    "alignment": (".xf",),
    "contrast transfer": CTF_ENDINGS,
}
_ADVICE = "choose another name for the output, or another folder"


def list_series_files(series: TiltSeries, named: Iterable[Path] = ()) -> list[Path]:
    """List the images and the CTF file of a series, the files that the user named, and all of the name of one of these.

    Parameters
    ----------
    series
        Recorded tilt-series.
    named
        Stack, `.mdoc`, angle file or whatever else the series was opened by.
    """
    ctf_files = [] if series.ctf is None else [Path(series.ctf.source)]
    files = {absolute(path) for path in (*named, *(stack.path for stack, _ in series.images))}
    files |= {absolute(path) for path in ctf_files if path.is_file()}
    folders: dict[Path, set[str]] = {}
    for path in files:
        for name in (path.name, find_raw_name(path) or path.name):
            folders.setdefault(path.parent, set()).add(name.split(".")[0])
    return [
        entry
        for folder, stems in folders.items()
        for entry in folder.iterdir()
        if entry in files or entry.name.split(".")[0] in stems
    ]


def list_misreadings(
    target: Path, side_files: Sequence[Path] = (), obsolete: Sequence[Path] = (), *, is_series: bool = True
) -> list[str]:
    """Explain how a new file would be read wrong, or would cause files that are there to be.

    Parameters
    ----------
    target
        Stack or volume to be written.
    side_files
        Files that will be written beside it.
    obsolete
        Files beside it that will be removed if they are this program's.
    is_series
        True if the target is a tilt-series, which is read with the side files of its name.

    Returns
    -------
    misreadings
        A line for each.
    """
    target = absolute(target)
    new = {target, *map(absolute, side_files)}
    removed = {
        absolute(path) for path in obsolete if OutputRecord.beside(path).find_owner(path) is Owner.PROGRAM
    }
    misreadings = []
    for what, suffixes in _SIDE_FILES.items() if is_series else ():
        file = find_by_name(target, suffixes, present=new, absent=removed)
        if file is not None and file not in new:
            misreadings.append(f"{file} would be read as the {what} of {target}; {_ADVICE}")
    if any(path.suffix == ".xf" for path in side_files) and find_raw_name(target) is not None:
        misreadings.append(f"{target} would be taken for an aligned stack, and is none; {_ADVICE}")
    others = target.parent.iterdir() if target.parent.is_dir() else ()
    for other in sorted(path for path in others if path not in new):
        for what, suffixes in _SIDE_FILES.items() if kind_suffix(other) in STACK_SUFFIXES else ():
            file = find_by_name(other, suffixes, present=new)
            if file in new:
                misreadings.append(f"{file} would be read as the {what} of {other}; {_ADVICE}")
        if kind_suffix(other) == ".mdoc":
            stacks = (stack for stack in list_named_stacks(other) if stack == target or stack.is_file())
            if next(stacks, None) == target:
                misreadings.append(f"{target} would be read as the images of {other}; {_ADVICE}")
    return misreadings
