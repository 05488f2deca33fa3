"""Sheets: open membranes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION, Amount, check_amount
from faket_dask.specimen.membranes.group import MembraneGroup
from faket_dask.specimen.membranes.part import Part, single_part
from faket_dask.specimen.surfaces.patch import patch


@dataclass(frozen=True)
class Sheet(MembraneGroup):
    """Open membranes: curved round patches.

    Parameters
    ----------
    radius_A
        Radius of the patch in Å, in projection on its plane.
    bend
        Height of the rim over the middle as a fraction of the radius, at most, 0 to 0.5.
    """

    __pydantic_config__ = SECTION

    is_closed: ClassVar[bool] = False

    radius_A: Amount = (250.0, 500.0)
    name: str = "sheet"
    bend: float = 0.3
    kind: Literal["sheet"] = "sheet"

    def check_shape(self) -> None:
        """Check the bend."""
        if not 0 <= self.bend <= 0.5:
            raise InputError(f"{self.where}: bend is {self.bend}; it lies between 0 and 0.5")

    @property
    def smallest_bend_A(self) -> float:
        """Smallest radius of curvature: a height of b at the rim bends a patch by up to four times b."""
        return check_amount(self.radius_A, "radius_A")[0] / max(4 * self.bend, 1e-3)

    def measure_half_extents(self, radius_A: float) -> tuple[float, float, float]:
        """Return half of the edges of a box about a patch."""
        return radius_A, radius_A, max(self.bend * radius_A, 1.0)

    def bound_radius(self, radius_A: float) -> float:
        """Return the radius in Å of a sphere about a disc of the box's height."""
        wide, _, high = self.measure_half_extents(radius_A)
        return math.hypot(wide, high)

    def make_parts(self, radius_A: float, rng: np.random.Generator) -> tuple[Part, ...]:
        """Draw a patch."""
        # The height at the rim reaches at most 1/2, 1/2, 1 and 1 of the coefficients.
        return single_part(patch(radius_A, rng.uniform(-1, 1, 4) * self.bend / 3))
