"""IMOD's text files: tilt angles (`.tlt`, `.rawtlt`) and alignment transforms (`.xf`)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.atomic import write_text
from faket_dask.errors import InputError
from faket_dask.formats.files import read_text


@dataclass(frozen=True, eq=False)
class AngleFile:
    """Contents of an angle file, in the order of the file, which is that of the stack.

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` float64 degrees.
    acquisition_order
        ``(tilt,)`` rank of each tilt in time, 0 for the first, where the file has a second column that ranks them.
    exposure_e_per_A2
        ``(tilt,)`` exposure of each tilt alone in e/Å², where the file has a third column of them.
    lines
        ``(tilt,)`` number of the line of each tilt.
    """

    tilt_angles: NDArray[np.float64]
    acquisition_order: NDArray[np.int64] | None
    exposure_e_per_A2: NDArray[np.float64] | None
    lines: tuple[int, ...]


def read_angle_file(path: Path) -> AngleFile:
    """Read tilt angles, one a line, and the order of acquisition from a second column, where there is one.

    AreTomo reads the number of each tilt in time from the second column, whatever number it begins with; where people
    write doses there, those before each tilt rank the tilts in the same way. A column in which numbers repeat ranks
    nothing and is not used, with a warning. A third one has the exposure of each tilt, as AreTomo3 writes it.

    Parameters
    ----------
    path
        A `.tlt` or `.rawtlt` file, or AreTomo3's ``_TLT.txt``. Blank lines and those that begin with ``#`` are skipped.

    Raises
    ------
    InputError
        If the file is absent, empty, a line is not one to three finite numbers, as many as in the other lines, or an
        exposure is negative.
    """
    rows, lines = _read_table(path, "angle file", (1, 2, 3), "one tilt angle in degrees")
    order = exposure = None
    if rows.shape[1] > 1:
        if np.unique(rows[:, 1]).size == len(rows):
            order = np.argsort(np.argsort(rows[:, 1]))
        else:
            warnings.warn(
                f"angle file {path}: numbers repeat in its second column, so they are no order of acquisition, and are "
                "not used",
                stacklevel=3,
            )
    if rows.shape[1] > 2:
        if (rows[:, 2] < 0).any():
            line = lines[int(np.argmin(rows[:, 2]))]
            raise InputError(
                f"angle file {path}, line {line}: the exposure {rows[:, 2].min():g} e/Å² is negative"
            )
        exposure = rows[:, 2] if rows[:, 2].any() else None
    return AngleFile(rows[:, 0], order, exposure, tuple(lines))


def read_angles(path: Path) -> NDArray[np.float64]:
    """Read tilt angles alone; see `read_angle_file`."""
    return read_angle_file(path).tilt_angles


def write_angles(path: Path, tilt_angles: ArrayLike) -> None:
    """Write tilt angles, one a line, with the digits that give back the same numbers.

    Parameters
    ----------
    path
        File to write; replaced whole.
    tilt_angles
        ``(tilt,)`` degrees.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_angles(Path(folder) / "a.tlt", [-60.0, 0.1])
    ...     read_angles(Path(folder) / "a.tlt")
    array([-60. ,   0.1])
    """
    angles = np.asarray(tilt_angles, dtype=np.float64) + 0.0  # no negative zero
    write_text(path, "".join(f"{float(angle)!r}\n" for angle in angles))


def read_transforms(path: Path) -> NDArray[np.float64]:
    """Read the in-plane alignment of every tilt.

    Parameters
    ----------
    path
        An `.xf` file: six numbers a line, ``A11 A12 A21 A22 DX DY``.

    Returns
    -------
    transforms
        ``(tilt, 2, 3)`` float64, the matrix ``A`` and the shift ``D`` in pixels: the pixel ``p`` of the raw tilt
        (``(x, y)`` from its centre) lies at ``A p + D`` from the centre of the aligned one.

    Raises
    ------
    InputError
        If the file is absent, empty, a line is not six finite numbers, or a matrix cannot be inverted.
    """
    rows, lines = _read_table(path, "transform file", (6,), "six numbers (A11 A12 A21 A22 DX DY)")
    matrices = rows[:, :4].reshape(-1, 2, 2)
    flat = np.abs(np.linalg.det(matrices)) < 1e-6
    if flat.any():
        raise InputError(
            f"transform file {path}, line {lines[int(np.argmax(flat))]}: this transform cannot be inverted; align "
            "that tilt again, or leave it out of stack, angles and transforms"
        )
    return np.concatenate((matrices, rows[:, 4:, None]), axis=2)


def write_transforms(path: Path, transforms: ArrayLike) -> None:
    """Write the in-plane alignment of every tilt as an `.xf` file.

    Parameters
    ----------
    path
        File to write; replaced whole.
    transforms
        ``(tilt, 2, 3)`` matrix and shift in pixels, as `read_transforms` returns them.
    """
    lines = []
    for (a11, a12, dx), (a21, a22, dy) in np.asarray(transforms, dtype=np.float64):
        lines.append(f"{a11:z12.7f}{a12:z12.7f}{a21:z12.7f}{a22:z12.7f}{dx:z12.3f}{dy:z12.3f}\n")
    write_text(path, "".join(lines))


def _read_table(
    path: Path, what: str, columns: tuple[int, ...], expected: str
) -> tuple[NDArray[np.float64], list[int]]:
    """Read a table of numbers, as wide as its first line, and the number of the line of each row."""
    rows: list[list[float]] = []
    lines = []
    for number, line in enumerate(read_text(path, what).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            row = []
        width = (len(rows[0]),) if rows else columns
        if len(row) not in width or not np.isfinite(row).all():
            raise InputError(
                f"{what} {path}, line {number}: expected {expected}, found {line.strip()[:60]!r}"
            )
        rows.append(row)
        lines.append(number)
    if not rows:
        raise InputError(f"{what} {path} is empty; expected {expected} on each line")
    return np.array(rows, dtype=np.float64), lines
