"""What particle lists of all formats have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

_SKEW = 1e-2
"""Scalar products of rows may be off by this much: files round."""


class Particles(Protocol):
    """What a table of particles must offer to be written; the fields are those of `ParticleList`."""

    @property
    def class_name(self) -> NDArray[np.str_]: ...
    @property
    def class_id(self) -> NDArray[np.int64]: ...
    @property
    def instance(self) -> NDArray[np.int64]: ...
    @property
    def centre_A(self) -> NDArray[np.float64]: ...
    @property
    def rotation(self) -> NDArray[np.float64]: ...


@dataclass(frozen=True, eq=False)
class ParticleList:
    """Particles as they are read from a file.

    Parameters
    ----------
    class_name
        ``(n,)`` str.
    class_id
        ``(n,)`` int64: value in the class mask.
    instance
        ``(n,)`` int64: value in the instance mask, from 1.
    centre_A
        ``(n, 3)`` float64: ``(x, y, z)`` in Å from the centre of the volume's corner voxel.
    rotation
        ``(n, 3, 3)`` float64: matrices from particle to specimen, acting on ``(x, y, z)`` column vectors.
    """

    class_name: NDArray[np.str_]
    class_id: NDArray[np.int64]
    instance: NDArray[np.int64]
    centre_A: NDArray[np.float64]
    rotation: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.instance)


def rotation_matrix(values: ArrayLike) -> NDArray[np.float64]:
    """A rotation ``(3, 3)`` as a JSON file has it; with a `ValueError` where it is none, such as a mirror image."""
    matrix = np.array(values, dtype=np.float64)
    if matrix.shape != (3, 3) or not (np.abs(matrix @ matrix.T - np.eye(3)) < _SKEW).all():
        raise ValueError("an orientation is a rotation matrix, 3 x 3")
    if np.linalg.det(matrix) < 0:
        raise ValueError("an orientation is a rotation, and this matrix mirrors as well")
    return matrix


def instance_number(point: Mapping[str, Any]) -> int:
    """Instance of a point of a JSON file, 0 where it has none; with an `OverflowError` where it is no 64-bit number."""
    return int(np.int64(int(point.get("instance_id") or 0)))


def euler_angles(rotation: NDArray[np.float64], axes: str) -> NDArray[np.float64]:
    """Euler angles of rotation matrices.

    Parameters
    ----------
    rotation
        ``(n, 3, 3)`` matrices.
    axes
        Three of ``XYZ``: a matrix is the product of the elementary rotations about these axes in this order.

    Returns
    -------
    angles
        ``(n, 3)`` degrees. Where the middle angle leaves the outer two undetermined, the last one is 0.
    """
    if len(rotation) == 0:
        return np.empty((0, 3))
    return Rotation.from_matrix(rotation).as_euler(axes, degrees=True, suppress_warnings=True)


def rotation_matrices(angles: NDArray[np.float64], axes: str) -> NDArray[np.float64]:
    """Rotation matrices ``(n, 3, 3)`` of Euler angles ``(n, 3)`` in degrees, as `euler_angles` has them."""
    if len(angles) == 0:
        return np.empty((0, 3, 3))
    return Rotation.from_euler(axes, angles, degrees=True).as_matrix()
