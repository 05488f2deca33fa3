"""Arrangements of filaments in a run file: bundles and branches."""

from dataclasses import dataclass

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION, Amount, Count, check_amount, check_count


@dataclass(frozen=True)
class Bundle:
    """Filaments side by side on a hexagonal lattice.

    Parameters
    ----------
    filaments
        Filaments in a bundle, one number or (smallest, largest): 7, 19 and 37 fill whole rings.
    spacing_A
        Distance between neighbours in Å: about 120 for fimbrin, 350 to 400 for α-actinin.
    parallel
        True if all have the same polarity; otherwise each has one of its own.

    Raises
    ------
    InputError
        If a number is impossible.
    """

    __pydantic_config__ = SECTION

    filaments: Count = 7
    spacing_A: float = 120.0
    parallel: bool = True

    def __post_init__(self) -> None:
        low, _ = check_count(self.filaments, "bundle: filaments")
        if low < 2:
            raise InputError(f"bundle: filaments is {self.filaments}; a bundle has 2 at least")
        check_amount(self.spacing_A, "bundle: spacing_A", 1.0)


@dataclass(frozen=True)
class Branches:
    """Filaments that start on the side of another one of their kind.

    Parameters
    ----------
    count
        Branches on each filament, one number or (smallest, largest).
    angle_deg
        Angle between a filament's plus end and the branch, in degrees: 70 where Arp2/3 makes it.
    spread_deg
        Standard deviation of the angle in degrees.
    length_A
        Length of a branch in Å, one number or (smallest, largest).

    Raises
    ------
    InputError
        If a number is impossible.
    """

    __pydantic_config__ = SECTION

    count: Count = 1
    angle_deg: float = 70.0
    spread_deg: float = 7.0
    length_A: Amount = (500.0, 1500.0)

    def __post_init__(self) -> None:
        check_count(self.count, "branches: count")
        check_amount(self.length_A, "branches: length_A")
        if not 10 <= self.angle_deg <= 170:
            raise InputError(f"branches: angle_deg is {self.angle_deg:g}; it lies between 10 and 170")
        if not 0 <= self.spread_deg <= 30:
            raise InputError(f"branches: spread_deg is {self.spread_deg:g}; it lies between 0 and 30")
