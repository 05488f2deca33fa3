"""Parts of an organelle: its membranes, each with a name and a place in a common frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.membranes.rendering import Pose
from faket_dask.specimen.surfaces.surface import Surface

_BATCH = 256
_BATCHES = 40
"""Points that are drawn at a time, and batches after which a surface counts as one that is hardly shown."""


class Part(NamedTuple):
    """One membrane of an organelle.

    Parameters
    ----------
    name
        Name within the organelle, empty where there is one only.
    surface
        Middle of the bilayer.
    place_A
        ``(3,)`` origin of the surface's frame in that of the organelle, whose axes it shares, in Å.
    """

    name: str
    surface: Surface
    place_A: NDArray[np.float64]

    def pose(self, centre_A: NDArray[np.float64], rotation: NDArray[np.float64]) -> Pose:
        """Return the pose of the surface in an organelle with a centre and rotation in the specimen."""
        return Pose(centre_A + rotation @ self.place_A, np.ascontiguousarray(rotation.T))


def single_part(surface: Surface) -> tuple[Part, ...]:
    """Return the one part of an organelle of a single membrane."""
    return (Part("", surface, np.zeros(3)),)


def double_membrane(surface: Surface, gap_A: float) -> tuple[Part, ...]:
    """Return an outer membrane, and an inner one at a distance from it in Å, from middle to middle."""
    return Part("outer", surface, np.zeros(3)), Part("inner", surface.offset(-gap_A), np.zeros(3))


class PlacedSurface:
    """Surface in a specimen, that particles may sit on where it lies in the volume.

    Parameters
    ----------
    surface
        Middle of the bilayer.
    pose
        Its pose in the specimen.
    are_shown
        Function that tells of points ``(n, 3)``, ``(x, y, z)`` in Å, whether they lie in the ice of the volume.
    """

    def __init__(
        self,
        surface: Surface,
        pose: Pose,
        are_shown: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
    ) -> None:
        self._surface = surface
        self._pose = pose
        self._are_shown = are_shown
        self._drawn: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []

    @cached_property
    def area_A2(self) -> float:
        """Area in Å² within the volume."""
        points = self._pose.centre_A + self._surface.points_A @ self._pose.to_surface
        return self._surface.area_A2 * float(self._are_shown(points).mean())

    def draw_point(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw a point ``(x, y, z)`` in Å uniformly over the area within the volume, and the unit normal there.

        The normal points outward, or to either side of an open membrane, whose outermost tenth is left out.
        """
        rim_A = np.inf if self._surface.is_closed else 0.9 * self._surface.grid.rim_A
        for _ in range(_BATCHES):
            if self._drawn:
                break
            points, normals = self._surface.draw_points(_BATCH, rng, rim_A)
            points = self._pose.centre_A + points @ self._pose.to_surface
            shown = self._are_shown(points)
            self._drawn = list(zip(points[shown], (normals @ self._pose.to_surface)[shown], strict=True))
        if not self._drawn:  # hardly anything of it is shown
            return points[0], normals[0] @ self._pose.to_surface
        point, normal = self._drawn.pop()
        if not self._surface.is_closed and rng.uniform() < 0.5:
            normal = -normal
        return point, normal
