"""Frames of molecular-dynamics trajectories: XTC, DCD and the other formats of MDTraj."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError, wrap_as_input_error

_A_PER_UNIT = {"angstroms": 1.0, "nanometers": 10.0}


def count_frames(path: Path) -> int:
    """Count the frames of a trajectory.

    Raises
    ------
    InputError
        If it cannot be read, or MDTraj is not installed.
    """
    return _count_frames(path, path.stat().st_mtime_ns if path.exists() else 0)


# The time of the last change is part of the key, so a file that changes is read again.
@lru_cache(maxsize=64)
def _count_frames(path: Path, stamp: int) -> int:
    with _open(path) as frames:
        return len(frames)


def read_frame(path: Path, number: int) -> NDArray[np.float64]:
    """Read the places of all atoms in one frame.

    Parameters
    ----------
    path
        Trajectory.
    number
        Number of the frame, from 1.

    Returns
    -------
    position_A
        ``(n, 3)`` in Å.

    Raises
    ------
    InputError
        If there is no such frame, it cannot be read, or MDTraj is not installed.
    """
    with _open(path) as frames:
        if not 1 <= number <= len(frames):
            raise InputError(f"trajectory {path} has {len(frames)} frames, and number {number} is asked for")
        with wrap_as_input_error(f"trajectory {path}: frame {number} cannot be read"):
            frames.seek(number - 1)
            places = frames.read(n_frames=1)
            places = places[0] if isinstance(places, tuple) else places
            return np.asarray(places[0], dtype=np.float64) * _A_PER_UNIT[frames.distance_unit]


def _open(path: Path) -> Any:
    try:
        import mdtraj
    except ImportError:
        raise InputError(
            f"trajectory {path}: MDTraj, which reads it, is not installed; "
            "`python -m pip install 'faket_dask[trajectories]'`"
        ) from None
    if not path.is_file():
        raise InputError(f"there is no trajectory {path}; check the path")
    with wrap_as_input_error(f"trajectory {path} cannot be read"):
        return mdtraj.open(str(path))
