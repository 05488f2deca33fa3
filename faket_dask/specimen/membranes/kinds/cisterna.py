"""Cisternae, alone or stacked, as of the Golgi apparatus."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION, Amount, Count, check_amount, check_count, draw, largest
from faket_dask.specimen.membranes.group import MembraneGroup
from faket_dask.specimen.membranes.part import Part, single_part
from faket_dask.specimen.surfaces.cisterna import cisterna

_SMALLEST_BEND = 1e-3


@dataclass(frozen=True)
class Cisterna(MembraneGroup):
    """Flattened sacs with swollen rims, parallel to one another in a stack.

    Parameters
    ----------
    radius_A
        Radius of a sac in Å, in projection on its plane.
    stack
        Number of sacs over each other, one number or (smallest, largest).
    lumen_A
        Distance in Å between the middles of both bilayers of a sac, one number or (smallest, largest).
    rim_swelling
        Distance between the bilayers at the rim over that in the middle, 1 to 3.
    gap_A
        Distance in Å between the middles of neighbouring bilayers of two sacs, one number or (smallest, largest).
    bend
        Height of the rim over the middle as a fraction of the radius, at most, 0 to 0.5.
    irregularity
        Relative departure of the rim from a circle, at most, 0 to 0.3.
    """

    __pydantic_config__ = SECTION

    radius_A: Amount = (900.0, 1500.0)
    name: str = "cisterna"
    stack: Count = 1
    lumen_A: Amount = (200.0, 280.0)
    rim_swelling: float = 1.2
    gap_A: Amount = (170.0, 220.0)
    bend: float = 0.15
    irregularity: float = 0.1
    kind: Literal["cisterna"] = "cisterna"

    def check_shape(self) -> None:
        """Check that sacs and stack have room for their bilayers."""
        fewest, most = check_count(self.stack, f"{self.where}: stack")
        if not 1 <= fewest <= most <= 30:
            raise InputError(f"{self.where}: stack is {self.stack}; it lies between 1 and 30")
        check_amount(self.lumen_A, f"{self.where}: lumen_A", 60.0)
        for key, low, high in (("rim_swelling", 1.0, 3.0), ("bend", 0.0, 0.5), ("irregularity", 0.0, 0.3)):
            value = getattr(self, key)
            if not low <= value <= high:
                raise InputError(f"{self.where}: {key} is {value:g}; it lies between {low:g} and {high:g}")
        smallest, _ = check_amount(self.radius_A, "radius_A")
        rim = largest(self.lumen_A) * self.rim_swelling
        if smallest < 2.5 * rim:
            raise InputError(
                f"{self.where}: a radius_A of {smallest:g} is too small for sacs of {rim:g} Å at the rim; it is 2.5 "
                "times that at least"
            )
        gap, _ = check_amount(self.gap_A, f"{self.where}: gap_A")
        needed = largest(self.lumen_A) * (self.rim_swelling - 1) + 2 * self.bilayer.half_thickness_A + 10.0
        if most > 1 and gap < needed:
            raise InputError(
                f"{self.where}: gap_A is {gap:g}, and the swollen rims of two bilayers of thickness_A "
                f"{self.thickness_A:g} need {needed:.0f}; widen the gap, or lower rim_swelling"
            )

    @property
    def smallest_bend_A(self) -> float:
        """Smallest radius of curvature: half of the lumen."""
        return check_amount(self.lumen_A, "lumen_A")[0] / 2

    @property
    def remedy(self) -> str:
        """Advice where a bilayer does not fit."""
        return "choose a larger lumen_A"

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the sacs, from the concave side on."""
        most = check_count(self.stack, "stack")[1]
        return ("",) if most == 1 else tuple(f"sac {number}" for number in range(1, most + 1))

    @property
    def part_range(self) -> tuple[int, int]:
        """Fewest and most sacs of a stack."""
        return check_count(self.stack, "stack")

    def measure_half_extents(self, radius_A: float) -> tuple[float, float, float]:
        """Return half of the edges of a box about a stack."""
        wide = radius_A * (1 + self.irregularity) * 1.1
        most = check_count(self.stack, "stack")[1]
        lumen = largest(self.lumen_A)
        high = (most - 1) * (lumen + largest(self.gap_A)) + lumen * self.rim_swelling
        # The rims of a bent stack hang over one side.
        return wide, wide, high / 2 + 0.65 * self.bend * radius_A

    def bound_radius(self, radius_A: float) -> float:
        """Return the radius in Å of a sphere about a disc of the box's height."""
        wide, _, high = self.measure_half_extents(radius_A)
        return math.hypot(wide, high)

    def make_parts(self, radius_A: float, rng: np.random.Generator) -> tuple[Part, ...]:
        """Draw a stack."""
        sacs = int(rng.integers(*self.part_range, endpoint=True))
        lumen, gap = draw(self.lumen_A, rng), draw(self.gap_A, rng)
        bend = max(_SMALLEST_BEND, rng.uniform(0, self.bend))
        # A cap of height b r and radius r lies on a sphere of radius r (1 + b²) / (2 b).
        sphere = radius_A * (1 + bend**2) / (2 * bend)
        heights = (np.arange(sacs) - (sacs - 1) / 2) * (lumen + gap)
        parts = []
        for number, height in enumerate(heights, start=1):
            outline = rng.uniform(-1, 1, 3) * self.irregularity / 3
            own = radius_A * (rng.uniform(0.85, 1.0) if sacs > 1 else 1.0)
            surface = cisterna(sphere + height, own, lumen, lumen * self.rim_swelling, outline)
            parts.append(Part(f"sac {number}", surface, np.array([0.0, 0.0, height])))
        return tuple(parts) if self.part_names[0] else single_part(parts[0].surface)
