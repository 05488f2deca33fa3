"""Alignments of stacks by AreTomo, AreTomo2 and AreTomo3, `.aln`.

Meaning of the fields, from AreTomo3's source (``CSaveAlignFile``, ``CLoadAlignFile``, ``CSaveXF``,
``GCorrPatchShift``): the pixel ``p`` of an aligned tilt lies at ``R(ROT) p + (TX, TY)`` in the recorded one, both from
the middle of the image as IMOD has it, ``R`` counter-clockwise with y up; ``TILT`` has the sign of the angles that
AreTomo was given and contains ``AlphaOffset``; ``GMAG`` is always 1. ``SEC`` and the second number of a ``DarkFrame``
are sections of the recorded stack, from 1 (AreTomo3) or from 0 (AreTomo, AreTomo2); early releases of AreTomo3 counted
the tilts that are left once the dark ones are taken out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.files import read_text

_COLUMNS = "ten numbers (SEC ROT GMAG TX TY SMEAN SFIT SCALE BASE TILT)"


@dataclass(frozen=True, eq=False)
class AreTomoAlignment:
    """Alignment of a stack by AreTomo.

    Parameters
    ----------
    path
        File.
    raw_shape
        Tilts, rows and columns of the recorded stack.
    angles
        ``(section,)`` tilt angle of each section of the stack, dark ones too, in degrees.
    is_dark
        ``(section,)`` True for those that AreTomo took out as dark.
    places
        ``(section,)`` line of the file that each comes from.
    transforms
        ``(section, 2, 3)`` alignment as `faket_dask.formats.imod.read_transforms` returns it; without shift and
        rotation where it is dark.
    unapplied
        Parts of the alignment that are not in the transforms, one sentence each.
    """

    path: Path
    raw_shape: tuple[int, int, int]
    angles: NDArray[np.float64]
    is_dark: NDArray[np.bool_]
    places: tuple[str, ...]
    transforms: NDArray[np.float64]
    unapplied: tuple[str, ...]


def read_aln(path: Path) -> AreTomoAlignment:
    """Read the alignment of a stack.

    Parameters
    ----------
    path
        `.aln` file.

    Raises
    ------
    InputError
        If the file is absent, not of AreTomo, a line is damaged, or its sections are not those of a stack.
    """
    header: dict[str, str] = {}
    dark: list[tuple[int, int, int, float]] = []
    tilts: list[tuple[int, NDArray[np.float64]]] = []
    is_local = False
    for number, text in enumerate(read_text(path, "alignment file").splitlines(), start=1):
        line = text.strip()
        if line.startswith("#"):
            key, _, value = line.lstrip("# ").partition("=")
            if key.strip() == "DarkFrame":
                frame, section, angle = _numbers(path, number, value, 3, "three numbers (DarkFrame = …)")
                dark.append((number, int(frame), int(section), float(angle)))
            elif key.startswith("Local Alignment"):
                is_local = True
            elif value:
                header[key.strip()] = value.strip()
        elif line and not is_local:
            tilts.append((number, _numbers(path, number, line, 10, _COLUMNS)))
    if not tilts or "RawSize" not in header:
        raise InputError(f"{path} is no alignment of AreTomo (no RawSize, or no tilts); name its .aln")
    columns, rows, count = (
        int(n) for n in _numbers(path, None, header["RawSize"], 3, "three numbers (RawSize = …)")
    )
    values = np.array([row for _, row in tilts])
    aligned, dark_sections = _find_sections(path, [int(row[0]) for _, row in tilts], dark, count)
    angles, is_dark = np.zeros(count), np.zeros(count, dtype=np.bool_)
    transforms = np.zeros((count, 2, 3)) + np.eye(2, 3)
    places = [""] * count
    for section, (number, row) in zip(aligned, tilts, strict=True):
        angles[section], places[section] = row[9], f"line {number}"
        phi = np.deg2rad(-row[1])
        turn = np.array([[np.cos(phi), -np.sin(phi)], [np.sin(phi), np.cos(phi)]])
        transforms[section] = np.column_stack((turn, -turn @ row[3:5]))
    for section, (number, _, _, angle) in zip(dark_sections, dark, strict=True):
        angles[section], places[section], is_dark[section] = angle, f"line {number}", True
    return AreTomoAlignment(
        path,
        (count, rows, columns),
        angles,
        is_dark,
        tuple(places),
        transforms,
        _unapplied(path, header, values),
    )


def _numbers(path: Path, line: int | None, text: str, count: int, expected: str) -> NDArray[np.float64]:
    try:
        values = np.array([float(word) for word in text.split()])
    except ValueError:
        values = np.empty(0)
    if values.size != count or not np.isfinite(values).all():
        where = "" if line is None else f", line {line}"
        raise InputError(f"{path}{where}: expected {expected}, found {text.strip()[:60]!r}")
    return values


def _find_sections(
    path: Path, aligned: Sequence[int], dark: Sequence[tuple[int, int, int, float]], count: int
) -> tuple[list[int], list[int]]:
    """Return the sections, from 0, of the aligned and of the dark tilts."""
    if len(aligned) + len(dark) == count:
        sections = [section for _, _, section, _ in dark]
        for first in (0, 1):
            if sorted([*aligned, *sections]) == list(range(first, count + first)):
                return [n - first for n in aligned], [n - first for n in sections]
        frames = [frame for _, frame, _, _ in dark]
        left = [frame for frame in range(count) if frame not in frames]
        first = min(aligned)
        counts_aligned = first in (0, 1) and sorted(n - first for n in aligned) == list(range(len(left)))
        if counts_aligned and sorted([*left, *frames]) == list(range(count)):
            return [left[n - first] for n in aligned], frames
    raise InputError(
        f"{path}: its {len(aligned)} aligned and {len(dark)} dark tilts are not the {count} sections of a stack "
        "(RawSize, SEC, DarkFrame); write it anew"
    )


def _unapplied(path: Path, header: dict[str, str], values: NDArray[np.float64]) -> tuple[str, ...]:
    sentences = []
    patches = header.get("NumPatches", "0")
    if patches != "0":
        sentences.append(f"{path} has a local alignment of {patches} patches, which is not applied")
    beta = _numbers(path, None, header.get("BetaOffset", "0"), 1, "one number (BetaOffset = …)")[0]
    if beta:
        sentences.append(f"{path} has a tilt of {beta:g}° about x (BetaOffset), which is not applied")
    magnification = np.abs(values[:, 2] - 1).max()
    if magnification > 1e-4:
        sentences.append(
            f"{path} has magnifications that differ by {magnification:.2%} (GMAG), which are not applied"
        )
    return tuple(sentences)
