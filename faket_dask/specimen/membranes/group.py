"""Groups of membranes: what all kinds of organelles have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import (
    Amount,
    Number,
    check_amount,
    check_number,
    draw,
    largest,
    number_range,
)
from faket_dask.specimen.canvas import Canvas
from faket_dask.specimen.class_names import check_class_name
from faket_dask.specimen.component import Layer, Workload
from faket_dask.specimen.membranes.cache import PartCache
from faket_dask.specimen.membranes.part import Part
from faket_dask.specimen.membranes.placing import Freedom, place_organelle
from faket_dask.specimen.membranes.rendering import (
    LUMEN,
    Pose,
    add_bilayer,
    bounding_box,
    clip_box,
    sort_voxels,
)
from faket_dask.specimen.particles import Row
from faket_dask.specimen.scene import Scene
from faket_dask.specimen.surfaces.bilayer import PROFILE_STEP_A, Bilayer
from faket_dask.specimen.surfaces.closed import grid_spacing
from faket_dask.specimen.surfaces.surface import BAND_A, MOST_NODES
from faket_dask.specimen.voxel_grid import VoxelGrid

SMALLEST_THICKNESS_A, LARGEST_THICKNESS_A = 30.0, 100.0

_CLEARANCE_A = 5.0
_DRAWS = 20
_NODE_VOXELS = 30  # time of a node over that of a voxel about a membrane: 4 and 0.13 µs
_CACHE = PartCache()


@dataclass(frozen=True)
class MembraneGroup(ABC):
    """Organelles of one kind, drawn at random.

    Each membrane is a row of the particle table: `class_name` is the group's name, `state` the part's, `radius_A` the
    size that was drawn, and `variant` the seed of everything else about the shape. Parts of one organelle have the
    first of them as their parent.

    Parameters
    ----------
    count
        Organelles per specimen, one number or (smallest, largest), or ``{per_um3: …}`` by the volume.
    radius_A
        Size in Å, one number or (smallest, largest).
    name
        Name of the class in tables and label maps, and of the compartment within.
    thickness_A
        Distance in Å between the phosphates of both leaflets of the bilayer.
    may_be_cut
        True for organelles that may cross all faces of the volume, those of the slab included, and be of any size.
    lies_flat
        True for organelles that are turned about z alone, with their long axes in the plane of the slab.

    Raises
    ------
    InputError
        If a number is impossible, or the bilayer too thick for the shape.
    """

    count: Number = 1
    radius_A: Amount = 300.0
    name: str = "membrane"
    thickness_A: float = Bilayer.thickness_A
    may_be_cut: bool = False
    lies_flat: bool = False

    layer: ClassVar[Layer] = Layer.MEMBRANES
    labelled: ClassVar[bool] = True
    is_closed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_class_name(self.name, self.where)
        if "." in self.name:
            raise InputError(f"{self.where}: a dot stands before the name of a part; choose a name without")
        check_number(self.count, f"{self.where}: count")
        check_amount(self.radius_A, f"{self.where}: radius_A", 50.0)
        if not SMALLEST_THICKNESS_A <= self.thickness_A <= LARGEST_THICKNESS_A:
            raise InputError(
                f"{self.where}: thickness_A is {self.thickness_A:g}; it lies between {SMALLEST_THICKNESS_A:g} and "
                f"{LARGEST_THICKNESS_A:g}"
            )
        self.check_shape()
        bend_A, needed_A = self.smallest_bend_A, self.bilayer.half_thickness_A + _CLEARANCE_A
        if bend_A < needed_A:
            raise InputError(
                f"{self.where}: its membrane may be bent to a radius of {bend_A:.0f} Å, and a bilayer of thickness_A "
                f"{self.thickness_A:g} needs {needed_A:.0f}; {self.remedy}"
            )

    @abstractmethod
    def check_shape(self) -> None:
        """Check the keys that a kind has of its own."""

    @property
    @abstractmethod
    def smallest_bend_A(self) -> float:
        """Smallest radius of curvature in Å that a membrane may have, from the ends of the ranges."""

    @property
    def remedy(self) -> str:
        """Advice where a bilayer does not fit."""
        return "choose a larger radius_A, or less deformation"

    @abstractmethod
    def measure_half_extents(self, radius_A: float) -> tuple[float, float, float]:
        """Return half of the edges ``(x, y, z)`` in Å of a box about any organelle of a size, from long to short."""

    def bound_radius(self, radius_A: float) -> float:
        """Return the radius in Å of a sphere about any membrane of an organelle of a size."""
        return math.hypot(*self.measure_half_extents(radius_A))

    @abstractmethod
    def make_parts(self, radius_A: float, rng: np.random.Generator) -> tuple[Part, ...]:
        """Draw the membranes of one organelle of a size."""

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the parts of an organelle; one without a name where there is a single membrane."""
        return ("",)

    @property
    def part_range(self) -> tuple[int, int]:
        """Fewest and most membranes of an organelle."""
        return len(self.part_names), len(self.part_names)

    @property
    def where(self) -> str:
        """Place of the group in messages."""
        return f"membranes '{self.name}'"

    @property
    def bilayer(self) -> Bilayer:
        """Bilayer of all its membranes."""
        return Bilayer(self.thickness_A)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of the class."""
        return (self.name,)

    @property
    def surfaces(self) -> tuple[str, ...]:
        """Names by which species may ask for the membranes that they sit on; those of parts after a dot."""
        return (self.name, *(f"{self.name}.{part}" for part in self.part_names if part))

    @property
    def compartments(self) -> tuple[str, ...]:
        """Names by which species may ask for what the membranes enclose; those of parts after a dot."""
        return self.surfaces if self.is_closed else ()

    def count_range(self, grid: VoxelGrid) -> tuple[int, int]:
        """Return the fewest and the most membranes."""
        low, high = number_range(self.count, grid.volume_um3)
        return low * self.part_range[0], high * self.part_range[1]

    def measure_size(self, grid: VoxelGrid) -> float:
        """Return the largest diameter in Å."""
        return 2 * self._bounding_radius(largest(self.radius_A))

    def check(self, grid: VoxelGrid) -> None:
        """Check that the largest organelle fits into the volume, lying flat, and that its surface fits into memory.

        Raises
        ------
        InputError
            If it does not fit into the volume, and may not be cut, or is too large altogether.
        """
        if self._count_nodes(largest(self.radius_A)) > MOST_NODES:
            size = " x ".join(f"{2 * edge:.0f}" for edge in self.measure_half_extents(largest(self.radius_A)))
            raise InputError(
                f"{self.where}: it is up to {size} Å, too much for a membrane that may be bent to a radius of "
                f"{self.smallest_bend_A:.0f} Å; make it smaller, or bend it less"
            )
        if self.may_be_cut:
            return
        half = sorted(self.measure_half_extents(largest(self.radius_A)))
        needed = [2 * (edge + self.bilayer.half_thickness_A) for edge in half]
        if any(
            edge > available + 1e-6 for edge, available in zip(needed, sorted(grid.extent_A), strict=True)
        ):
            size = " x ".join(f"{edge:.0f}" for edge in needed[::-1])
            x, y, z = grid.extent_A
            raise InputError(
                f"specimen: '{self.name}' is up to {size} Å and the volume only {x:.0f} x {y:.0f} x {z:.0f} Å along "
                "x, y, z; enlarge the volume, make it smaller, or let it reach beyond with may_be_cut: true"
            )

    def build(self, radius_A: float, variant: int) -> tuple[Part, ...]:
        """Make the membranes of one organelle, from columns of the particle table.

        A shape that comes too close to itself for its bilayer is drawn again.

        Raises
        ------
        InputError
            If no shape that was drawn has room for the bilayer.
        """
        return _CACHE.get((self, radius_A, variant), lambda: self._draw_parts(radius_A, variant))

    def _draw_parts(self, radius_A: float, variant: int) -> tuple[Part, ...]:
        for attempt in range(_DRAWS):
            parts = self.make_parts(radius_A, np.random.default_rng([variant, attempt]))
            if all(part.surface.is_clear(self.bilayer.half_thickness_A) for part in parts):
                return parts
        raise InputError(
            f"{self.where}: {_DRAWS} shapes of {radius_A:.0f} Å were drawn, and none has room for a bilayer of "
            f"thickness_A {self.thickness_A:g}; {self.remedy}"
        )

    def draw(self, scene: Scene) -> None:
        """Draw organelles, from large to small, outside of one another: fewer than drawn where no more find room."""
        low, high = number_range(self.count, scene.grid.volume_um3)
        requested = int(scene.rng.integers(low, high, endpoint=True))
        radii = sorted((draw(self.radius_A, scene.rng) for _ in range(requested)), reverse=True)
        for placed, radius_A in enumerate(radii):
            variant = int(scene.rng.integers(2**31))
            row = Row(self.name, scene.class_id(self.name), np.zeros(3), np.eye(3), radius_A, variant)
            parts = self.build(radius_A, variant)
            freedom = Freedom(self.may_be_cut, self.lies_flat)
            if not place_organelle(scene, row, parts, self.bilayer.half_thickness_A, freedom):
                if placed < low:
                    raise scene.fail(self.name, requested, placed)
                return

    def find_part(self, row: Row) -> Part:
        """Return the membrane of a row.

        Raises
        ------
        InputError
            If the organelle has no such part.
        """
        parts = {part.name: part for part in self.build(row.radius_A, row.variant)}
        if row.state not in parts:
            raise InputError(
                f"the particle table has a '{self.name}' with the state '{row.state}', which is none of its parts: "
                f"{', '.join(parts)}"
            )
        return parts[row.state]

    def measure_reach(self, row: Row, grid: VoxelGrid) -> float:
        """Return the distance in Å to which the bilayer's profile reaches."""
        return self._bounding_radius(row.radius_A) + len(self._profile(grid)) * PROFILE_STEP_A

    def render(self, canvas: Canvas, row: Row, grid: VoxelGrid) -> None:
        """Add a membrane: its profile at the distance of each voxel from the surface."""
        surface, pose = self.find_part(row).surface, _row_pose(row)
        depth, height, width = canvas.density.shape
        box = clip_box(
            bounding_box(surface.grid, pose, canvas.voxel_A),
            np.array([0, canvas.y_start, 0]),
            np.array([depth - 1, canvas.y_start + height - 1, width - 1]),
        )
        add_bilayer(canvas, surface.grid, pose, box, self._profile(grid), self.bilayer.half_thickness_A)

    def mark_compartment(
        self, compartments: NDArray[np.uint16], y_start: int, row: Row, voxel_size_A: float
    ) -> None:
        """Write a membrane's number to the voxels of a block that it encloses, and 0 to those of its bilayer."""
        surface, pose = self.find_part(row).surface, _row_pose(row)
        depth, height, width = compartments.shape
        box = clip_box(
            bounding_box(surface.grid, pose, voxel_size_A),
            np.array([0, y_start, 0]),
            np.array([depth - 1, y_start + height - 1, width - 1]),
        )
        if (box.low > box.high).any():
            return
        side = sort_voxels(
            surface.grid, pose, surface.is_closed, box, voxel_size_A, self.bilayer.half_thickness_A
        )
        origin = np.array([0, y_start, 0])
        view = compartments[
            tuple(slice(a, b + 1) for a, b in zip(box.low - origin, box.high - origin, strict=True))
        ]
        view[side > 0] = 0
        view[side == LUMEN] = row.instance

    def estimate(self, grid: VoxelGrid, count: float) -> Workload:
        """Estimate the work of so many membranes of the largest size, and of making the surfaces of middling ones."""
        half = self.measure_half_extents(largest(self.radius_A))
        reach = self.bilayer.half_thickness_A
        z, y, x = grid.shape
        edges = sorted(2 * (edge + reach) / grid.voxel_size_A for edge in half)
        box = math.prod(min(edge, limit) for edge, limit in zip(edges, sorted((z, y, x)), strict=True))
        a, b, c = half
        power = 1.6  # Thomsen's formula for the area of an ellipsoid
        area = 4 * math.pi * (((a * b) ** power + (a * c) ** power + (b * c) ** power) / 3) ** (1 / power)
        shown = min(1.0, box / math.prod(edges))
        middle = float(np.mean(check_amount(self.radius_A, "radius_A")))
        return Workload(
            objects=count,
            surface_voxels=2 * count * box
            + _NODE_VOXELS * self._count_nodes(middle) * count / max(self.part_range),
            claimed_voxels=shown * count * area * 2 * reach / grid.voxel_size_A**3,
        )

    def _count_nodes(self, radius_A: float) -> float:
        """Return the nodes of the grids about an organelle of a size."""
        half = self.measure_half_extents(radius_A)
        spacing = grid_spacing(self.smallest_bend_A)
        return math.prod(2 * (edge + BAND_A) / spacing for edge in half)

    def _bounding_radius(self, radius_A: float) -> float:
        return self.bound_radius(radius_A) + self.bilayer.half_thickness_A

    def _profile(self, grid: VoxelGrid) -> NDArray[np.float64]:
        return self.bilayer.profile(grid.sampling.blur * grid.voxel_size_A)


def _row_pose(row: Row) -> Pose:
    return Pose(row.centre_A, np.ascontiguousarray(row.rotation.T))
