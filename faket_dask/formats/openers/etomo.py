"""Notes of etomo in the command files beside a stack: views to leave out, and steps that are not applied here.

From the manual pages of IMOD's `tilt` and `tiltalign`: lists of views are counted from 1; ``EXCLUDELIST`` and
``EXCLUDELIST2`` of ``tilt.com`` are of the tomogram, ``ExcludeList`` of ``align.com`` is of the alignment, which then
has no transform for these views; ``OFFSET`` is an angle to add to all others and a shift of the tilt axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.command_file import read_options
from faket_dask.formats.exclusion import Exclusion
from faket_dask.formats.files import read_text
from faket_dask.formats.tilt_list import TiltList, warn_rejected

Options = Mapping[str, tuple[str, ...]]

_TILT = ("tilt.com", "tilta.com", "tiltb.com")
_ALIGN = ("align.com", "aligna.com", "alignb.com")
_HALF_PIXEL = 0.5
_ENDINGS = ("_ali", "_preali", "_st")


@dataclass(frozen=True)
class EtomoNotes:
    """Notes of etomo on a stack.

    Parameters
    ----------
    rejected
        Views to leave out, by the file and option that say so.
    unapplied
        Steps of the reconstruction that are not applied, one sentence each.
    angle_offset_deg
        Angle that the alignment adds to all angles of a `.rawtlt`, and which is in those of a `.tlt`.
    """

    rejected: Mapping[str, frozenset[int]]
    unapplied: tuple[str, ...]
    angle_offset_deg: float

    def find(self, tilts: TiltList) -> NDArray[np.bool_]:
        """Find the tilts to leave out, and warn of them.

        Parameters
        ----------
        tilts
            All tilts of the stack.
        """
        mask = np.zeros(len(tilts), dtype=np.bool_)
        for source, views in self.rejected.items():
            rejected = np.isin(tilts.numbers, sorted(views)) & ~mask
            warn_rejected(tilts, rejected, source)
            mask |= rejected
        return mask


def read_notes(stack: Path) -> EtomoNotes:
    """Read the command files beside a stack that are of this stack.

    Parameters
    ----------
    stack
        Stack, as it was recorded or aligned.

    Raises
    ------
    InputError
        If a list of views cannot be read.
    """
    rejected: dict[str, frozenset[int]] = {}
    unapplied: list[str] = []
    angle_offset = 0.0
    for path, options in _find_files(stack, _TILT, "tilt", ("INPUTPROJECTIONS",)):
        for option in ("EXCLUDELIST", "EXCLUDELIST2"):
            _add_views(rejected, path, option, options)
        unapplied += _list_unapplied(path, options)
    for path, options in _find_files(stack, _ALIGN, "tiltalign", ("IMAGEFILE", "MODELFILE")):
        _add_views(rejected, path, "EXCLUDELIST", options)
        angle_offset = _numbers(options, "ANGLEOFFSET")[0]
    return EtomoNotes(rejected, tuple(unapplied), angle_offset)


def _find_files(
    stack: Path, names: tuple[str, ...], program: str, keys: tuple[str, ...]
) -> list[tuple[Path, Options]]:
    """Find the command files that name a stack as their input."""
    files = []
    for path in (stack.with_name(name) for name in names):
        if not path.is_file():
            continue
        try:
            options = read_options(path, program)
        except InputError:  # a file of that name of some other program
            continue
        inputs = [word for key in keys for word in options.get(key, ())] or list(options)[:1]
        if any(_stem(word) == _stem(stack.name) for word in inputs):
            files.append((path, options))
    return files


def _add_views(rejected: dict[str, frozenset[int]], path: Path, option: str, options: Options) -> None:
    words = options.get(option, ())
    if not words:
        return
    try:
        views = Exclusion.parse(",".join(words).replace(",,", ",").strip(",")).views
    except InputError:
        raise InputError(
            f"{path}: {option} is {' '.join(words)[:60]!r}, which is no list of views; correct it"
        ) from None
    rejected[f"{path} ({option})"] = views


def _list_unapplied(path: Path, options: Options) -> list[str]:
    sentences = []
    angle, shift, *_ = (*_numbers(options, "OFFSET"), 0.0, 0.0)
    if angle:
        sentences.append(f"{path} adds {angle:g}° to all tilt angles (OFFSET), which is not applied")
    if abs(shift) > _HALF_PIXEL:
        sentences.append(f"{path} moves the tilt axis by {shift:g} pixels (OFFSET), which is not applied")
    if tilt := _numbers(options, "XAXISTILT")[0]:
        sentences.append(f"{path} turns the specimen by {tilt:g}° about x (XAXISTILT), which is not applied")
    for name in options.get("XTILTFILE", ()):
        largest = _largest_number(path.with_name(name))
        if largest:
            sentences.append(
                f"{path} has tilts about x of up to {largest:g}° in {name}, which are not applied"
            )
    for option, what in (("LOCALFILE", "a local alignment"), ("ZFACTORFILE", "factors for z")):
        if name := " ".join(options.get(option, ())):
            sentences.append(f"{path} has {what} in {name} ({option}), which is not applied")
    return sentences


def _numbers(options: Options, option: str) -> tuple[float, ...]:
    """Return the numbers of an option; 0 where it has none."""
    try:
        return tuple(float(word) for word in ",".join(options.get(option, ())).split(",") if word) or (0.0,)
    except ValueError:
        return (0.0,)


def _largest_number(path: Path) -> float:
    try:
        return max(
            (abs(float(word)) for word in read_text(path, "file of tilts about x").split()), default=0.0
        )
    except (InputError, ValueError):
        return 0.0


def _stem(name: str) -> str:
    stem = name.split("/")[-1].split(".")[0].lower()
    for ending in _ENDINGS:
        stem = stem.removesuffix(ending)
    return stem
