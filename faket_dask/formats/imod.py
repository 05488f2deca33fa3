"""IMOD's text files: tilt angles (`.tlt`, `.rawtlt`) and alignment transforms (`.xf`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.atomic import write_text
from faket_dask.errors import InputError
from faket_dask.formats.files import read_text


def read_angles(path: Path) -> NDArray[np.float64]:
    """Read tilt angles, one a line.

    Parameters
    ----------
    path
        A `.tlt` or `.rawtlt` file. Blank lines are skipped.

    Returns
    -------
    tilt_angles
        ``(tilt,)`` float64 degrees, in the order of the file, which is that of the stack.

    Raises
    ------
    InputError
        If the file is absent, empty, or a line is not one finite number.
    """
    return _read_table(path, "angle file", 1, "one tilt angle in degrees")[:, 0]


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
    rows = _read_table(path, "transform file", 6, "six numbers (A11 A12 A21 A22 DX DY)")
    matrices = rows[:, :4].reshape(-1, 2, 2)
    flat = np.abs(np.linalg.det(matrices)) < 1e-6
    if flat.any():
        raise InputError(
            f"transform file {path}: the transform of tilt {int(np.argmax(flat))} cannot be inverted"
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


def _read_table(path: Path, what: str, columns: int, expected: str) -> NDArray[np.float64]:
    rows = []
    for number, line in enumerate(read_text(path, what).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            row = []
        if len(row) != columns or not np.isfinite(row).all():
            raise InputError(
                f"{what} {path}, line {number}: expected {expected}, found {line.strip()[:60]!r}"
            )
        rows.append(row)
    if not rows:
        raise InputError(f"{what} {path} is empty; expected {expected} on each line")
    return np.array(rows, dtype=np.float64)
