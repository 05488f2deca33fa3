"""Turns and shifts that a search tries."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation


def list_shifts(reach: float, step: float = 1.0) -> NDArray[np.float64]:
    """Return the shifts ``(s, 3)`` of a cubic grid within a sphere, none first.

    Examples
    --------
    >>> len(list_shifts(1.0)), len(list_shifts(2.0)), list_shifts(2.0)[0]
    (7, 33, array([0., 0., 0.]))
    """
    count = int(reach / step + 1e-9)
    axis = step * np.arange(-count, count + 1)
    grid = np.array(list(itertools.product(axis, axis, axis)))
    length = np.linalg.norm(grid, axis=1)
    inside = grid[length <= reach + 1e-9 * step]
    return inside[np.argsort(np.linalg.norm(inside, axis=1), kind="stable")]


def list_turns(step_deg: float) -> NDArray[np.float64]:
    """Return 27 rotations ``(27, 3, 3)``, by a step or none about each axis, none first.

    Examples
    --------
    >>> list_turns(5.0).shape, bool(np.allclose(list_turns(5.0)[0], np.eye(3)))
    ((27, 3, 3), True)
    """
    vectors = np.array(list(itertools.product((0.0, -1.0, 1.0), repeat=3)))
    return Rotation.from_rotvec(step_deg * vectors, degrees=True).as_matrix()
