"""Groups of filaments: a component of a specimen that draws centre lines and lines up subunits along them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import (
    SECTION,
    Amount,
    Number,
    check_amount,
    check_count,
    check_number,
    draw,
    draw_count,
    largest,
    number_range,
)
from faket_dask.specimen.canvas import Canvas
from faket_dask.specimen.class_names import check_class_name
from faket_dask.specimen.component import Layer, Workload
from faket_dask.specimen.filaments.arrangement import Branches, Bundle
from faket_dask.specimen.filaments.branching import grow_branch
from faket_dask.specimen.filaments.bundle import hexagonal_offsets, offset_lines
from faket_dask.specimen.filaments.centre_line import CentreLine, smooth_line
from faket_dask.specimen.filaments.lattice import Lattice
from faket_dask.specimen.filaments.poses import subunit_poses
from faket_dask.specimen.filaments.solid import Solid, are_apart, make_solid
from faket_dask.specimen.filaments.worm_like_chain import draw_chains
from faket_dask.specimen.occupancy import Region, Where
from faket_dask.specimen.particles import Row
from faket_dask.specimen.scene import Scene
from faket_dask.specimen.shape import Shape, draw_fraction
from faket_dask.specimen.source_names import check_source
from faket_dask.specimen.species import Species
from faket_dask.specimen.template import Template, labelled_points
from faket_dask.specimen.voxel_grid import VoxelGrid

LONGEST_A = 1e6
"""Largest contour length of a filament in Å."""

_BATCH = 64
"""Chains that are drawn at a time."""

_BATCHES = 40
_SHAPES = 60
"""Most batches of chains, and most chains whose subunits are lined up, before a filament is given up."""

_TRANSLATIONS = 20_000
_BRANCH_TRIALS = 30

_LINE_STEP_A = 20.0
"""Largest distance between the points of a centre line in Å."""


@dataclass(frozen=True)
class FilamentGroup(ABC):
    """Filaments of one class; subclasses say how their subunits are arranged.

    Parameters
    ----------
    name
        Name of the class, as it appears in tables and label maps.
    count
        Filaments, or bundles of them, per specimen: one number or (smallest, largest), both included, or
        ``{per_um3: …}`` by the volume.
    length_A
        Contour length in Å, one number or (smallest, largest), of filaments that lie within the volume; without it they
        cross the volume from side to side, and end at its faces.
    persistence_length_A
        Length in Å over which a filament loses its direction.
    bundle
        Bundles instead of single filaments.
    branches
        Branches on each filament.
    source
        Name of a built-in phantom, or path of a structure or density map of one subunit; by default the phantom of
        the kind. Its z axis points along the filament to the plus end, its x axis away from the filament's axis;
        its origin does not matter, its centre is put at the lattice's radius.
    labelled
        False for filaments that are imaged, and absent from masks and from the class list.
    label
        Instance of the masks: each ``subunit``, or each ``filament`` as a whole.
    inside
        Name of the membranes in whose compartments the filaments lie, ``outside`` for those in none; anywhere by
        default.
    assembly, rna_fraction, map_potential_V
        As for particles; a structure is taken as its coordinates stand by default.

    Raises
    ------
    InputError
        If the name is taken, the source is neither a phantom nor a file, or a number is impossible.
    """

    __pydantic_config__ = SECTION

    name: str
    count: Number = 1
    length_A: Amount | None = None
    persistence_length_A: float = 1e5
    bundle: Bundle | None = None
    branches: Branches | None = None
    source: str | None = None
    labelled: bool = True
    label: Literal["subunit", "filament"] = "subunit"
    inside: str | None = None
    assembly: str = "asymmetric unit"
    rna_fraction: float = 0.0
    map_potential_V: float | None = None

    def __post_init__(self) -> None:
        where = self.where
        check_class_name(self.name, where)
        check_source(self.source_name, where)
        check_number(self.count, f"{where}: count")
        spacing = self.lattice.spacing_A
        if self.length_A is not None:
            low, high = check_amount(self.length_A, f"{where}: length_A")
            if high > LONGEST_A:
                raise InputError(f"{where}: length_A is {self.length_A}; it is at most {LONGEST_A:g}")
            if low < 2 * spacing:
                raise InputError(
                    f"{where}: length_A is {self.length_A}; a filament has at least two subunits, which are "
                    f"{spacing:g} Å apart"
                )
        if not (math.isfinite(self.persistence_length_A) and self.persistence_length_A >= spacing):
            raise InputError(
                f"{where}: persistence_length_A is {self.persistence_length_A:g}, less than the {spacing:g} Å from one "
                "subunit to the next; a filament bends between its subunits, so give a larger one"
            )
        if self.branches is not None and check_amount(self.branches.length_A, "length_A")[0] < 2 * spacing:
            raise InputError(
                f"{where}: branches: length_A is {self.branches.length_A}; a branch has at least two subunits, which "
                f"are {spacing:g} Å apart"
            )
        if self.bundle is not None and self.branches is not None:
            raise InputError(f"{where}: a bundle has no branches; leave one of them out")
        _ = self.subunit

    @property
    def where(self) -> str:
        """Group for messages."""
        return f"filaments '{self.name}'"

    @property
    @abstractmethod
    def lattice(self) -> Lattice:
        """Arrangement of the subunits."""

    @property
    @abstractmethod
    def default_source(self) -> str:
        """Subunit where the run file names none."""

    @property
    def source_name(self) -> str:
        """Phantom or file of the subunit."""
        return self.default_source if self.source is None else self.source

    @cached_property
    def subunit(self) -> Species:
        """Subunit as a class of particles."""
        return Species(
            self.name,
            source=self.source_name,
            count=1,
            labelled=self.labelled,
            assembly=self.assembly,
            rna_fraction=self.rna_fraction,
            map_potential_V=self.map_potential_V,
        )

    @property
    def layer(self) -> Layer:
        """After membranes, before particles."""
        return Layer.FILAMENTS

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of the class."""
        return (self.name,)

    def load_template(self, grid: VoxelGrid) -> Template:
        """Load the template of the subunit."""
        return self.subunit.load_templates(grid)[0]

    def measure_radius(self, grid: VoxelGrid) -> float:
        """Return the distance in Å of the farthest labelled point from a filament's axis."""
        template = self.load_template(grid)
        points = labelled_points(template.density, template.level_V, template.voxel_size_A)
        return float(np.hypot(self.lattice.radius_A + points[:, 0], points[:, 1]).max())

    def measure_size(self, grid: VoxelGrid) -> float:
        """Return the diameter in Å of a filament or bundle."""
        radius = self.measure_radius(grid)
        if self.bundle is not None:
            offsets = hexagonal_offsets(int(largest(self.bundle.filaments)), self.bundle.spacing_A)
            radius += float(np.linalg.norm(offsets, axis=1).max())
        return 2 * radius

    def count_instances(self, grid: VoxelGrid) -> int:
        """Return the most instances in a volume: subunits or filaments, as they are labelled."""
        if self.label == "subunit":
            return self.count_range(grid)[1]
        _, high = number_range(self.count, grid.volume_um3)
        branches = 0 if self.branches is None else int(largest(self.branches.count))
        return high * (1 + branches) * (1 if self.bundle is None else int(largest(self.bundle.filaments)))

    def count_range(self, grid: VoxelGrid) -> tuple[int, int]:
        """Return the fewest and the most subunits in a volume."""
        low, high = number_range(self.count, grid.volume_um3)
        if self.bundle is not None:
            few, many = check_count(self.bundle.filaments, "filaments")
            low, high = low * few, high * many
        if self.length_A is None:
            # Flexible filaments wind on their way, which nobody knows the length of.
            fewest, most = 0, self.lattice.count(1.1 * float(np.linalg.norm(grid.extent_A)))
        else:
            shortest, longest = check_amount(self.length_A, "length_A")
            fewest, most = len(self.lattice.sites(0.9 * shortest)), self.lattice.count(1.02 * longest)
        if self.branches is not None:
            most += int(largest(self.branches.count)) * self.lattice.count(
                1.02 * largest(self.branches.length_A)
            )
        return low * fewest, high * most

    def check(self, grid: VoxelGrid) -> None:
        """Check that filaments fit into the volume, and bundles do not overlap themselves."""
        size, width = self.measure_size(grid), 2 * self.measure_radius(grid)
        grid.check_fits(self.name, size)
        if self.bundle is not None and self.bundle.spacing_A < width:
            raise InputError(
                f"{self.where}: bundle: spacing_A is {self.bundle.spacing_A:g}, and a filament is {width:.0f} Å wide; "
                "neighbours need at least that"
            )
        if self.length_A is not None:
            room = float(np.linalg.norm(np.array(grid.extent_A) - size / math.sqrt(3)))
            if largest(self.length_A) > room and self.persistence_length_A > room:
                raise InputError(
                    f"{self.where}: up to {largest(self.length_A):.0f} Å long, and at most {room:.0f} Å fit into the "
                    "volume; shorten length_A, or leave it out for filaments that cross the volume"
                )

    def draw(self, scene: Scene) -> None:
        """Draw filaments, bundles or branched ones, one after the other; fewer than drawn where no more find room."""
        low, high = number_range(self.count, scene.grid.volume_um3)
        requested = int(scene.rng.integers(low, high, endpoint=True))
        template = self.load_template(scene.grid)
        for placed in range(requested):
            solids = self._find(scene)
            if solids is None and placed >= low:
                return
            if solids is None:
                raise scene.fail(self.name, requested, placed)
            for solid in solids:
                parent = scene.next_number
                for index, (shape, position) in enumerate(zip(solid.shapes, solid.positions, strict=True)):
                    row = Row(
                        self.name,
                        scene.class_id(self.name),
                        solid.poses.centre_A[index],
                        solid.poses.rotation[index],
                        template.radius_A,
                        0,
                        parent=parent,
                        is_part=self.label == "filament",
                    )
                    scene.add(row, shape, position, template.molecular_volume_A3)

    def _find(self, scene: Scene) -> list[Solid] | None:
        """Find room for a filament with its branches, or for a bundle."""
        rng, grid = scene.rng, scene.grid
        region = scene.region(None if self.inside is None else [self.inside])
        template, radius = self.load_template(grid), self.measure_radius(grid)
        extent, half_width = np.array(grid.extent_A), 0.5 * self.measure_size(grid)
        shapes = 0
        for _ in range(_BATCHES):
            across = 2.2 * float(np.linalg.norm(extent))
            length = across if self.length_A is None else draw(self.length_A, rng)
            chains = draw_chains(_BATCH, length, self._choose_step(length), self.persistence_length_A, rng)
            if self.length_A is None:
                chains += rng.uniform(0, 1, (_BATCH, 1, 3)) * extent
                parts = [_find_crossing(chain, extent, half_width) for chain in chains]
                suitable = [part for part in parts if part is not None]
            else:
                spread = chains.max(axis=1) - chains.min(axis=1)
                suitable = list(chains[(spread <= extent).all(axis=1)])
            for chain in suitable:
                if shapes == _SHAPES:
                    return None
                shapes += 1
                line = smooth_line(
                    chain + draw_fraction(rng) * grid.voxel_size_A, min(_LINE_STEP_A, 0.25 * length)
                )
                lines = self._arrange(line, radius, rng)
                if lines is None:
                    continue
                solids = [self._make_solid(member, template, grid, rng) for member in lines]
                if not are_apart(solids):
                    continue
                placed = (
                    _cut(solids, scene, region) if self.length_A is None else _place(solids, scene, region)
                )
                if placed is not None:
                    return placed
        return None

    def _choose_step(self, length_A: float) -> float:
        """Return the length in Å of the steps of a chain: short against the length, and against its bends."""
        return min(max(self.persistence_length_A / 20, self.lattice.spacing_A), length_A / 32)

    def _make_solid(
        self, line: CentreLine, template: Template, grid: VoxelGrid, rng: np.random.Generator
    ) -> Solid:
        poses = subunit_poses(line, self.lattice, rng.uniform(0, 2 * math.pi))
        if self.length_A is None:
            # What a chain has beyond the faces is not looked at.
            margin = np.array([template.radius_A, template.radius_A, np.inf])
            extent = np.array(grid.extent_A)
            poses = poses.select(
                ((poses.centre_A >= -margin) & (poses.centre_A <= extent + margin)).all(axis=1)
            )
        return make_solid(poses, template, grid.voxel_size_A)

    def _arrange(
        self, line: CentreLine, radius_A: float, rng: np.random.Generator
    ) -> list[CentreLine] | None:
        """Return the lines of a bundle, or a line with its branches; ``None`` if the line meets itself."""
        if _meets_itself(line, radius_A):
            return None
        if self.bundle is not None:
            offsets = hexagonal_offsets(draw_count(self.bundle.filaments, rng), self.bundle.spacing_A)
            reach = float(np.linalg.norm(offsets, axis=1).max())
            if line.largest_curvature() * reach > 0.8:
                return None
            members = offset_lines(line, offsets)
            if self.bundle.parallel:
                return members
            return [member.reverse() if rng.random() < 0.5 else member for member in members]
        if self.branches is None:
            return [line]
        lines = [line]
        for _ in range(draw_count(self.branches.count, rng)):
            branch = self._draw_branch(lines, radius_A, rng)
            if branch is None:
                return None
            lines.append(branch)
        return lines

    def _draw_branch(
        self, lines: list[CentreLine], radius_A: float, rng: np.random.Generator
    ) -> CentreLine | None:
        """Draw a branch on the first line that keeps clear of all lines beyond its start."""
        assert self.branches is not None
        mother = lines[0]
        points = np.concatenate([line.points_A for line in lines])
        for _ in range(_BRANCH_TRIALS):
            length = draw(self.branches.length_A, rng)
            angle = np.radians(rng.normal(self.branches.angle_deg, self.branches.spread_deg))
            branch = grow_branch(
                mother,
                rng.uniform(0.1, 0.9) * mother.length_A,
                float(np.clip(angle, 0.1, math.pi - 0.1)),
                rng.uniform(0, 2 * math.pi),
                length,
                radius_A,
                self.persistence_length_A,
                self._choose_step(length),
                rng,
            )
            arc = np.arange(len(branch.points_A)) * branch.step_A
            away = branch.points_A[arc > 4 * radius_A]
            if not len(away) or cKDTree(points).query(away)[0].min() > 2 * radius_A:
                return branch
        return None

    def measure_reach(self, row: Row, grid: VoxelGrid) -> float:
        """Return the radius in Å of the template's support."""
        return self.subunit.measure_reach(row, grid)

    def render(self, canvas: Canvas, row: Row, grid: VoxelGrid) -> None:
        """Add one subunit to others of the group, with which it displaces the ice later."""
        self.subunit.render_sum(canvas, row, grid)

    def surface_level(self, grid: VoxelGrid) -> float:
        """Return the potential in volts at the surface of a subunit."""
        return self.load_template(grid).level_V

    def estimate(self, grid: VoxelGrid, count: float) -> Workload:
        """Estimate the work of so many subunits."""
        return self.subunit.estimate(grid, count)

    def find_axis(self, centre_A: NDArray[np.float64], rotation: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the points ``(n, 3)`` in Å on the centre line that subunits ``(n, …)`` stand beside."""
        return centre_A - self.lattice.radius_A * rotation[:, :, 0]


def _find_crossing(
    chain: NDArray[np.float64], extent: NDArray[np.float64], half_width_A: float
) -> NDArray[np.float64] | None:
    """Return the part of a chain that goes through the volume from side to side, clear of upper and lower face."""
    beside = np.any((chain[:, :2] < 0) | (chain[:, :2] > extent[:2]), axis=1)
    middle = len(chain) // 2
    if beside[middle] or not (beside[:middle].any() and beside[middle:].any()):
        return None
    first = middle - int(np.argmax(beside[:middle][::-1])) - 1
    last = middle + int(np.argmax(beside[middle:]))
    part = chain[first : last + 1]
    is_clear = part[:, 2].min() >= half_width_A and part[:, 2].max() <= extent[2] - half_width_A
    return part if is_clear else None


def _meets_itself(line: CentreLine, radius_A: float) -> bool:
    """Tell whether parts of a line that are far apart along it are closer than a filament is wide."""
    stride = max(1, int(0.5 * radius_A / line.step_A))
    points = line.points_A[::stride]
    pairs = cKDTree(points).query_pairs(2 * radius_A, output_type="ndarray")
    return bool((np.diff(pairs, axis=1) * stride * line.step_A > 2 * math.pi * radius_A).any())


def _place(solids: list[Solid], scene: Scene, region: Region) -> list[Solid] | None:
    """Move filaments as one to a free place, where the faces across x and y may cut them."""
    voxels = np.concatenate([solid.voxels() for solid in solids])
    if not len(voxels):
        return None
    # Shapes are looked up relative to a voxel; coordinates of a chain lie about the origin anyway.
    shape = Shape(voxels.astype(np.int32), np.zeros(3))
    position = scene.occupancy.find_position(shape, scene.rng, region, _TRANSLATIONS, where=Where.WITHIN)
    if position is None:
        return None
    return _cut([solid.move(position, scene.grid.voxel_size_A) for solid in solids], scene, region)


def _cut(solids: list[Solid], scene: Scene, region: Region) -> list[Solid] | None:
    """Leave out subunits whose centres lie beside the volume; ``None`` if others are not in free ice."""
    shape = np.array(scene.grid.shape)
    kept = [
        solid.select(scene.occupancy.find_contained(np.array(solid.positions, np.int64).reshape(-1, 3)))
        for solid in solids
    ]
    voxels = np.concatenate([solid.voxels() for solid in kept])
    if not len(voxels) or (voxels[:, 0] < 0).any() or (voxels[:, 0] >= shape[0]).any():
        return None
    inside = voxels[np.all((voxels >= 0) & (voxels < shape), axis=1)]
    if not scene.occupancy.fits(Shape(inside.astype(np.int32), np.zeros(3)), (0, 0, 0), region):
        return None
    return [solid for solid in kept if len(solid.poses)]
