"""Free forms of controlled curvature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION, Amount, check_amount
from faket_dask.specimen.membranes.kinds.double import DoubleMembraneGroup, check_aspect, draw_semi_axes
from faket_dask.specimen.surfaces.free_form import free_form
from faket_dask.specimen.surfaces.surface import Surface


@dataclass(frozen=True)
class FreeForm(DoubleMembraneGroup):
    """Closed membranes of random shape, no part of which is bent more tightly than a limit.

    Parameters
    ----------
    radius_A
        Longest semi-axis in Å of the ellipsoid that the shape departs from.
    aspect
        (Smallest, largest) of its other semi-axes over the longest, 0.1 to 1.
    wavelength_A
        Shortest wavelength in Å of the departures.
    amplitude_A
        Standard deviation in Å of the departures, before it is lowered to keep the limit.
    bend_radius_A
        Smallest radius of curvature in Å.
    """

    __pydantic_config__ = SECTION

    radius_A: Amount = (500.0, 700.0)
    name: str = "free_form"
    aspect: tuple[float, float] = (0.7, 1.0)
    wavelength_A: float = 700.0
    amplitude_A: float = 120.0
    bend_radius_A: float = 120.0
    kind: Literal["free_form"] = "free_form"

    def check_shape(self) -> None:
        """Check gap, aspect, waves and limit."""
        super().check_shape()
        check_aspect(self.aspect, f"{self.where}: aspect")
        smallest = check_amount(self.radius_A, "radius_A")[0]
        if not 2 * self.bend_radius_A <= self.wavelength_A <= 1e6:
            raise InputError(
                f"{self.where}: wavelength_A is {self.wavelength_A:g}; it is at least twice bend_radius_A, "
                f"{2 * self.bend_radius_A:g}"
            )
        if not 0 <= self.amplitude_A <= smallest / 2:
            raise InputError(
                f"{self.where}: amplitude_A is {self.amplitude_A:g}; it lies between 0 and half of radius_A, "
                f"{smallest / 2:g}"
            )
        tips = smallest * self.aspect[0] ** 2
        if self.bend_radius_A > 0.9 * tips:
            raise InputError(
                f"{self.where}: bend_radius_A is {self.bend_radius_A:g}, and the tips of the smallest ellipsoid are "
                f"bent to {tips:.0f} Å; lower it, or choose a larger radius_A or aspect"
            )

    @property
    def outer_bend_A(self) -> float:
        """Smallest radius of curvature in Å."""
        return self.bend_radius_A

    @property
    def remedy(self) -> str:
        """Advice where a bilayer does not fit."""
        return "choose a larger bend_radius_A"

    def measure_half_extents(self, radius_A: float) -> tuple[float, float, float]:
        """Return half of the edges of a box about a shape; the field is limited to twice its amplitude."""
        beyond = 2 * self.amplitude_A
        return (
            radius_A + beyond,
            radius_A * self.aspect[1] + beyond,
            radius_A * self.aspect[1] + beyond,
        )

    def bound_radius(self, radius_A: float) -> float:
        """Return the largest semi-axis in Å."""
        return self.measure_half_extents(radius_A)[0]

    def make_surface(self, radius_A: float, rng: np.random.Generator) -> Surface:
        """Draw a shape."""
        semi_axes = draw_semi_axes(radius_A, self.aspect, rng)
        return free_form(semi_axes, self.wavelength_A, self.amplitude_A, self.bend_radius_A, rng, self.band_A)
