"""Tori."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION, Amount, check_amount, draw, largest
from faket_dask.specimen.membranes.kinds.double import DoubleMembraneGroup
from faket_dask.specimen.surfaces.closed import torus
from faket_dask.specimen.surfaces.surface import Surface


@dataclass(frozen=True)
class Torus(DoubleMembraneGroup):
    """Ring-shaped membranes.

    Parameters
    ----------
    radius_A
        Distance of the tube's centre line from the ring's axis, in Å.
    tube_radius_A
        Radius of the tube in Å, one number or (smallest, largest).
    """

    __pydantic_config__ = SECTION

    radius_A: Amount = (350.0, 500.0)
    name: str = "torus"
    tube_radius_A: Amount = (130.0, 200.0)
    kind: Literal["torus"] = "torus"

    def check_shape(self) -> None:
        """Check gap and tube."""
        super().check_shape()
        check_amount(self.tube_radius_A, f"{self.where}: tube_radius_A", 50.0)
        if self._hole_A <= 0:
            raise InputError(
                f"{self.where}: a tube_radius_A of {largest(self.tube_radius_A):g} leaves no hole in a ring of "
                f"radius_A {check_amount(self.radius_A, 'radius_A')[0]:g}; choose a thinner tube or a larger ring"
            )

    @property
    def _hole_A(self) -> float:
        return check_amount(self.radius_A, "radius_A")[0] - largest(self.tube_radius_A)

    @property
    def outer_bend_A(self) -> float:
        """Smallest radius of curvature: of the tube."""
        return check_amount(self.tube_radius_A, "tube_radius_A")[0]

    @property
    def smallest_bend_A(self) -> float:
        """Smallest radius of curvature: of the tube, or of the hole."""
        return min(super().smallest_bend_A, self._hole_A)

    def measure_half_extents(self, radius_A: float) -> tuple[float, float, float]:
        """Return half of the edges of a box about a torus."""
        tube_A = largest(self.tube_radius_A)
        return radius_A + tube_A, radius_A + tube_A, tube_A

    def bound_radius(self, radius_A: float) -> float:
        """Return the radius in Å of a sphere about a disc of the box's height."""
        wide, _, high = self.measure_half_extents(radius_A)
        return math.hypot(wide, high)

    def make_surface(self, radius_A: float, rng: np.random.Generator) -> Surface:
        """Draw a torus."""
        return torus(radius_A, draw(self.tube_radius_A, rng), self.band_A)
