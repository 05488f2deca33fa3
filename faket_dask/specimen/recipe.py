"""Recipes: the contents of a specimen, in numbers and sizes that are values or ranges.

A recipe is plain data. A particle table (:mod:`faket_dask.specimen.placement`) is one draw from it, and blocks of
density and labels (:mod:`faket_dask.specimen.render`) follow from the two without any further randomness.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import MOST_OBJECTS
from faket_dask.specimen.class_names import OUTSIDE
from faket_dask.specimen.component import BoundingComponent, Component, GroupedComponent, Layer
from faket_dask.specimen.crowding import Crowding
from faket_dask.specimen.filaments.group import FilamentGroup
from faket_dask.specimen.membranes.group import MembraneGroup
from faket_dask.specimen.species import Species
from faket_dask.specimen.template import Sampling
from faket_dask.specimen.voxel_grid import VoxelGrid

LARGEST_INSTANCE = 65535
"""Most objects that a 16-bit instance mask can distinguish."""


@dataclass(frozen=True)
class Recipe:
    """Contents of a specimen before anything is drawn.

    Parameters
    ----------
    shape
        Voxels ``(z, y, x)`` of the volume; its z extent is the slab.
    voxel_size_A
        Edge of a voxel in Å.
    components
        Particles, membranes, beads and other objects; labels are numbered in their order.
    ice_texture
        Strength of the density fluctuations of amorphous ice; 1 is the physical one, 0 none.
    surroundings_V
        Mean potential over that of ice of what the objects displace, in volts: 0 for ice, about 0.8 for cytosol, a
        quarter of the volume of which is protein of 3.3 V.
    spacing_A
        Smallest gap between two objects, in Å; at 0 they may touch.
    balanced
        True if all labelled particle classes have the same number of particles, drawn from the range that all allow.
    sampling
        Frequencies that voxels keep.
    cut_surfaces
        True if the slab's surfaces cut objects, as in a lamella; in a film of ice objects keep within it.

    Raises
    ------
    InputError
        For impossible shapes, sizes, counts, or repeated names, and where nothing at all is requested.

    Examples
    --------
    >>> from faket_dask.specimen.fiducials import Fiducials
    >>> recipe = Recipe((40, 60, 80), 10.0, (Species("boot", count=3), Fiducials(2)))
    >>> recipe.class_ids
    {'boot': 1, 'fiducial': 2}
    """

    shape: tuple[int, int, int]
    voxel_size_A: float
    components: tuple[Component, ...] = ()
    ice_texture: float = 1.0
    surroundings_V: float = 0.0
    spacing_A: float = 0.0
    balanced: bool = False
    sampling: Sampling = Sampling.SMOOTHED
    cut_surfaces: bool = False

    def __post_init__(self) -> None:
        grid = self.grid
        if not (self.ice_texture >= 0 and self.spacing_A >= 0):
            raise InputError("specimen: ice_texture and spacing_A must not be negative")
        if not abs(self.surroundings_V) <= 100:
            raise InputError(f"specimen: surroundings_V is {self.surroundings_V:g}; it lies within ±100 V")
        names = Counter(name for component in self.components for name in component.class_names)
        repeated = sorted(name for name, count in names.items() if count > 1)
        if repeated:
            raise InputError(f"specimen: class {', '.join(repeated)} is listed more than once")
        if len(self.class_ids) > 255:
            raise InputError(f"specimen: {len(self.class_ids)} classes do not fit an 8-bit class mask")
        counts = {component: component.count_range(grid)[1] for component in self.components}
        if not any(counts[component] for component in counts if component is not self.slab):
            raise InputError("specimen: zero particles are requested; give at least one class a count")
        if sum(counts.values()) > MOST_OBJECTS:
            raise InputError(
                f"specimen: {sum(counts.values())} objects are requested, and at most {MOST_OBJECTS} are possible; ask "
                "for fewer"
            )
        labelled = sum(
            component.count_instances(grid) if isinstance(component, GroupedComponent) else count
            for component, count in counts.items()
            if component.labelled
        )
        if labelled > LARGEST_INSTANCE:
            raise InputError(
                f"specimen: {labelled} labelled objects do not fit a 16-bit instance mask, which tells "
                f"{LARGEST_INSTANCE} apart; ask for fewer, or make some of them unlabelled"
            )
        if self.balanced:
            _ = self.common_range
        if self.slab is not None and self.cut_surfaces:
            raise InputError(
                "specimen: cut_surfaces cuts at the volume's surfaces, and ice has faces of its own; remove "
                "cut_surfaces, and give `ice: {kind: lamella}` for faces that cut"
            )
        for species in self.species:
            if species.at_surface and (self.slab is None or self.slab.cuts):
                raise InputError(
                    f"specimen: '{species.name}' has a share at_surface, and there is no film of ice with faces; give "
                    "specimen.ice of kind film, or remove at_surface"
                )
        layers = {component.layer for component in self.components}
        if Layer.MEMBRANE_PROTEINS in layers and Layer.MEMBRANES not in layers:
            raise InputError(
                "specimen: a class sits on membranes, and there are none; list them under membranes"
            )
        self._check_membranes()

    def _check_membranes(self) -> None:
        """Check that the membranes exist which species sit on, and within which objects lie."""
        groups = [component for component in self.components if isinstance(component, MembraneGroup)]
        surfaces = [name for group in groups for name in group.surfaces]
        compartments = [OUTSIDE, *(name for group in groups for name in group.compartments)]
        for species in self.species:
            _check_names(f"species '{species.name}': on_membrane", species.membrane_names, surfaces)
            _check_compartments(f"species '{species.name}'", species.inside_names, compartments)
        for component in self.components:
            if isinstance(component, Crowding | FilamentGroup) and component.inside is not None:
                _check_compartments(f"'{component.class_names[0]}'", (component.inside,), compartments)

    @property
    def grid(self) -> VoxelGrid:
        """Voxels of the specimen."""
        grid = VoxelGrid(self.shape, self.voxel_size_A, self.sampling)
        return grid if self.slab is None else replace(grid, ice_share=self.slab.measure_share(grid))

    @cached_property
    def slab(self) -> BoundingComponent | None:
        """Component that bounds the ice, if any; otherwise ice fills the volume."""
        return next((entry for entry in self.components if isinstance(entry, BoundingComponent)), None)

    @property
    def cuts_across_z(self) -> bool:
        """True if faces across z cut objects: the volume's, or those of the ice."""
        return self.cut_surfaces or (self.slab is not None and self.slab.cuts)

    @property
    def species(self) -> tuple[Species, ...]:
        """Particle classes."""
        return tuple(component for component in self.components if isinstance(component, Species))

    @property
    def class_ids(self) -> dict[str, int]:
        """Label of every class: 1, 2, … in the order of the components; 0 is the background."""
        labelled = (component.class_names for component in self.components if component.labelled)
        names = [name for class_names in labelled for name in class_names]
        return {name: index for index, name in enumerate(names, start=1)}

    @cached_property
    def by_class(self) -> dict[str, Component]:
        """Component that each class belongs to."""
        return {name: component for component in self.components for name in component.class_names}

    @property
    def common_range(self) -> tuple[int, int]:
        """Fewest and most particles that every labelled class allows.

        Raises
        ------
        InputError
            When there is no number that all allow, or no labelled class.
        """
        ranges = {
            species.name: species.count_range(self.grid) for species in self.species if species.labelled
        }
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


def _check_names(key: str, names: Iterable[str], known: Sequence[str]) -> None:
    """Refuse names of membranes that there are none of."""
    for name in names:
        if name not in known:
            raise InputError(f"{key} is '{name}', which no membrane is called; it may be {', '.join(known)}")


def _check_compartments(owner: str, names: Iterable[str], known: Sequence[str]) -> None:
    """Refuse names of compartments that no closed membrane makes."""
    for name in names:
        if name not in known:
            raise InputError(
                f"{owner}: inside is '{name}', which no closed membrane is called; it may be {', '.join(known)}"
            )
