"""Particles of a class: copies of a template, free in the ice or on membranes."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION, Amount, Count, check_amount, check_count, draw, largest
from faket_dask.specimen.canvas import Canvas
from faket_dask.specimen.class_names import check_class_name
from faket_dask.specimen.component import Layer, Workload
from faket_dask.specimen.composition import mean_map_potential
from faket_dask.specimen.groups import Chain, Cluster
from faket_dask.specimen.occupancy import TRIALS, Position, Region, Where
from faket_dask.specimen.orientation import standing_rotation, uniform_rotations
from faket_dask.specimen.particles import Row
from faket_dask.specimen.scene import Scene
from faket_dask.specimen.shape import Shape, draw_fraction, split_position
from faket_dask.specimen.slab.faces import find_layers
from faket_dask.specimen.source_names import check_source, names_phantom
from faket_dask.specimen.sources import list_states, load_conformations, load_template, measure_loading
from faket_dask.specimen.states import StateGroup, check_states
from faket_dask.specimen.template import Template
from faket_dask.specimen.template_voxels import add_particle, particle_shape
from faket_dask.specimen.voxel_grid import VoxelGrid

LARGEST_SHARE = 1e6

_MEMBRANE_POSITIONS = 2000
_POSITIONS_BESIDE = 200
_SURFACE_POSITIONS = 2000
_SURFACE_STEPS = 4  # voxels inward, for faces that are not flat

_MEMBRANE_UM2_PER_UM3 = 4.0
"""Area of membranes in a volume that is rich in them, for estimates before any is drawn."""


class Topology(StrEnum):
    """Side of a membrane that a particle's z axis points to."""

    OUTWARD = "outward"
    INWARD = "inward"
    BOTH = "both"
    """Either side, with equal probability."""

    def direct(self, normal: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the direction of a particle's z axis for an outward normal ``(3,)``."""
        is_inward = rng.uniform() < 0.5 if self is Topology.BOTH else self is Topology.INWARD
        return -normal if is_inward else normal


@dataclass(frozen=True)
class Species:
    """Particles of one class; one of `count`, `density_per_um3` and `share` says how many.

    Parameters
    ----------
    name
        Name of the class, as it appears in tables and label maps.
    source
        Name of a built-in phantom, entry of a public archive (``pdb:1bxn``, ``emdb:3228``), or path of a structure
        (PDB, mmCIF) or of a density map (MRC); a tuple of them for several that are equally likely, each about a
        centre of its own. ``None`` stands for the phantom called `name`.
    count
        Particles per specimen, one number or (smallest, largest), both included.
    density_per_um3
        Particles per cubic micrometre of the volume, or of the compartments that they lie in: one number or (smallest,
        largest).
    density_per_um2
        Particles per square micrometre of the membranes that they sit on, one number or (smallest, largest).
    share
        Share in the crowding, by molecular volume, over the sum of all shares; for species of the crowding alone.
    inside
        Name of the membranes in whose compartments the particles lie, or several names; ``outside`` for those in none;
        anywhere by default. ``mitochondrion.outer`` is what the outer membrane encloses less what the inner one does,
        and ``mitochondrion`` both.
    chain, cluster
        Chains or clusters that the particles form; each of `count` is a particle, not a chain.
    labelled
        False for crowding: the particles are imaged, and absent from masks and from the class list.
    on_membrane
        True for particles that sit on membranes, or the names of those membranes; a part of an organelle follows
        after a dot, as in ``mitochondrion.inner``.
    membrane_offset_A
        Height of the particle's centre over the middle of the bilayer along its own z axis, in Å.
    topology
        Side of a closed membrane that the particle's z axis points to.
    at_surface
        Share of the particles that lie at a face of a film of ice, the air-water interface, where there is
        `specimen.ice`.
    surface_tilt_deg
        Largest angle between the z axis of these particles and the outward normal of the face: 180 for any orientation.
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
    states
        Conformations with names and weights, in place of `source`: all in the frame of the first one, about its centre.
    stand_in
        Phantom that takes the place of `source` where entries of archives cannot be had, or are not wanted.

    Raises
    ------
    InputError
        If the name is taken, a source is neither a phantom nor an entry nor a file, no state can be drawn, or a number
        is impossible.

    Examples
    --------
    >>> Species("boot", count=(3, 5)).sources
    ('boot',)
    """

    __pydantic_config__ = SECTION

    name: str
    source: str | tuple[str, ...] | None = None
    count: Count | None = None
    density_per_um3: Amount | None = None
    share: float | None = None
    inside: str | tuple[str, ...] | None = None
    chain: Chain | None = None
    cluster: Cluster | None = None
    labelled: bool = True
    on_membrane: bool | str | tuple[str, ...] = False
    membrane_offset_A: float = 0.0
    topology: Topology = Topology.OUTWARD
    at_surface: float = 0.0
    surface_tilt_deg: float = 180.0
    assembly: str | None = None
    rna_fraction: float = 0.0
    map_potential_V: float | None = None
    states: tuple[StateGroup, ...] = ()
    stand_in: str | None = None
    density_per_um2: Amount | None = None

    def __post_init__(self) -> None:
        where = f"species '{self.name}'"
        check_class_name(self.name, where)
        if not self.sources:
            raise InputError(f"{where} has no source; give a built-in phantom or a file")
        if self.states and (self.source is not None or self.assembly is not None):
            raise InputError(
                f"{where}: with states, source and assembly are keys of each state; move them there"
            )
        try:
            check_states(self.states)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        for source in self.sources:
            check_source(source, where)
        if self.stand_in is not None and (self.states or not names_phantom(self.stand_in)):
            raise InputError(
                f"{where}: stand_in is a phantom, such as globule:559kDa, in place of a source, and not of states"
            )
        if self.stand_in is not None:
            check_source(self.stand_in, f"{where}: stand_in")
        if [self.count, self.density_per_um3, self.density_per_um2, self.share].count(None) != 3:
            raise InputError(
                f"{where}: give exactly one of count and density_per_um3, density_per_um2 on membranes, or share in "
                "crowding"
            )
        if self.density_per_um2 is not None and not self.on_membrane:
            raise InputError(f"{where}: density_per_um2 is for particles on_membrane; give density_per_um3")
        if self.share is not None and not 0 < self.share <= LARGEST_SHARE:
            raise InputError(f"{where}: share is {self.share:g}; it must be positive")
        if self.chain is not None and self.cluster is not None:
            raise InputError(f"{where}: give one of chain and cluster, not both")
        if self.on_membrane and (self.chain or self.cluster or self.inside):
            raise InputError(
                f"{where}: particles on membranes form no chains or clusters and lie in no compartment; remove "
                "on_membrane, or the other"
            )
        if self.inside in ("", ()):
            raise InputError(
                f"{where}: inside names no compartment; name one, or remove inside for particles anywhere"
            )
        if not (0 <= self.at_surface <= 1 and 0 <= self.surface_tilt_deg <= 180):
            raise InputError(
                f"{where}: at_surface is {self.at_surface:g} and surface_tilt_deg {self.surface_tilt_deg:g}; a share "
                "lies between 0 and 1, an angle between 0 and 180"
            )
        if self.at_surface and (self.on_membrane or self.chain or self.cluster or self.inside or self.share):
            raise InputError(
                f"{where}: particles at_surface are on no membrane, in no compartment or crowd, and form no chains or "
                "clusters; remove at_surface, or the other"
            )
        if self.count is not None:
            check_count(self.count, f"{where}: count")
        if self.density_per_um2 is not None:
            check_amount(self.density_per_um2, f"{where}: density_per_um2")
        if self.density_per_um3 is not None:
            check_amount(self.density_per_um3, f"{where}: density_per_um3")
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
    def inside_names(self) -> tuple[str, ...]:
        """Names of the compartments that particles lie in; none for anywhere."""
        if self.inside is None:
            return ()
        return (self.inside,) if isinstance(self.inside, str) else self.inside

    @property
    def membrane_names(self) -> tuple[str, ...]:
        """Names of the membranes that particles sit on; none for all, or for particles that sit on none."""
        if isinstance(self.on_membrane, bool):
            return ()
        return (self.on_membrane,) if isinstance(self.on_membrane, str) else self.on_membrane

    @property
    def sources(self) -> tuple[str, ...]:
        """All sources: of each conformation, or of each group of states."""
        if self.states:
            return tuple(group.source for group in self.states)
        if self.source is None:
            return (self.name,)
        return (self.source,) if isinstance(self.source, str) else self.source

    @property
    def layer(self) -> Layer:
        """Membrane proteins before all other particles."""
        return Layer.MEMBRANE_PROTEINS if self.on_membrane else Layer.PARTICLES

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of the class."""
        return (self.name,)

    def count_range(self, grid: VoxelGrid) -> tuple[int, int]:
        """Return the fewest and the most particles in a volume; about the most that sit on membranes by their area."""
        if self.count is not None:
            return check_count(self.count, "count")
        if self.density_per_um2 is not None:
            return 0, round(_MEMBRANE_UM2_PER_UM3 * largest(self.density_per_um2) * grid.volume_um3)
        if self.density_per_um3 is None:
            raise InputError(
                f"species '{self.name}': a share is one in the crowding; move it to crowding.species, or give count or "
                "density_per_um3"
            )
        low, high = check_amount(self.density_per_um3, "density_per_um3")
        low = 0.0 if self.inside else low
        return round(low * grid.volume_um3), round(high * grid.volume_um3)

    def load_templates(self, grid: VoxelGrid) -> list[Template]:
        """Load the templates of all states, in their order."""
        return load_conformations(self, grid.voxel_size_A, grid.sampling)

    def draw_variant(self, rng: np.random.Generator) -> int:
        """Draw a state by the weights, and return its index."""
        weights = np.array([state.weight for state in list_states(self)])
        return int(rng.choice(len(weights), p=weights / weights.sum()))

    def measure_size(self, grid: VoxelGrid) -> float:
        """Return the diameter in Å of the largest conformation."""
        return 2 * max(template.radius_A for template in self.load_templates(grid))

    def check(self, grid: VoxelGrid) -> None:
        """Check that every conformation fits into the volume in every orientation."""
        grid.check_fits(self.name, self.measure_size(grid))

    def name_state(self, variant: int) -> str:
        """Return the name of a state; empty if there is one only."""
        states = list_states(self)
        return "" if len(states) == 1 else states[variant].name

    def draw(self, scene: Scene) -> None:
        """Draw conformations, orientations and places."""
        requested = self._draw_count(scene)
        if requested and self.on_membrane and not scene.find_surfaces(self.membrane_names):
            raise InputError(
                f"specimen: '{self.name}' sits on membranes, and none was drawn; give them a smallest count of 1"
            )
        if requested and self.inside and not scene.has_compartment(self.inside_names):
            raise InputError(
                f"specimen: '{self.name}' lies inside of membranes, and none was drawn; give them a smallest count of 1"
            )
        templates = self.load_templates(scene.grid)
        region = scene.region(self.inside_names or None)
        group = self.chain or self.cluster
        members: list[NDArray[np.float64]] = []
        parent = size = 0
        for placed in range(requested):
            variant, rotation = self.draw_variant(scene.rng), uniform_rotations(1, scene.rng)[0]
            template, found = templates[variant], None
            at_surface = self.at_surface > 0 and scene.rng.uniform() < self.at_surface
            if at_surface:
                found = find_at_surface(template, rotation, self.surface_tilt_deg, scene)
            elif self.on_membrane:
                found = self._find_on_membrane(template, scene)
            elif group and len(members) < size:
                found = _find_beside(group, members, template, scene, region, parent)
            if found is None and not self.on_membrane and not at_surface:
                members, parent = [], scene.next_number if group else 0
                size = group.draw_size(scene.rng) if group else 0
                found = find_free(template, rotation, scene, region, parent)
            if found is None:
                raise scene.fail(self.name, requested, placed)
            members.append(self.add(variant, template, found, scene))

    def _draw_count(self, scene: Scene) -> int:
        """Draw the number of particles, by the area of membranes or the free volume of compartments where named."""
        if self.density_per_um2 is not None:
            surfaces = scene.find_surfaces(self.membrane_names)
            area_um2 = sum(surface.area_A2 for surface, _, _ in surfaces) / 1e8
            return round(draw(self.density_per_um2, scene.rng) * area_um2)
        if self.density_per_um3 is not None and self.inside and scene.find_count(self) is None:
            voxels, _ = scene.occupancy.count_free(scene.region(self.inside_names))
            return round(draw(self.density_per_um3, scene.rng) * voxels * scene.grid.voxel_size_A**3 / 1e12)
        return scene.draw_count(self)

    def add(
        self, variant: int, template: Template, place: "ParticlePlace", scene: Scene
    ) -> NDArray[np.float64]:
        """Add a particle to a scene, and return its centre ``(x, y, z)`` in Å."""
        centre_A = place.shape.centre_A(place.position, scene.grid.voxel_size_A)
        row = Row(
            self.name,
            scene.class_id(self.name),
            centre_A,
            place.rotation,
            template.radius_A,
            variant,
            self.name_state(variant),
            place.parent,
        )
        scene.add(row, place.shape, place.position, template.molecular_volume_A3)
        return centre_A

    def _find_on_membrane(self, template: Template, scene: Scene) -> "ParticlePlace | None":
        """Find a place on a membrane; membranes are chosen in proportion to their area."""
        surfaces = scene.find_surfaces(self.membrane_names)
        areas = np.array([surface.area_A2 for surface, _, _ in surfaces])
        voxel_A = scene.grid.voxel_size_A
        for _ in range(_MEMBRANE_POSITIONS):
            surface, claim, number = surfaces[int(scene.rng.choice(len(areas), p=areas / areas.sum()))]
            point, normal = surface.draw_point(scene.rng)
            normal = self.topology.direct(normal, scene.rng)
            rotation = standing_rotation(normal, scene.rng.uniform(0, 2 * np.pi))
            position, fraction = split_position(point + self.membrane_offset_A * normal, voxel_A)
            shape = particle_shape(template, rotation, fraction, voxel_A)
            if scene.occupancy.contains(position) and scene.occupancy.fits(
                shape, position, scene.region(surface=claim)
            ):
                return ParticlePlace(shape, position, rotation, number)
        return None

    def measure_reach(self, row: Row, grid: VoxelGrid) -> float:
        """Return the radius in Å of the template's support."""
        return load_template(self, row.variant, grid.voxel_size_A, grid.sampling).support_A

    def render(self, canvas: Canvas, row: Row, grid: VoxelGrid) -> None:
        """Add a particle."""
        template = load_template(self, row.variant, grid.voxel_size_A, grid.sampling)
        add_particle(canvas, row, template)

    def render_sum(self, canvas: Canvas, row: Row, grid: VoxelGrid) -> None:
        """Add a particle as `render` does, but on top of what is there, which it does not displace."""
        template = load_template(self, row.variant, grid.voxel_size_A, grid.sampling)
        add_particle(canvas, row, template, displaces=False)

    def estimate(self, grid: VoxelGrid, count: float) -> Workload:
        """Estimate the work of so many particles."""
        templates = self.load_templates(grid)
        supports = [4 / 3 * math.pi * (template.support_A / grid.voxel_size_A) ** 3 for template in templates]
        labels = [template.volume_A3 / grid.voxel_size_A**3 for template in templates]
        voxels = count * float(np.mean(supports))
        return Workload(
            objects=count,
            drawn_voxels=voxels,
            particle_voxels=voxels,
            claimed_voxels=count * float(np.mean(labels)),
            templates_s=measure_loading(self, grid.voxel_size_A, grid.sampling),
        )


class ParticlePlace(NamedTuple):
    """Shape of a particle, the voxel of its centre, its rotation, and the number of the row that it belongs to."""

    shape: Shape
    position: Position
    rotation: NDArray[np.float64]
    parent: int


def find_free(
    template: Template,
    rotation: NDArray[np.float64],
    scene: Scene,
    region: Region,
    parent: int = 0,
    trials: int = TRIALS,
    where: Where = Where.CENTRED,
) -> ParticlePlace | None:
    """Find a free place for a particle of an orientation, ``None`` if no place that was tried is free.

    Parameters
    ----------
    template
        Density of the particle.
    rotation
        ``(3, 3)`` matrix, particle to specimen.
    scene
        Specimen so far.
    region, trials, where
        As for `Occupancy.find_position`.
    parent
        Number of the row that the particle belongs to, 0 for none.
    """
    shape = particle_shape(template, rotation, draw_fraction(scene.rng), scene.grid.voxel_size_A)
    position = scene.occupancy.find_position(shape, scene.rng, region, trials, where)
    return None if position is None else ParticlePlace(shape, position, rotation, parent)


def find_at_surface(
    template: Template, rotation: NDArray[np.float64], tilt_deg: float, scene: Scene
) -> ParticlePlace | None:
    """Find a place at one of the faces of the ice, which the particle touches; ``None`` if there is no room.

    Parameters
    ----------
    template
        Density of the particle.
    rotation
        ``(3, 3)`` matrix, particle to specimen, for any orientation.
    tilt_deg
        Largest angle between the particle's z axis and the outward normal; 180 keeps the given orientation.
    scene
        Specimen so far, whose ice has faces.
    """
    assert scene.faces is not None
    rng, voxel_A = scene.rng, scene.grid.voxel_size_A
    for _ in range(_SURFACE_POSITIONS):
        y, x = (int(rng.integers(size)) for size in scene.grid.shape[1:])
        is_upper = bool(rng.random() < 0.5)
        place = np.array([float(x), x + 1.0]) * voxel_A, np.array([float(y), y + 1.0]) * voxel_A
        heights = scene.faces.heights(*place)
        face = heights[int(is_upper)]
        if tilt_deg < 180:
            slope = (face[0, 1] - face[0, 0]) / voxel_A, (face[1, 0] - face[0, 0]) / voxel_A
            outward = np.array([-slope[0], -slope[1], 1.0]) * (1 if is_upper else -1)
            rotation = _lean(outward / np.linalg.norm(outward), tilt_deg, rng)
        shape = particle_shape(template, rotation, draw_fraction(rng), voxel_A)
        first, last = find_layers(*heights, voxel_A)
        low, high = shape.bounds()
        inward = -1 if is_upper else 1
        z = int(last[0, 0] - high[0] if is_upper else first[0, 0] - low[0])
        for step in range(_SURFACE_STEPS):
            position = (z + inward * step, y, x)
            if scene.occupancy.fits(shape, position):
                return ParticlePlace(shape, position, rotation, 0)
    return None


def _lean(normal: NDArray[np.float64], tilt_deg: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a rotation that takes the z axis to within an angle of a normal, uniform on that cap."""
    cosine = rng.uniform(math.cos(math.radians(tilt_deg)), 1.0)
    sine, azimuth = math.sqrt(1 - cosine**2), rng.uniform(0, 2 * math.pi)
    axis = standing_rotation(normal, 0.0) @ np.array(
        [sine * math.cos(azimuth), sine * math.sin(azimuth), cosine]
    )
    return standing_rotation(axis, rng.uniform(0, 2 * math.pi))


def _find_beside(
    group: Chain | Cluster,
    members: list[NDArray[np.float64]],
    template: Template,
    scene: Scene,
    region: Region,
    parent: int,
) -> ParticlePlace | None:
    """Find a free place for the next particle of a chain or cluster, in an orientation that is drawn for each."""
    voxel_A = scene.grid.voxel_size_A
    for _ in range(_POSITIONS_BESIDE):
        rotation = uniform_rotations(1, scene.rng)[0]
        position, fraction = split_position(group.draw_centre(members, scene.rng), voxel_A)
        shape = particle_shape(template, rotation, fraction, voxel_A)
        if scene.occupancy.contains(position) and scene.occupancy.fits(shape, position, region):
            return ParticlePlace(shape, position, rotation, parent)
    return None
