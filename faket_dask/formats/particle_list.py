"""What particle lists of all formats have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation


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
