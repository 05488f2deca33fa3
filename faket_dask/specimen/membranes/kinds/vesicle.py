"""Vesicles: spheres that are a little out of shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION, Amount, check_amount
from faket_dask.specimen.membranes.kinds.double import DoubleMembraneGroup
from faket_dask.specimen.surfaces.closed import deformed_sphere
from faket_dask.specimen.surfaces.surface import Surface


@dataclass(frozen=True)
class Vesicle(DoubleMembraneGroup):
    """Spherical membranes that are a little out of shape.

    Parameters
    ----------
    radius_A
        Mean radius of the middle of the bilayer, in Å.
    deformation
        Relative departure from a sphere, 0 to 0.2.
    """

    __pydantic_config__ = SECTION

    radius_A: Amount = (250.0, 450.0)
    name: str = "vesicle"
    deformation: float = 0.1
    kind: Literal["vesicle"] = "vesicle"

    def check_shape(self) -> None:
        """Check gap and deformation."""
        super().check_shape()
        if not 0 <= self.deformation <= 0.2:
            raise InputError(f"{self.where}: deformation is {self.deformation}; it lies between 0 and 0.2")

    @property
    def outer_bend_A(self) -> float:
        """Smallest radius of curvature: a deformation of degree 3 adds up to five times itself to the curvature."""
        return check_amount(self.radius_A, "radius_A")[0] / (1 + 5 * self.deformation)

    def measure_half_extents(self, radius_A: float) -> tuple[float, float, float]:
        """Return half of the edges of a box about a vesicle."""
        half = radius_A * (1 + self.deformation)
        return half, half, half

    def bound_radius(self, radius_A: float) -> float:
        """Return the largest semi-axis in Å."""
        return self.measure_half_extents(radius_A)[0]

    def make_surface(self, radius_A: float, rng: np.random.Generator) -> Surface:
        """Draw a vesicle's outer membrane."""
        # The four terms reach at most 2/3, 2/3, 2/5 and 1/5 of their coefficients.
        coefficients = rng.uniform(-1, 1, 4) * self.deformation / (2 / 3 + 2 / 3 + 2 / 5 + 1 / 5)
        return deformed_sphere(radius_A, coefficients, self.band_A)
