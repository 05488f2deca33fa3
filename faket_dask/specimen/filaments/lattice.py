"""Lattices: places of subunits about a straight axis, before it is bent into a centre line."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError


@dataclass(frozen=True, eq=False)
class Sites:
    """Places of subunits about an axis, in the order along it.

    Parameters
    ----------
    axial_A
        ``(m,)`` position along the axis in Å, from the minus end.
    azimuth_rad
        ``(m,)`` angle about the axis, counter-clockwise as seen from the plus end.
    strand
        ``(m,)`` number of the protofilament or strand, from 0.
    """

    axial_A: NDArray[np.float64]
    azimuth_rad: NDArray[np.float64]
    strand: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.axial_A)


class Lattice(Protocol):
    """Arrangement of the subunits of a straight filament."""

    @property
    def spacing_A(self) -> float:
        """Distance along the axis in Å from a subunit to the next of the same strand."""
        ...

    @property
    def radius_A(self) -> float:
        """Distance of a subunit's centre from the axis in Å."""
        ...

    @property
    def skew_deg(self) -> float:
        """Angle of the subunits of a strand to the axis, about the radius, in degrees; positive if right-handed."""
        ...

    def sites(self, length_A: float) -> Sites:
        """Compute the places of the subunits of a filament of so many Å."""
        ...

    def count(self, length_A: float) -> int:
        """Compute the largest number of subunits of a filament of so many Å."""
        ...


@dataclass(frozen=True)
class Helix:
    """One helix of equal subunits.

    Parameters
    ----------
    rise_A
        Distance along the axis from a subunit to the next, in Å.
    twist_deg
        Turn about the axis from a subunit to the next, in degrees; negative for a left-handed helix.
    radius_A
        Distance of a subunit's centre from the axis in Å.

    Examples
    --------
    >>> sites = Helix(27.5, -166.7, 16.0).sites(100.0)
    >>> sites.axial_A, np.degrees(sites.azimuth_rad[1:]).round(1)
    (array([13.75, 41.25, 68.75]), array([-166.7, -333.4]))
    """

    rise_A: float
    twist_deg: float
    radius_A: float

    @property
    def spacing_A(self) -> float:
        """Rise in Å."""
        return self.rise_A

    @property
    def skew_deg(self) -> float:
        """Zero: subunits stand along the axis."""
        return 0.0

    def count(self, length_A: float) -> int:
        """Compute the number of whole subunits in so many Å."""
        return int(length_A / self.rise_A + 1e-9)

    def sites(self, length_A: float) -> Sites:
        """Compute the places of the subunits of a filament of so many Å, half a rise from its minus end on."""
        order = np.arange(self.count(length_A))
        return Sites(
            np.asarray((order + 0.5) * self.rise_A, np.float64),
            np.asarray(order * math.radians(self.twist_deg), np.float64),
            np.zeros(len(order), np.int64),
        )


MICROTUBULE_STARTS = {11: 3, 12: 3, 13: 3, 14: 3, 15: 4, 16: 4}
"""Helices of monomers by the number of protofilaments, for the lattices that have to turn least to close.

Sui & Downing (Structure 18, 1022, 2010) reconstructed microtubules of 11 to 16 protofilaments.
"""

LATERAL_SPACING_A = 51.5
LATERAL_STAGGER = 3 / 13
"""Distance between neighbouring protofilaments in Å, and their stagger in monomers, by which three helices of monomers
close without a twist about 13 protofilaments (Chrétien & Wade, Biol. Cell 71, 161, 1991)."""


@dataclass(frozen=True)
class MicrotubuleLattice:
    """B lattice of tubulin dimers, rolled up into a microtubule.

    Protofilaments are staggered so that monomers form left-handed helices, three for 13 protofilaments. By the lattice
    accommodation model (Chrétien & Wade, Biol. Cell 71, 161, 1991) the flat lattice keeps its shape and turns until
    it closes: its protofilaments wind about the axis slowly, except for 13 of them. With an odd number of helices
    dimers cannot close as monomers do, and the lattice has a seam between its last and its first protofilament, where
    neighbours are unlike.

    Parameters
    ----------
    protofilaments
        Number of protofilaments, 11 to 16.
    dimer_A
        Length of a dimer along its protofilament in Å.

    Raises
    ------
    InputError
        If no lattice is known for the number of protofilaments.

    Examples
    --------
    >>> straight = MicrotubuleLattice(13, 81.8)
    >>> straight.has_seam, round(straight.radius_A, 1), round(straight.supertwist_pitch_A, -3)
    (True, 106.6, inf)
    >>> left = MicrotubuleLattice(14, 81.8)
    >>> round(left.skew_deg, 2), round(left.supertwist_pitch_A, -3)
    (-0.75, -55000.0)
    """

    protofilaments: int
    dimer_A: float

    def __post_init__(self) -> None:
        if self.protofilaments not in MICROTUBULE_STARTS:
            raise InputError(
                f"protofilaments is {self.protofilaments}; lattices are known for "
                f"{', '.join(map(str, MICROTUBULE_STARTS))}"
            )

    @property
    def starts(self) -> int:
        """Number of helices of monomers."""
        return MICROTUBULE_STARTS[self.protofilaments]

    @property
    def has_seam(self) -> bool:
        """True if dimers do not close helically."""
        return self.starts % 2 == 1

    @property
    def _closure(self) -> tuple[float, float]:
        """Vector in Å of the flat lattice, against the azimuth and along protofilaments, that closes to a circle.

        Once around, and down by the helices, one comes back to the monomer that one started from.
        """
        across = self.protofilaments * LATERAL_SPACING_A
        along = 0.5 * self.dimer_A * (self.protofilaments * LATERAL_STAGGER - self.starts)
        # Thirteen times 3/13 is not 3 in floating point.
        return across, along if abs(along) > 1e-9 else 0.0

    @property
    def radius_A(self) -> float:
        """Distance of the dimers' centres from the axis in Å."""
        return math.hypot(*self._closure) / (2 * math.pi)

    @property
    def skew_deg(self) -> float:
        """Angle of protofilaments to the axis in degrees; positive if they wind in a right-handed way."""
        across, along = self._closure
        return math.degrees(math.atan2(0.0 - along, across))

    @property
    def supertwist_pitch_A(self) -> float:
        """Distance along the axis in Å in which a protofilament goes once around; negative for a left-handed one."""
        slope = math.tan(math.radians(self.skew_deg))
        return math.inf if slope == 0 else 2 * math.pi * self.radius_A / slope

    @property
    def spacing_A(self) -> float:
        """Distance in Å along the axis between the dimers of a protofilament."""
        return self.dimer_A * math.cos(math.radians(self.skew_deg))

    def count(self, length_A: float) -> int:
        """Compute the largest number of dimers in so many Å."""
        return self.protofilaments * (int(length_A / self.spacing_A) + 1)

    def sites(self, length_A: float) -> Sites:
        """Compute the places of the dimers whose centres lie half a dimer or more from both ends.

        Ends are blunt: each protofilament has the dimers that fit.
        """
        skew = math.radians(self.skew_deg)
        reach = length_A / self.dimer_A + self.starts + 2
        strand, order = (
            index.ravel()
            for index in np.meshgrid(
                np.arange(self.protofilaments), np.arange(-math.ceil(reach), math.ceil(reach)), indexing="ij"
            )
        )
        # The flat lattice: protofilaments against the azimuth, staggered towards the plus end.
        across = strand * LATERAL_SPACING_A
        along = order * self.dimer_A + strand * LATERAL_STAGGER * 0.5 * self.dimer_A
        axial = along * math.cos(skew) + across * math.sin(skew) + 0.5 * self.spacing_A
        azimuth = (along * math.sin(skew) - across * math.cos(skew)) / self.radius_A
        half = 0.5 * self.spacing_A * (1 - 1e-9)
        kept = (axial >= half) & (axial <= length_A - half)
        sequence = np.lexsort((strand[kept], axial[kept]))
        return Sites(axial[kept][sequence], azimuth[kept][sequence], strand[kept][sequence])


@dataclass(frozen=True)
class Beads:
    """Beads on a line, all with the same orientation to it.

    Parameters
    ----------
    spacing_A
        Distance between neighbouring beads in Å.

    Examples
    --------
    >>> Beads(50.0).sites(120.0).axial_A
    array([25., 75.])
    """

    spacing_A: float

    @property
    def radius_A(self) -> float:
        """Zero: beads sit on the line."""
        return 0.0

    @property
    def skew_deg(self) -> float:
        """Zero: beads stand along the line."""
        return 0.0

    def count(self, length_A: float) -> int:
        """Compute the number of whole beads in so many Å."""
        return Helix(self.spacing_A, 0.0, 0.0).count(length_A)

    def sites(self, length_A: float) -> Sites:
        """Compute the places of the beads of a line of so many Å."""
        return Helix(self.spacing_A, 0.0, 0.0).sites(length_A)
