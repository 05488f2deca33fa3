"""Smooth centre lines of tubules."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial.distance import cdist

_ATTEMPTS = 12


def draw_centre_line(
    length_A: float,
    smallest_radius_A: float,
    clearance_A: float,
    rng: np.random.Generator,
    step_A: float = 10.0,
) -> NDArray[np.float64]:
    """Draw a smooth curve in space that does not come back to itself.

    The curvature vector in the frame carried along the curve without twist is a cubic spline through random values, one
    every `smallest_radius_A`, of at most ``1 / smallest_radius_A``. Where the curve comes back to itself the values are
    drawn again, each time more gently, and it is straight in the end.

    Parameters
    ----------
    length_A
        Length in Å.
    smallest_radius_A
        Smallest radius of curvature in Å.
    clearance_A
        Smallest distance in Å between parts of the curve that are farther apart along it than ``π clearance_A / 2``.
    rng
        Source of randomness.
    step_A
        Distance between points in Å.

    Returns
    -------
    points
        ``(n, 3)`` in Å about their middle; the curve extends most along x and least along z.

    Examples
    --------
    >>> points = draw_centre_line(1000.0, 500.0, 200.0, np.random.default_rng(0))
    >>> points.shape, bool(np.ptp(points, axis=0)[0] > 900)
    ((101, 3), True)
    """
    count = max(2, round(length_A / step_A)) + 1
    step = length_A / (count - 1)
    knots = max(2, int(np.ceil(length_A / smallest_radius_A)) + 1)
    for attempt in range(_ATTEMPTS):
        strength = 0.0 if attempt == _ATTEMPTS - 1 else 0.85**attempt
        values = rng.uniform(-1, 1, (knots, 2))
        bends = CubicSpline(np.linspace(0, 1, knots), values)(np.linspace(0, 1, count - 1))
        bends *= strength / smallest_radius_A / max(1.0, float(np.linalg.norm(bends, axis=1).max()))
        points = _integrate(bends, step)
        if not _comes_back(points, step, clearance_A):
            break
    points -= points.mean(axis=0)
    axes = np.linalg.svd(points, full_matrices=False)[2]
    axes[2] = np.cross(axes[0], axes[1])  # a rotation, not a reflection
    return points @ axes.T


def _integrate(bends: NDArray[np.float64], step_A: float) -> NDArray[np.float64]:
    """Follow a curve of given curvature vectors ``(n, 2)`` in 1/Å from the origin, along arcs: ``(n + 1, 3)``."""
    points = np.zeros((len(bends) + 1, 3))
    frame = np.eye(3)  # two normals and the tangent, in rows
    for n, (first, second) in enumerate(bends):
        tangent = frame[2] + step_A * (first * frame[0] + second * frame[1])
        tangent /= np.linalg.norm(tangent)
        middle = frame[2] + tangent
        points[n + 1] = points[n] + step_A * middle / np.linalg.norm(middle)
        # The first normal is carried along: what is left of it across the new tangent.
        first_normal = frame[0] - (frame[0] @ tangent) * tangent
        first_normal /= np.linalg.norm(first_normal)
        frame = np.stack((first_normal, np.cross(tangent, first_normal), tangent))
    return points


def _comes_back(points: NDArray[np.float64], step_A: float, clearance_A: float) -> bool:
    """Tell whether a curve ``(n, 3)`` comes closer to itself than a clearance in Å."""
    stride = max(1, int(clearance_A / (8 * step_A)))
    sparse = points[::stride]
    along = np.arange(len(sparse)) * stride * step_A
    apart = np.abs(along[:, None] - along[None, :]) > np.pi / 2 * clearance_A
    return bool((cdist(sparse, sparse)[apart] < clearance_A).any())
