"""Ellipsoids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from faket_dask.specimen.amounts import SECTION, Amount, check_amount
from faket_dask.specimen.membranes.kinds.double import DoubleMembraneGroup, check_aspect, draw_semi_axes
from faket_dask.specimen.surfaces.closed import ellipsoid
from faket_dask.specimen.surfaces.surface import Surface


@dataclass(frozen=True)
class Ellipsoid(DoubleMembraneGroup):
    """Ellipsoidal membranes.

    Parameters
    ----------
    radius_A
        Longest semi-axis in Å.
    aspect
        (Smallest, largest) of the two other semi-axes over the longest, 0.1 to 1.
    """

    __pydantic_config__ = SECTION

    radius_A: Amount = (350.0, 600.0)
    name: str = "ellipsoid"
    aspect: tuple[float, float] = (0.6, 1.0)
    kind: Literal["ellipsoid"] = "ellipsoid"

    def check_shape(self) -> None:
        """Check gap and aspect."""
        super().check_shape()
        check_aspect(self.aspect, f"{self.where}: aspect")

    @property
    def outer_bend_A(self) -> float:
        """Smallest radius of curvature, at the tips."""
        return check_amount(self.radius_A, "radius_A")[0] * self.aspect[0] ** 2

    def measure_half_extents(self, radius_A: float) -> tuple[float, float, float]:
        """Return the largest semi-axes."""
        return radius_A, radius_A * self.aspect[1], radius_A * self.aspect[1]

    def bound_radius(self, radius_A: float) -> float:
        """Return the largest semi-axis in Å."""
        return self.measure_half_extents(radius_A)[0]

    def make_surface(self, radius_A: float, rng: np.random.Generator) -> Surface:
        """Draw an ellipsoid."""
        return ellipsoid(draw_semi_axes(radius_A, self.aspect, rng), self.band_A)
