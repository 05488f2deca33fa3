"""Recipes: the contents of a specimen, in numbers and sizes that are values or ranges.

A recipe is plain data. A particle table (:mod:`faket_dask.specimen.placement`) is one draw from it, and blocks of
density and labels (:mod:`faket_dask.specimen.render`) follow from the two without any further randomness.

`Species`, `Vesicles`, `Sheets` and `Fiducials` are the sections of the run file, too: their fields are its keys, and
their defaults and checks are the only ones.
"""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BeforeValidator, ConfigDict, Field

from faket_dask.documents.section import refuse_bool
from faket_dask.errors import InputError
from faket_dask.specimen.composition import mean_map_potential
from faket_dask.specimen.phantoms import PHANTOMS
from faket_dask.specimen.template import Sampling

VESICLE = "vesicle"
SHEET = "sheet"
FIDUCIAL = "fiducial"
RESERVED_NAMES = (VESICLE, FIDUCIAL, SHEET)

LARGEST_INSTANCE = 65535
"""Most objects that a 16-bit instance mask can distinguish."""

MOST_OBJECTS = 1_000_000
"""Most objects in a specimen, unlabelled ones included."""

LARGEST_AMOUNT = 1e9
"""Largest length in Å, and largest number of particles per µm³."""

_Number = Annotated[int, Field(ge=0, le=MOST_OBJECTS)]
Count = Annotated[_Number | tuple[_Number, _Number], BeforeValidator(refuse_bool)]
"""Number of objects, or (smallest, largest), both included."""

_Real = Annotated[float, Field(ge=0, le=LARGEST_AMOUNT)]
Amount = Annotated[_Real | tuple[_Real, _Real], BeforeValidator(refuse_bool)]
"""Length, or (smallest, largest)."""

_SECTION = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Rules for reading a dataclass from the run file: unknown keys and infinite numbers are errors."""


def _interval(value: Amount, what: str, smallest: float = 0.0) -> tuple[float, float]:
    low, high = value if isinstance(value, tuple) else (value, value)
    if not (math.isfinite(low) and math.isfinite(high) and smallest <= low <= high):
        raise InputError(f"{what} is {value}; give one number, or (smallest, largest), from {smallest:g} up")
    return low, high


def _whole(value: Count, what: str) -> tuple[int, int]:
    low, high = _interval(value, what)
    if low != int(low) or high != int(high):
        raise InputError(f"{what} is {value}; counts are whole numbers")
    return int(low), int(high)


@dataclass(frozen=True)
class Species:
    """Particles of one class; exactly one of `count` and `density_per_um3` says how many.

    Parameters
    ----------
    name
        Name of the class, as it appears in tables and label maps.
    source
        Name of a built-in phantom, or path of a structure (PDB, mmCIF) or of a density map (MRC); a tuple of them
        for several conformations, which are equally likely. ``None`` stands for the phantom called `name`.
    count
        Particles per specimen, one number or (smallest, largest), both included.
    density_per_um3
        Particles per cubic micrometre of the volume, one number or (smallest, largest).
    labelled
        False for crowding: the particles are imaged, and absent from masks and from the class list.
    on_membrane
        True for particles that sit on vesicles and sheets, their z axis along the outward normal.
    membrane_offset_A
        Height of the particle's centre over the middle of the bilayer, in Å.
    assembly
        Biological assembly of a structure file: its name, ``None`` for the first where the file lists any,
        ``"asymmetric unit"`` for the coordinates as they stand.
    rna_fraction
        Share of RNA in the mass of a particle that comes from a density map, 0 to 1: 0 for proteins, about 0.5 for
        ribosomes of mitochondria, 0.55 of eukaryotes, 0.65 of bacteria. It sets the mean potential inside the map,
        since maps come in arbitrary units: 2.1, 2.5, 2.6, 2.7 V over ice. Coordinates have a composition of their own.
    map_potential_V
        Mean potential inside a density map over that of ice, in volts, instead of that which follows from
        `rna_fraction`.

    Raises
    ------
    InputError
        If the name is taken, a source is neither a phantom nor a file, or a number is impossible.

    Examples
    --------
    >>> Species("boot", count=(3, 5)).sources
    ('boot',)
    """

    __pydantic_config__ = _SECTION

    name: str
    source: str | tuple[str, ...] | None = None
    count: Count | None = None
    density_per_um3: Amount | None = None
    labelled: bool = True
    on_membrane: bool = False
    membrane_offset_A: float = 0.0
    assembly: str | None = None
    rna_fraction: float = 0.0
    map_potential_V: float | None = None

    def __post_init__(self) -> None:
        where = f"species '{self.name}'"
        if not self.name or self.name in RESERVED_NAMES:
            raise InputError(f"{where}: the names {', '.join(RESERVED_NAMES)} are taken; choose another")
        if not self.sources:
            raise InputError(f"{where} has no source; give a built-in phantom or a file")
        for source in self.sources:
            if source not in PHANTOMS and not os.path.isfile(source):
                raise InputError(
                    f"{where}: '{source}' is neither a file nor a built-in phantom ({', '.join(PHANTOMS)})"
                )
        if (self.count is None) == (self.density_per_um3 is None):
            raise InputError(f"{where}: give exactly one of count and density_per_um3")
        if self.count is not None:
            _whole(self.count, f"{where}: count")
        if self.density_per_um3 is not None:
            _interval(self.density_per_um3, f"{where}: density_per_um3")
        if not 0 <= self.rna_fraction <= 1:
            raise InputError(f"{where}: rna_fraction is {self.rna_fraction:g}; it lies between 0 and 1")
        if self.map_potential_V is not None and self.rna_fraction:
            raise InputError(f"{where}: give one of rna_fraction and map_potential_V, not both")
        if self.map_potential_V is not None and not 0 < self.map_potential_V <= 1000:
            raise InputError(
                f"{where}: map_potential_V is {self.map_potential_V:g}; it must be positive, and at most 1000"
            )
        if not abs(self.membrane_offset_A) <= 10_000:
            raise InputError(
                f"{where}: membrane_offset_A is {self.membrane_offset_A:g}; it lies between -10000 and 10000"
            )

    @property
    def mean_potential_V(self) -> float:
        """Mean potential inside a density map, in volts over ice."""
        if self.map_potential_V is None:
            return mean_map_potential(self.rna_fraction)
        return self.map_potential_V

    @property
    def sources(self) -> tuple[str, ...]:
        """Source of each conformation."""
        if self.source is None:
            return (self.name,)
        return (self.source,) if isinstance(self.source, str) else self.source


@dataclass(frozen=True)
class Vesicles:
    """Closed lipid membranes.

    Parameters
    ----------
    count
        Vesicles per specimen, one number or (smallest, largest).
    radius_A
        Radius of the middle of the bilayer, in Å, one number or (smallest, largest).
    deformation
        Relative departure from a sphere, 0 to 0.2.

    Raises
    ------
    InputError
        If a number is impossible.
    """

    __pydantic_config__ = _SECTION

    count: Count = 1
    radius_A: Amount = (250.0, 450.0)
    deformation: float = 0.1

    def __post_init__(self) -> None:
        _whole(self.count, "vesicles: count")
        _interval(self.radius_A, "vesicles: radius_A", 100.0)
        if not 0 <= self.deformation <= 0.2:
            raise InputError(f"vesicles: deformation is {self.deformation}; it lies between 0 and 0.2")


@dataclass(frozen=True)
class Sheets:
    """Open lipid membranes: curved round patches.

    Parameters
    ----------
    count
        Sheets per specimen, one number or (smallest, largest).
    radius_A
        Radius of the patch, in Å, one number or (smallest, largest).
    bend
        Height of the rim over the middle as a fraction of the radius, at most, 0 to 0.5.

    Raises
    ------
    InputError
        If a number is impossible.
    """

    __pydantic_config__ = _SECTION

    count: Count = 1
    radius_A: Amount = (250.0, 500.0)
    bend: float = 0.3

    def __post_init__(self) -> None:
        _whole(self.count, "sheets: count")
        _interval(self.radius_A, "sheets: radius_A", 100.0)
        if not 0 <= self.bend <= 0.5:
            raise InputError(f"sheets: bend is {self.bend}; it lies between 0 and 0.5")


@dataclass(frozen=True)
class Fiducials:
    """Gold beads.

    Parameters
    ----------
    count
        Beads per specimen, one number or (smallest, largest).
    diameter_A
        Diameter in Å, one number or (smallest, largest).

    Raises
    ------
    InputError
        If a number is impossible.
    """

    __pydantic_config__ = _SECTION

    count: Count = 6
    diameter_A: Amount = (90.0, 110.0)

    def __post_init__(self) -> None:
        _whole(self.count, "fiducials: count")
        _interval(self.diameter_A, "fiducials: diameter_A", 10.0)


@dataclass(frozen=True)
class Recipe:
    """Contents of a specimen before anything is drawn.

    Parameters
    ----------
    shape
        Voxels ``(z, y, x)`` of the volume; its z extent is the slab.
    voxel_size_A
        Edge of a voxel in Å.
    species
        Particle classes, in the order of their labels.
    vesicles, sheets, fiducials
        Membranes and gold beads, if any.
    ice_texture
        Strength of the density fluctuations of amorphous ice; 1 is the physical one, 0 none.
    surroundings_V
        Mean potential over that of ice of what the objects displace, in volts: 0 for ice, about 0.8 for cytosol, a
        quarter of the volume of which is protein of 3.3 V.
    spacing_A
        Smallest gap between two objects, in Å; at least one voxel is kept.
    balanced
        True if all labelled particle classes have the same number of particles, drawn from the range that all allow.
    sampling
        Frequencies that voxels keep.

    Raises
    ------
    InputError
        For impossible shapes, sizes, counts, or repeated names, and where nothing at all is requested.

    Examples
    --------
    >>> recipe = Recipe((40, 60, 80), 10.0, (Species("boot", count=3),), fiducials=Fiducials(2))
    >>> recipe.class_ids
    {'boot': 1, 'fiducial': 2}
    """

    shape: tuple[int, int, int]
    voxel_size_A: float
    species: tuple[Species, ...] = ()
    vesicles: Vesicles | None = None
    sheets: Sheets | None = None
    fiducials: Fiducials | None = None
    ice_texture: float = 1.0
    surroundings_V: float = 0.0
    spacing_A: float = 0.0
    balanced: bool = False
    sampling: Sampling = Sampling.SMOOTHED

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or any(n != int(n) or n < 2 for n in self.shape):
            raise InputError(f"specimen shape is {self.shape}; give (z, y, x) in voxels, each at least 2")
        if not (math.isfinite(self.voxel_size_A) and self.voxel_size_A > 0):
            raise InputError(f"specimen voxel size is {self.voxel_size_A}; it must be positive, in Å")
        if not (self.ice_texture >= 0 and self.spacing_A >= 0):
            raise InputError("specimen: ice_texture and spacing_A must not be negative")
        if not abs(self.surroundings_V) <= 100:
            raise InputError(f"specimen: surroundings_V is {self.surroundings_V:g}; it lies within ±100 V")
        names = [species.name for species in self.species]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise InputError(f"specimen: class {', '.join(repeated)} is listed more than once")
        if len(self.class_ids) > 255:
            raise InputError(f"specimen: {len(self.class_ids)} classes do not fit an 8-bit class mask")
        if not any(self.largest_counts()):
            raise InputError("specimen: zero particles are requested; give at least one class a count")
        objects = sum(self.largest_counts())
        if objects > MOST_OBJECTS:
            raise InputError(
                f"specimen: {objects} objects are requested, and at most {MOST_OBJECTS} are possible; ask for fewer"
            )
        labelled = sum(self.largest_counts()) - sum(
            self.count_range(species)[1] for species in self.species if not species.labelled
        )
        if labelled > LARGEST_INSTANCE:
            raise InputError(
                f"specimen: {labelled} labelled objects do not fit a 16-bit instance mask, which tells "
                f"{LARGEST_INSTANCE} apart; ask for fewer, or make some of them unlabelled"
            )
        if self.balanced:
            _ = self.common_range
        if any(species.on_membrane for species in self.species) and not (self.vesicles or self.sheets):
            raise InputError("specimen: a class sits on membranes, and there are neither vesicles nor sheets")

    @property
    def class_ids(self) -> dict[str, int]:
        """Label of every class: 1, 2, … in the given order, then vesicle, fiducial, sheet; 0: background."""
        names = [species.name for species in self.species if species.labelled]
        names += [VESICLE] * (self.vesicles is not None)
        names += [FIDUCIAL] * (self.fiducials is not None)
        names += [SHEET] * (self.sheets is not None)
        return {name: index for index, name in enumerate(names, start=1)}

    @property
    def extent(self) -> tuple[float, float, float]:
        """Distance ``(x, y, z)`` in Å between the centres of opposite corner voxels."""
        z, y, x = self.shape
        return (x - 1) * self.voxel_size_A, (y - 1) * self.voxel_size_A, (z - 1) * self.voxel_size_A

    @property
    def volume_um3(self) -> float:
        """Volume in cubic micrometres."""
        return float(math.prod(self.shape)) * self.voxel_size_A**3 * 1e-12

    def largest_counts(self) -> Iterable[int]:
        """Yield the most objects that each entry can ask for, in the order species, vesicles, sheets, fiducials."""
        for species in self.species:
            yield self.count_range(species)[1]
        for group in (self.vesicles, self.sheets, self.fiducials):
            yield 0 if group is None else _whole(group.count, "count")[1]

    def count_range(self, group: Species | Vesicles | Sheets | Fiducials) -> tuple[int, int]:
        """Return the fewest and the most objects that one entry asks for."""
        if group.count is not None:
            return _whole(group.count, "count")
        assert isinstance(group, Species)
        assert group.density_per_um3 is not None
        low, high = _interval(group.density_per_um3, "density_per_um3")
        return round(low * self.volume_um3), round(high * self.volume_um3)

    @property
    def common_range(self) -> tuple[int, int]:
        """Fewest and most particles that every labelled class allows.

        Raises
        ------
        InputError
            When there is no number that all allow, or no labelled class.
        """
        ranges = {species.name: self.count_range(species) for species in self.species if species.labelled}
        if not ranges:
            raise InputError("specimen: `balanced` needs labelled classes; there are none")
        most = max(ranges, key=lambda name: ranges[name][0])
        fewest = min(ranges, key=lambda name: ranges[name][1])
        low, high = ranges[most][0], ranges[fewest][1]
        if low > high:
            raise InputError(
                f"specimen: `balanced` gives every class the same number, but '{most}' asks for at least {low} and "
                f"'{fewest}' for at most {high}; let their counts overlap"
            )
        return low, high

    def draw_count(self, group: Species | Vesicles | Sheets | Fiducials, rng: np.random.Generator) -> int:
        """Draw the number of objects of one entry for one specimen."""
        low, high = self.count_range(group)
        return int(rng.integers(low, high, endpoint=True))


def largest(value: Amount) -> float:
    """Return the upper end of a value or a range.

    Examples
    --------
    >>> largest(3.0), largest((2.0, 5.0))
    (3.0, 5.0)
    """
    return float(value[1] if isinstance(value, tuple) else value)


def draw(value: Amount, rng: np.random.Generator) -> float:
    """Draw one number uniformly from a value or a range."""
    low, high = value if isinstance(value, tuple) else (value, value)
    return float(rng.uniform(low, high))
