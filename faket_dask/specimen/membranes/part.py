"""Parts of an organelle: its membranes, each with a name and a place in a common frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.membranes.rendering import Pose
from faket_dask.specimen.surfaces.surface import Surface


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


class PlacedSurface(NamedTuple):
    """Surface in a specimen, that particles may sit on."""

    surface: Surface
    pose: Pose

    @property
    def area_A2(self) -> float:
        """Area in Å²."""
        return self.surface.area_A2

    def draw_point(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw a point ``(x, y, z)`` in Å uniformly over the area, and the unit normal there.

        The normal points outward, or to either side of an open membrane, whose outermost tenth is left out.
        """
        rim_A = np.inf if self.surface.is_closed else 0.9 * self.surface.grid.rim_A
        [point], [normal] = self.surface.draw_points(1, rng, rim_A)
        if not self.surface.is_closed and rng.uniform() < 0.5:
            normal = -normal
        to_specimen = self.pose.to_surface.T
        return self.pose.centre_A + to_specimen @ point, to_specimen @ normal
