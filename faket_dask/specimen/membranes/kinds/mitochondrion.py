"""Mitochondria: a double membrane whose inner one is folded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION, Amount, check_amount, draw, largest
from faket_dask.specimen.membranes.group import MembraneGroup
from faket_dask.specimen.membranes.part import Part
from faket_dask.specimen.surfaces.closed import ellipsoid
from faket_dask.specimen.surfaces.cristae import draw_cristae, folded_membrane
from faket_dask.specimen.surfaces.surface import BAND_A


@dataclass(frozen=True)
class Mitochondrion(MembraneGroup):
    """Elongated organelles of two membranes, the inner one with flat invaginations.

    Parameters
    ----------
    radius_A
        Half of the breadth in Å.
    elongation
        (Smallest, largest) length over the breadth, 1 to 4.
    inner_gap_A
        Distance in Å between the middles of outer and inner bilayer.
    crista_width_A
        Distance in Å between the middles of both bilayers of an invagination.
    crista_spacing_A
        Mean distance in Å between the middles of invaginations.
    """

    __pydantic_config__ = SECTION

    radius_A: Amount = (1000.0, 1300.0)
    name: str = "mitochondrion"
    elongation: tuple[float, float] = (1.4, 2.0)
    inner_gap_A: Amount = 180.0
    crista_width_A: Amount = (200.0, 260.0)
    crista_spacing_A: Amount = (600.0, 800.0)
    kind: Literal["mitochondrion"] = "mitochondrion"

    def check_shape(self) -> None:
        """Check that gap, invaginations and what is between them have room for their bilayers."""
        low, high = self.elongation
        if not 1 <= low <= high <= 4:
            raise InputError(
                f"{self.where}: elongation is {self.elongation}; give (smallest, largest) between 1 and 4"
            )
        needed = 2 * self.bilayer.half_thickness_A + 5.0
        gap, _ = check_amount(self.inner_gap_A, f"{self.where}: inner_gap_A")
        if gap < needed:
            raise InputError(
                f"{self.where}: inner_gap_A is {gap:g}, and two bilayers of thickness_A {self.thickness_A:g} need "
                f"{needed:g} from middle to middle; widen the gap"
            )
        check_amount(self.crista_width_A, f"{self.where}: crista_width_A", 60.0)
        spacing, _ = check_amount(self.crista_spacing_A, f"{self.where}: crista_spacing_A")
        widest = largest(self.crista_width_A)
        if spacing < 2.2 * widest:
            raise InputError(
                f"{self.where}: crista_spacing_A is {spacing:g}; it is at least 2.2 times the largest crista_width_A, "
                f"{2.2 * widest:g}"
            )
        smallest, _ = check_amount(self.radius_A, "radius_A")
        if smallest < 2.5 * widest + largest(self.inner_gap_A):
            raise InputError(
                f"{self.where}: a radius_A of {smallest:g} leaves no room for invaginations of {widest:g} Å; it is at "
                f"least {2.5 * widest + largest(self.inner_gap_A):g}"
            )

    @property
    def smallest_bend_A(self) -> float:
        """Smallest radius of curvature: of the inner edges of the invaginations, or of the tips of the inner body."""
        tips = check_amount(self.radius_A, "radius_A")[0] / self.elongation[1] - largest(self.inner_gap_A)
        return min(check_amount(self.crista_width_A, "crista_width_A")[0] / 2, tips)

    @property
    def remedy(self) -> str:
        """Advice where a bilayer does not fit."""
        return "choose a larger crista_width_A or radius_A, or less elongation"

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of both membranes."""
        return "outer", "inner"

    def measure_half_extents(self, radius_A: float) -> tuple[float, float, float]:
        """Return half of the edges of a box about an organelle."""
        return radius_A * self.elongation[1], radius_A, radius_A

    def bound_radius(self, radius_A: float) -> float:
        """Return the largest semi-axis in Å."""
        return self.measure_half_extents(radius_A)[0]

    def make_parts(self, radius_A: float, rng: np.random.Generator) -> tuple[Part, ...]:
        """Draw both membranes."""
        length_A = radius_A * rng.uniform(*self.elongation)
        flatness = rng.uniform(0.9, 1.0)
        gap_A = draw(self.inner_gap_A, rng)
        width_A = draw(self.crista_width_A, rng)
        # The inner membrane departs from the outer one to this depth, and the outer one's distances are needed there.
        outer = ellipsoid((length_A, radius_A, flatness * radius_A), gap_A + width_A + BAND_A)
        cristae = draw_cristae(
            length_A - gap_A,
            flatness * radius_A - gap_A,
            width_A,
            draw(self.crista_spacing_A, rng),
            rng,
        )
        place = np.zeros(3)
        return Part("outer", outer, place), Part("inner", folded_membrane(outer, gap_A, cristae), place)
