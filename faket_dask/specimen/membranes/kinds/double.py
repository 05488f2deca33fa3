"""Membranes that may have a second one within."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import Amount, check_amount, draw, largest
from faket_dask.specimen.membranes.group import MembraneGroup
from faket_dask.specimen.membranes.part import Part, double_membrane, single_part
from faket_dask.specimen.surfaces.surface import BAND_A, Surface


@dataclass(frozen=True)
class DoubleMembraneGroup(MembraneGroup):
    """Closed membranes, single or double: envelopes of nuclei, plastids and bacteria, autophagosomes.

    Parameters
    ----------
    inner_gap_A
        Distance in Å between the middles of both bilayers of a double membrane, one number or (smallest, largest);
        none for a single one.
    """

    inner_gap_A: Amount | None = None

    @abstractmethod
    def make_surface(self, radius_A: float, rng: np.random.Generator) -> Surface:
        """Draw the outer membrane, exact to a depth of `band_A`."""

    @property
    @abstractmethod
    def outer_bend_A(self) -> float:
        """Smallest radius of curvature in Å of the outer membrane."""

    @property
    def smallest_bend_A(self) -> float:
        """Smallest radius of curvature in Å of either membrane."""
        return self.outer_bend_A - (0.0 if self.inner_gap_A is None else largest(self.inner_gap_A))

    @property
    def remedy(self) -> str:
        """Advice where a bilayer does not fit."""
        narrower = "" if self.inner_gap_A is None else ", a smaller inner_gap_A"
        return f"choose a larger radius_A{narrower}, or a shape that is less bent"

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the parts of an organelle."""
        return ("",) if self.inner_gap_A is None else ("outer", "inner")

    @property
    def band_A(self) -> float:
        """Depth in Å to which distances are exact: that of the inner membrane's bilayer."""
        return BAND_A + (0.0 if self.inner_gap_A is None else largest(self.inner_gap_A))

    def check_shape(self) -> None:
        """Check that both bilayers fit into the gap."""
        if self.inner_gap_A is None:
            return
        low, _ = check_amount(self.inner_gap_A, f"{self.where}: inner_gap_A")
        needed = 2 * self.bilayer.half_thickness_A + 5.0
        if low < needed:
            raise InputError(
                f"{self.where}: inner_gap_A is {low:g}, and two bilayers of thickness_A {self.thickness_A:g} need "
                f"{needed:g} from middle to middle; widen the gap"
            )

    def make_parts(self, radius_A: float, rng: np.random.Generator) -> tuple[Part, ...]:
        """Draw the membranes of one organelle."""
        surface = self.make_surface(radius_A, rng)
        if self.inner_gap_A is None:
            return single_part(surface)
        return double_membrane(surface, draw(self.inner_gap_A, rng))


def check_aspect(aspect: tuple[float, float], what: str) -> None:
    """Refuse aspects that are not a range between 0.1 and 1."""
    low, high = aspect
    if not 0.1 <= low <= high <= 1:
        raise InputError(f"{what} is {aspect}; give (smallest, largest) between 0.1 and 1")


def draw_semi_axes(
    radius_A: float, aspect: tuple[float, float], rng: np.random.Generator
) -> tuple[float, float, float]:
    """Draw semi-axes in Å, the longest first."""
    first, second = sorted(rng.uniform(*aspect, 2), reverse=True)
    return radius_A, first * radius_A, second * radius_A
