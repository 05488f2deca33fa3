"""Submissions to SHREC's tracks of cryo-electron tomograms: a pick a line, ``class x y z``.

Positions are voxels of 10 Å of the full frame, the cube of 512 voxels that the volumes are stored as. Further columns
are left out, as SHREC's own scoring does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from faket_dask.errors import InputError
from faket_dask.formats.files import read_text
from faket_dask.formats.particle_list import ParticleList
from faket_dask.formats.shrec import class_ids

_LOCATION_COLUMNS = 7
"""Columns of ``particle_locations.txt``, which has angles."""


def is_submission(path: Path) -> bool:
    """Tell by the columns of the first line whether a text file holds picks, and not SHREC's true locations.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    first = next((text.split() for text in read_text(path, "particle list").splitlines() if text.strip()), [])
    return 4 <= len(first) < _LOCATION_COLUMNS


def read_submission(path: Path, voxel_size_A: float) -> ParticleList:
    """Read picks in the order of the file; they have no orientation, and get the identity.

    Parameters
    ----------
    path
        File of lines ``class x y z``, voxels of the full frame.
    voxel_size_A
        Edge of a voxel in Å.

    Raises
    ------
    InputError
        If the file is absent or a line is not of that form; the line is named.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "picks.txt"
    ...     _ = path.write_text("1bxn 104 75.5 176\\nfiducial 3 4 200\\n")
    ...     picks = read_submission(path, 10.0)
    >>> picks.class_name.tolist(), picks.class_id.tolist(), picks.centre_A[0].tolist()
    (['1bxn', 'fiducial'], [4, 15], [1040.0, 755.0, 1760.0])
    """
    names, voxels = [], []
    for line, text in enumerate(read_text(path, "SHREC submission").splitlines(), start=1):
        words = text.split()
        if not words:
            continue
        try:
            voxel = [float(word) for word in words[1:4]]
        except ValueError:
            voxel = []
        if len(voxel) != 3 or not np.isfinite(voxel).all():
            raise InputError(
                f"SHREC submission {path}, line {line}: expected class x y z, found {text[:60]!r}"
            )
        names.append(words[0])
        voxels.append(voxel)
    ids = class_ids(names)
    count = len(names)
    return ParticleList(
        class_name=np.array(names, dtype=np.str_),
        class_id=np.array([ids[name] for name in names], dtype=np.int64),
        instance=np.arange(1, count + 1, dtype=np.int64),
        centre_A=np.array(voxels, dtype=np.float64).reshape(-1, 3) * voxel_size_A,
        rotation=np.tile(np.eye(3), (count, 1, 1)),
    )
