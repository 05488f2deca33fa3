"""Particle lists of all formats: their common type, and the conversion of orientations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

_SKEW = 1e-2
"""Largest error of the scalar products of a matrix' rows: files round."""


class Particles(Protocol):
    """Table of particles that can be written; the fields are those of `ParticleList`."""

    @property
    def class_name(self) -> NDArray[np.str_]:
        """Name ``(n,)`` of each particle's class."""
        ...

    @property
    def class_id(self) -> NDArray[np.int64]:
        """Value ``(n,)`` in the class mask."""
        ...

    @property
    def instance(self) -> NDArray[np.int64]:
        """Value ``(n,)`` in the instance mask, from 1."""
        ...

    @property
    def centre_A(self) -> NDArray[np.float64]:
        """Position ``(n, 3)``, ``(x, y, z)`` in Å from the centre of the corner voxel."""
        ...

    @property
    def rotation(self) -> NDArray[np.float64]:
        """Matrices ``(n, 3, 3)`` from particle to specimen."""
        ...

    @property
    def score(self) -> NDArray[np.float64] | None:
        """Confidence ``(n,)`` of a picker in each particle, ``None`` for particles that are known."""
        ...


@dataclass(frozen=True, eq=False)
class ParticleList:
    """Particles read from a file.

    Parameters
    ----------
    class_name
        ``(n,)`` str: name of each particle's class.
    class_id
        ``(n,)`` int64: value in the class mask.
    instance
        ``(n,)`` int64: value in the instance mask, from 1.
    centre_A
        ``(n, 3)`` float64: ``(x, y, z)`` in Å from the centre of the volume's corner voxel.
    rotation
        ``(n, 3, 3)`` float64: matrices from particle to specimen, acting on ``(x, y, z)`` column vectors.
    score
        ``(n,)`` float64: confidence of a picker in each particle, on a scale of its own and larger for a better one;
        ``None`` where the file has none.
    """

    class_name: NDArray[np.str_]
    class_id: NDArray[np.int64]
    instance: NDArray[np.int64]
    centre_A: NDArray[np.float64]
    rotation: NDArray[np.float64]
    score: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.instance)


def rotation_matrix(values: ArrayLike) -> NDArray[np.float64]:
    """Convert the rotation ``(3, 3)`` of a JSON file.

    Parameters
    ----------
    values
        Rows of the matrix.

    Raises
    ------
    ValueError
        If the matrix is no rotation, such as a mirror image.

    Examples
    --------
    >>> rotation_matrix([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    array([[ 0., -1.,  0.],
           [ 1.,  0.,  0.],
           [ 0.,  0.,  1.]])
    """
    matrix = np.array(values, dtype=np.float64)
    if matrix.shape != (3, 3) or not (np.abs(matrix @ matrix.T - np.eye(3)) < _SKEW).all():
        raise ValueError("an orientation is a rotation matrix, 3 x 3")
    if np.linalg.det(matrix) < 0:
        raise ValueError("an orientation is a rotation, and this matrix mirrors as well")
    return matrix


def instance_number(point: Mapping[str, Any]) -> int:
    """Read the instance of a point in a JSON file, 0 where it has none.

    Parameters
    ----------
    point
        Point as the file has it.

    Raises
    ------
    OverflowError
        If the number does not fit 64 bits.

    Examples
    --------
    >>> instance_number({"instance_id": 7}), instance_number({})
    (7, 0)
    """
    return int(np.int64(int(point.get("instance_id") or 0)))


def join_scores(scores: Sequence[float | None]) -> NDArray[np.float64] | None:
    """Join the scores of points in a JSON file; without that of one point there are none.

    Examples
    --------
    >>> join_scores([0.5, 1]), join_scores([0.5, None])
    (array([0.5, 1. ]), None)
    """
    known = [value for value in scores if value is not None]
    return np.array(known, dtype=np.float64) if len(known) == len(scores) else None


def point_score(point: Mapping[str, Any]) -> float | None:
    """Read the score of a point in a JSON file, ``None`` where it has none.

    Parameters
    ----------
    point
        Point as the file has it.

    Raises
    ------
    ValueError
        If the score is not finite.

    Examples
    --------
    >>> point_score({"score": 0.5}), point_score({})
    (0.5, None)
    """
    if point.get("score") is None:
        return None
    score = float(point["score"])
    if not np.isfinite(score):
        raise ValueError(f"a score of {score} is no number")
    return score


def euler_angles(rotation: NDArray[np.float64], axes: str) -> NDArray[np.float64]:
    """Compute the Euler angles of rotation matrices.

    Parameters
    ----------
    rotation
        ``(n, 3, 3)`` matrices.
    axes
        Three letters of ``XYZ``: a matrix is the product of the elementary rotations about these axes in this order.

    Returns
    -------
    angles
        ``(n, 3)`` degrees. Where the middle angle leaves the outer two undetermined, the last one is 0.

    Examples
    --------
    >>> euler_angles(rotation_matrices(np.array([[20.0, 35.0, -50.0]]), "ZYZ"), "ZYZ").round(9)
    array([[ 20.,  35., -50.]])
    """
    if len(rotation) == 0:
        return np.empty((0, 3))
    return Rotation.from_matrix(rotation).as_euler(axes, degrees=True, suppress_warnings=True)


def rotation_matrices(angles: NDArray[np.float64], axes: str) -> NDArray[np.float64]:
    """Compute rotation matrices ``(n, 3, 3)`` from Euler angles ``(n, 3)`` in degrees; inverse of `euler_angles`."""
    if len(angles) == 0:
        return np.empty((0, 3, 3))
    return Rotation.from_euler(axes, angles, degrees=True).as_matrix()
