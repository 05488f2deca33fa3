"""Read the tables of Dynamo (Castaño-Díez et al., J. Struct. Biol. 178, 139, 2012).

A row is a particle, its columns have a meaning by their number. Positions are voxels of the tomogram counted from 1, as
MATLAB counts. The rotation from particle to specimen of the angles ``tdrot tilt narot`` is
``Rz(-tdrot) Rx(-tilt) Rz(-narot)``.

The meaning of columns and angles is that of the packages dynamotable 0.3 and eulerangles 1.0, which convert such tables
to RELION's; no table written by Dynamo itself was read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.files import read_text
from faket_dask.formats.particle_list import ParticleList, rotation_matrices

_SHIFT, _ANGLES, _CORRELATION, _POSITION = slice(3, 6), slice(6, 9), 9, slice(23, 26)
_TOMOGRAM, _CLASS = 19, 21
_FEWEST_COLUMNS = 26


def read_table(path: Path, voxel_size_A: float, tomogram: str | None = None) -> ParticleList:
    """Read the particles of one tomogram.

    Parameters
    ----------
    path
        Table (`.tbl`), numbers separated by blanks.
    voxel_size_A
        Edge of a voxel of the tomogram in Å.
    tomogram
        Number of the tomogram, where the table has several.

    Returns
    -------
    particles
        Particles in the order of the table. Their class is called as the file, with Dynamo's number where there are
        several. Their score is the cross-correlation (column 10); a table with zeros there has none.

    Raises
    ------
    InputError
        If the file is absent, a line has no 26 numbers, or the tomogram is none of the table's.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "boot.tbl"
    ...     _ = path.write_text("1 1 1 0.5 0 0 0 0 90" + 14 * " 0" + " 11 21 31\\n")
    ...     particles = read_table(path, 10.0)
    >>> particles.centre_A, particles.rotation[0].round(9) @ [1, 0, 0]
    (array([[105., 200., 300.]]), array([ 0., -1.,  0.]))
    """
    rows = _read_rows(path)
    if not len(rows):
        raise InputError(f"Dynamo table {path} lists no particles")
    numbers = [f"{number:g}" for number in np.unique(rows[:, _TOMOGRAM])]
    if (tomogram is None and len(numbers) > 1) or (tomogram is not None and tomogram not in numbers):
        wrong = "name one by --name" if tomogram is None else f"there is no {tomogram!r}"
        raise InputError(
            f"Dynamo table {path} lists particles of the tomograms {', '.join(numbers[:6])}; {wrong}"
        )
    if tomogram is not None:
        rows = rows[rows[:, _TOMOGRAM] == float(tomogram)]
    kinds, class_id = np.unique(rows[:, _CLASS], return_inverse=True)
    names = [path.stem if len(kinds) == 1 else f"{path.stem}_{kind:g}" for kind in kinds]
    return ParticleList(
        class_name=np.array([names[number] for number in class_id], np.str_),
        class_id=class_id.astype(np.int64) + 1,
        instance=np.arange(1, len(rows) + 1, dtype=np.int64),
        centre_A=(rows[:, _POSITION] + rows[:, _SHIFT] - 1) * voxel_size_A,
        rotation=rotation_matrices(-rows[:, _ANGLES], "ZXZ"),
        score=rows[:, _CORRELATION] if rows[:, _CORRELATION].any() else None,
    )


def _read_rows(path: Path) -> NDArray[np.float64]:
    """Read the first 26 columns of a table, ``(particles, 26)``."""
    rows = []
    for line, text in enumerate(read_text(path, "Dynamo table").splitlines(), start=1):
        words = text.replace(",", " ").split()
        if not words:
            continue
        try:
            row = [float(word) for word in words[:_FEWEST_COLUMNS]]
        except ValueError:
            row = []
        if len(row) < _FEWEST_COLUMNS or not np.isfinite(row).all() or max(map(abs, row)) > 1e9:
            raise InputError(
                f"Dynamo table {path}, line {line}: expected at least {_FEWEST_COLUMNS} numbers, found {text[:60]!r}"
            )
        rows.append(row)
    return np.array(rows, np.float64).reshape(-1, _FEWEST_COLUMNS)
