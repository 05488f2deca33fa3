"""Tubules, as of the endoplasmic reticulum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION, Amount, check_amount, draw, largest
from faket_dask.specimen.membranes.kinds.double import DoubleMembraneGroup
from faket_dask.specimen.surfaces.centre_line import draw_centre_line
from faket_dask.specimen.surfaces.surface import Surface
from faket_dask.specimen.surfaces.tubule import tubule


@dataclass(frozen=True)
class Tubule(DoubleMembraneGroup):
    """Capped tubes about a smooth centre line.

    Parameters
    ----------
    radius_A
        Radius of the tube in Å.
    length_A
        Length of the centre line in Å, one number or (smallest, largest).
    bend_radius_A
        Smallest radius of curvature in Å of the centre line.
    """

    __pydantic_config__ = SECTION

    radius_A: Amount = (200.0, 300.0)
    name: str = "tubule"
    length_A: Amount = (1000.0, 2000.0)
    bend_radius_A: float = 800.0
    kind: Literal["tubule"] = "tubule"

    def check_shape(self) -> None:
        """Check gap, length and bend."""
        super().check_shape()
        check_amount(self.length_A, f"{self.where}: length_A", 100.0)
        needed = 1.5 * largest(self.radius_A) + self.bilayer.half_thickness_A
        if not needed <= self.bend_radius_A <= 1e6:
            raise InputError(
                f"{self.where}: bend_radius_A is {self.bend_radius_A:g}; for a tube of radius_A "
                f"{largest(self.radius_A):g} it lies between {needed:g} and 1e6"
            )

    @property
    def outer_bend_A(self) -> float:
        """Smallest radius of curvature: of the tube."""
        return check_amount(self.radius_A, "radius_A")[0]

    def measure_half_extents(self, radius_A: float) -> tuple[float, float, float]:
        """Return half of the edges of a box about a tubule, however it is bent."""
        length_A = largest(self.length_A)
        # An arc of the smallest radius rises by its sagitta, and a curve in space no more than that in each direction.
        angle = min(length_A / (2 * self.bend_radius_A), np.pi / 2)
        rise = self.bend_radius_A * (1 - np.cos(angle)) + max(0.0, length_A / 2 - self.bend_radius_A * angle)
        wide = min(rise, length_A / 2)
        return length_A / 2 + radius_A, wide + radius_A, wide / 2 + radius_A

    def make_surface(self, radius_A: float, rng: np.random.Generator) -> Surface:
        """Draw a tubule."""
        clearance_A = 2 * (radius_A + 2 * self.bilayer.half_thickness_A)
        line = draw_centre_line(draw(self.length_A, rng), self.bend_radius_A, clearance_A, rng)
        return tubule(line, radius_A, self.band_A)
