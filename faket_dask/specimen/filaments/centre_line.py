"""Centre lines: smooth curves with a frame that does not turn about them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from faket_dask.specimen.filaments.worm_like_chain import perpendicular_axes

_OVERSAMPLING = 8
"""Points per vertex at which arc length is measured; the rest is below 1e-6 of a step."""


@dataclass(frozen=True, eq=False)
class CentreLine:
    """Curve sampled at equal steps of its arc length, with a rotation-minimising frame.

    Parameters
    ----------
    points_A
        ``(n, 3)`` positions ``(x, y, z)`` in Å, from the minus end to the plus end.
    frames
        ``(n, 3, 3)`` rotations whose columns are two normals and the tangent at each point.
    step_A
        Arc length between neighbouring points in Å.
    """

    points_A: NDArray[np.float64]
    frames: NDArray[np.float64]
    step_A: float

    @property
    def length_A(self) -> float:
        """Arc length in Å."""
        return self.step_A * (len(self.points_A) - 1)

    @property
    def tangents(self) -> NDArray[np.float64]:
        """Unit vectors ``(n, 3)`` from the minus to the plus end."""
        return self.frames[:, :, 2]

    def largest_curvature(self) -> float:
        """Compute the largest curvature in 1/Å."""
        if len(self.points_A) < 2:
            return 0.0
        turns = np.linalg.norm(np.diff(self.tangents, axis=0), axis=1)
        return float((2 * np.arcsin(np.minimum(turns / 2, 1.0))).max() / self.step_A)

    def locate(self, arc_A: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Compute positions and frames at arc lengths; beyond its ends the line goes on straight.

        Parameters
        ----------
        arc_A
            ``(m,)`` arc lengths from the minus end in Å.

        Returns
        -------
        points_A, frames
            ``(m, 3)`` positions in Å, and ``(m, 3, 3)`` rotations.
        """
        inside = np.clip(arc_A, 0.0, self.length_A)
        index = np.minimum((inside / self.step_A).astype(np.int64), len(self.points_A) - 2)
        t = (inside / self.step_A - index)[:, None]
        start, end = self.points_A[index], self.points_A[index + 1]
        # Cubic between points with the tangents there, which keeps positions and directions in step.
        rise, fall = self.step_A * self.tangents[index], self.step_A * self.tangents[index + 1]
        points = (
            (1 + 2 * t) * (1 - t) ** 2 * start
            + t * (1 - t) ** 2 * rise
            + t**2 * (3 - 2 * t) * end
            + t**2 * (t - 1) * fall
        )
        blend = (1 - t[..., None]) * self.frames[index] + t[..., None] * self.frames[index + 1]
        # The nearest rotation to the blend of two.
        left, _, right = np.linalg.svd(blend)
        frames = left @ right
        return points + (arc_A - inside)[:, None] * frames[:, :, 2], frames

    def shift(self, offset_A: NDArray[np.float64]) -> "CentreLine":
        """Return the line moved by ``(3,)`` Å."""
        return CentreLine(self.points_A + offset_A, self.frames, self.step_A)

    def reverse(self) -> "CentreLine":
        """Return the line with its ends exchanged: polarity reversed, second normal too."""
        frames = self.frames[::-1] * np.array([1.0, -1.0, -1.0])
        return CentreLine(self.points_A[::-1].copy(), frames, self.step_A)


def smooth_line(vertices_A: NDArray[np.float64], step_A: float) -> CentreLine:
    """Make a centre line through the vertices of a chain.

    A cubic spline passes through the vertices and is sampled anew at equal steps of its arc length. Its frame is
    carried along by the double reflection method (Wang, Jüttler, Zheng & Liu, ACM Trans. Graph. 27, 2, 2008), which
    does not turn about the tangent, so that a lattice's twist is all the twist that its subunits have.

    Parameters
    ----------
    vertices_A
        ``(n, 3)`` distinct positions in Å, two at least.
    step_A
        Largest arc length between the points of the line, in Å.

    Returns
    -------
    line
        Line from the first to the last vertex.

    Examples
    --------
    >>> line = smooth_line(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 50.0]]), 10.0)
    >>> line.length_A, len(line.points_A), line.tangents[0]
    (50.0, 6, array([0., 0., 1.]))
    """
    chords = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(vertices_A, axis=0), axis=1))))
    spline = CubicSpline(chords, vertices_A)
    fine = np.linspace(0.0, chords[-1], _OVERSAMPLING * (len(vertices_A) - 1) + 1)
    speed = np.linalg.norm(spline(fine, 1), axis=1)
    middle = np.linalg.norm(spline(0.5 * (fine[1:] + fine[:-1]), 1), axis=1)
    # Simpson's rule over each interval.
    pieces = (speed[:-1] + 4 * middle + speed[1:]) / 6 * np.diff(fine)
    arc = np.concatenate(([0.0], np.cumsum(pieces)))
    count = max(1, int(np.ceil(arc[-1] / step_A - 1e-9)))
    wanted = np.linspace(0.0, arc[-1], count + 1)
    place = CubicSpline(arc, fine)(wanted)
    tangents = spline(place, 1)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    points = spline(place)
    return CentreLine(points, transport_frames(points, tangents), float(arc[-1]) / count)


def transport_frames(points_A: NDArray[np.float64], tangents: NDArray[np.float64]) -> NDArray[np.float64]:
    """Carry a frame along a curve without turning it about the tangent.

    Parameters
    ----------
    points_A
        ``(n, 3)`` positions in Å.
    tangents
        ``(n, 3)`` unit tangents.

    Returns
    -------
    frames
        ``(n, 3, 3)`` rotations whose third columns are the tangents.

    Examples
    --------
    >>> frames = transport_frames(np.array([[0.0, 0, 0], [0, 0, 1]]), np.array([[0.0, 0, 1], [0, 0, 1]]))
    >>> bool(np.array_equal(frames[0], frames[1]))
    True
    """
    normals = np.empty_like(tangents)
    normals[0] = perpendicular_axes(tangents[:1])[0][0]
    for index in range(len(points_A) - 1):
        chord = points_A[index + 1] - points_A[index]
        square = chord @ chord
        normal = normals[index] - 2 / square * (chord @ normals[index]) * chord
        tangent = tangents[index] - 2 / square * (chord @ tangents[index]) * chord
        bend = tangents[index + 1] - tangent
        square = bend @ bend
        if square > 0:
            normal = normal - 2 / square * (bend @ normal) * bend
        normal -= (normal @ tangents[index + 1]) * tangents[index + 1]
        normals[index + 1] = normal / np.linalg.norm(normal)
    return np.stack((normals, np.cross(tangents, normals), tangents), axis=2)
