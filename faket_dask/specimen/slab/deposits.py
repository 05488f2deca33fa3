"""Settings of what lies on the faces of a slab."""

from dataclasses import dataclass

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION, Amount, Count, check_amount, check_count


@dataclass(frozen=True)
class Carbon:
    """Carbon film with a hole, at one face of the ice; it goes on to the edges of the volume.

    Parameters
    ----------
    thickness_A
        Thickness in Å, one number or (smallest, largest).
    edge_roughness_A
        Standard deviation of the hole's radius along its edge in Å, one number or (smallest, largest).
    texture
        Strength of the density fluctuations; 1 is that of atoms at random places, 0 none.

    Raises
    ------
    InputError
        If a number is impossible.
    """

    __pydantic_config__ = SECTION

    thickness_A: Amount = (100.0, 200.0)
    edge_roughness_A: Amount = (10.0, 60.0)
    texture: float = 1.0

    def __post_init__(self) -> None:
        check_amount(self.thickness_A, "carbon: thickness_A", 10.0)
        check_amount(self.edge_roughness_A, "carbon: edge_roughness_A")
        if not 0 <= self.texture <= 100:
            raise InputError(f"carbon: texture is {self.texture:g}; it lies between 0 and 100")


@dataclass(frozen=True)
class Contamination:
    """Crystals of ice on the faces.

    Parameters
    ----------
    count
        Crystals per specimen, one number or (smallest, largest).
    diameter_A
        Diameter in Å, one number or (smallest, largest).

    Raises
    ------
    InputError
        If a number is impossible.
    """

    __pydantic_config__ = SECTION

    count: Count = (1, 5)
    diameter_A: Amount = (200.0, 600.0)

    def __post_init__(self) -> None:
        check_count(self.count, "contamination: count")
        check_amount(self.diameter_A, "contamination: diameter_A", 50.0)
