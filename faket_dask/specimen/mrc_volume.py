"""Reading volumes from MRC files as they are found, many of which break the standard."""

import warnings
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError, wrap_as_input_error

# Relative difference up to which voxel edges count as the same.
SAME_VOXEL_SIZE = 0.01


def open_mrc(path: Path) -> tuple[NDArray[Any], float | None]:
    """Map an MRC volume into memory without reading it.

    What can be understood is taken, with a warning about what breaks the standard. The origin is ignored, the
    order of axes is not: maps from crystallography often have another one.

    Parameters
    ----------
    path
        MRC file, mode 0, 1, 2, 6 or 12.

    Returns
    -------
    data, voxel_size_A
        ``(z, y, x)`` read-only array, and the edge of a voxel in Å, ``None`` where the header has none.

    Raises
    ------
    InputError
        If the file is absent, not an MRC file, truncated, not a volume, or its voxels are not cubes.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    not_mrc = f"{path} is truncated or not an MRC file; copy or export it again"
    with wrap_as_input_error(not_mrc), warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        file = mrcfile.mmap(path, mode="r", permissive=True)
    reasons = "; ".join(dict.fromkeys(str(complaint.message) for complaint in complaints))
    if file.data is None:
        raise InputError(f"{path} is truncated or not an MRC file ({reasons}); copy or export it again")
    if file.data.ndim != 3:
        raise InputError(f"{path} has the shape {file.data.shape}; a volume has three dimensions, (z, y, x)")
    if np.iscomplexobj(file.data):
        raise InputError(f"{path} holds complex numbers; a volume holds real ones")
    axes = [int(file.header[name]) for name in ("maps", "mapr", "mapc")]
    data = file.data
    if sorted(axes) == [1, 2, 3]:
        data = data.transpose([axes.index(axis) for axis in (3, 2, 1)])
    if reasons:
        warnings.warn(f"{path} is read although it breaks the MRC standard: {reasons}", stacklevel=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        edges = np.array([float(file.voxel_size[axis]) for axis in "xyz"])
    if not (np.isfinite(edges).all() and (edges > 0).all()):
        return data, None
    if np.ptp(edges) > SAME_VOXEL_SIZE * edges.min():
        raise InputError(f"{path} has voxels of {edges} Å along x, y, z; they must be cubes")
    return data, float(edges.mean())
