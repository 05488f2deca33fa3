"""Kinds of filaments: helices such as actin, microtubules, and polymers of beads."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from faket_dask.errors import InputError
from faket_dask.specimen.filaments.group import FilamentGroup
from faket_dask.specimen.filaments.lattice import Beads, Helix, Lattice, MicrotubuleLattice
from faket_dask.specimen.phantoms import ACTIN_LIKE, TUBULIN_LIKE

SMALLEST_SPACING_A, LARGEST_SPACING_A = 0.5, 10_000.0
"""Distances along a filament from one subunit to the next that can be meant; coat proteins of viruses have 1.4 Å."""


@dataclass(frozen=True)
class Helices(FilamentGroup):
    """Filaments of subunits on one helix; the defaults are those of actin.

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
    >>> Helices("actin", count=3, length_A=(1000.0, 2000.0)).lattice
    Helix(rise_A=27.5, twist_deg=-166.7, radius_A=16.0)
    """

    kind: Literal["helix"] = "helix"
    persistence_length_A: float = 1.7e5
    rise_A: float = 27.5
    twist_deg: float = -166.7
    radius_A: float = 16.0

    def __post_init__(self) -> None:
        if not (
            SMALLEST_SPACING_A <= self.rise_A <= LARGEST_SPACING_A
            and 0 <= self.radius_A <= LARGEST_SPACING_A
            and abs(self.twist_deg) <= 360
        ):
            raise InputError(
                f"{self.where}: rise_A is {self.rise_A:g}, twist_deg {self.twist_deg:g} and radius_A "
                f"{self.radius_A:g}; a rise lies between {SMALLEST_SPACING_A:g} and {LARGEST_SPACING_A:g} Å, a radius "
                f"is not negative, and at most {LARGEST_SPACING_A:g} Å, and a twist lies within ±360°"
            )
        super().__post_init__()

    @cached_property
    def lattice(self) -> Lattice:
        """Helix of the subunits."""
        return Helix(self.rise_A, self.twist_deg, self.radius_A)

    @property
    def default_source(self) -> str:
        """Phantom like an actin monomer."""
        return ACTIN_LIKE


@dataclass(frozen=True)
class Microtubules(FilamentGroup):
    """Microtubules: tubulin dimers in protofilaments about a lumen, with a seam.

    Parameters
    ----------
    protofilaments
        Number of protofilaments, 11 to 16.
    dimer_A
        Length of a dimer along its protofilament in Å.

    Examples
    --------
    >>> round(Microtubules("mt", protofilaments=14).lattice.radius_A)
    115
    """

    kind: Literal["microtubule"] = "microtubule"
    persistence_length_A: float = 1e7
    protofilaments: int = 13
    dimer_A: float = 81.8

    def __post_init__(self) -> None:
        if not 40 <= self.dimer_A <= 200:
            raise InputError(f"{self.where}: dimer_A is {self.dimer_A:g}; it lies between 40 and 200")
        try:
            _ = self.lattice
        except InputError as error:
            raise InputError(f"{self.where}: {error}") from None
        super().__post_init__()

    @cached_property
    def lattice(self) -> Lattice:
        """B lattice of dimers."""
        return MicrotubuleLattice(self.protofilaments, self.dimer_A)

    @property
    def default_source(self) -> str:
        """Phantom like a tubulin dimer."""
        return TUBULIN_LIKE


@dataclass(frozen=True)
class Polymers(FilamentGroup):
    """Polymers: particles of any kind as beads on a line.

    Parameters
    ----------
    spacing_A
        Distance between neighbouring beads in Å.

    Examples
    --------
    >>> Polymers("beads", source="comma", spacing_A=90.0, persistence_length_A=500.0).lattice.spacing_A
    90.0
    """

    kind: Literal["polymer"] = "polymer"
    spacing_A: float = 60.0

    def __post_init__(self) -> None:
        if not SMALLEST_SPACING_A <= self.spacing_A <= LARGEST_SPACING_A:
            raise InputError(
                f"{self.where}: spacing_A is {self.spacing_A:g}; it lies between {SMALLEST_SPACING_A:g} and "
                f"{LARGEST_SPACING_A:g}"
            )
        super().__post_init__()

    @cached_property
    def lattice(self) -> Lattice:
        """Beads on a line."""
        return Beads(self.spacing_A)

    @property
    def default_source(self) -> str:
        """Smallest phantom."""
        return "comma"
