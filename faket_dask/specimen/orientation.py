"""Orientations of particles: uniform ones, and those that stand on a membrane."""

import numpy as np
from numpy.typing import NDArray


def uniform_rotations(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw rotations uniformly on SO(3).

    A normalised vector of four normal deviates is uniform on the sphere of unit quaternions, whose image in
    SO(3) is the uniform (Haar) distribution.

    Parameters
    ----------
    count
        Number of rotations.
    rng
        Source of randomness.

    Returns
    -------
    rotations
        ``(count, 3, 3)`` matrices, particle to specimen, acting on ``(x, y, z)`` column vectors.

    Examples
    --------
    >>> rotation = uniform_rotations(1, np.random.default_rng(0))[0]
    >>> bool(np.allclose(rotation @ rotation.T, np.eye(3)))
    True
    """
    quaternions = rng.standard_normal((count, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    w, x, y, z = quaternions.T
    rotations = np.empty((count, 3, 3))
    rotations[:, 0] = np.stack((1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)), axis=1)
    rotations[:, 1] = np.stack((2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)), axis=1)
    rotations[:, 2] = np.stack((2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)), axis=1)
    return rotations


def standing_rotation(normal: NDArray[np.float64], spin_rad: float) -> NDArray[np.float64]:
    """Compute the rotation that turns a particle's z axis to a direction.

    Parameters
    ----------
    normal
        ``(3,)`` unit vector ``(x, y, z)``.
    spin_rad
        Rotation about the particle's own z axis, applied first, in radians.

    Returns
    -------
    rotation
        ``(3, 3)`` matrix, particle to specimen.

    Examples
    --------
    >>> standing_rotation(np.array([0.0, 0.0, 1.0]), 0.0) @ [0, 0, 1]
    array([0., 0., 1.])
    """
    helper = np.zeros(3)
    helper[np.argmin(np.abs(normal))] = 1.0
    first = np.cross(helper, normal)
    first /= np.linalg.norm(first)
    frame = np.stack((first, np.cross(normal, first), normal), axis=1)
    cosine, sine = np.cos(spin_rad), np.sin(spin_rad)
    spin = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    return frame @ spin


def rotation_about_z(angle: float) -> NDArray[np.float64]:
    """Return the matrix ``(3, 3)`` of a rotation about the z axis by an angle in radians.

    Examples
    --------
    >>> rotation_about_z(np.pi / 2).round(6) @ [1.0, 0.0, 5.0]
    array([0., 1., 5.])
    """
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
