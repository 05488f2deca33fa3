"""Vesicles and sheets: lipid bilayers of a random shape."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen import membrane
from faket_dask.specimen.amounts import SECTION, Amount, Count, check_amount, check_count, draw, largest
from faket_dask.specimen.canvas import Canvas, first_voxel, last_voxel
from faket_dask.specimen.class_names import SHEET, VESICLE
from faket_dask.specimen.component import Layer, Workload
from faket_dask.specimen.orientation import uniform_rotations
from faket_dask.specimen.particles import Row
from faket_dask.specimen.scene import Scene
from faket_dask.specimen.shape import Shape, draw_fraction
from faket_dask.specimen.voxel_grid import VoxelGrid

_PROFILE_STEP_A = 0.25


@dataclass(frozen=True)
class MembraneSurface:
    """Middle of the bilayer of one vesicle or sheet, for particles that sit on it.

    Parameters
    ----------
    parameters
        ``(PARAMETERS,)``, as `faket_dask.specimen.membrane.membrane_row` returns them.
    """

    parameters: NDArray[np.float64]

    @property
    def area_A2(self) -> float:
        """Area in Å², as if it were a sphere or a flat disc."""
        return float(membrane.areas(self.parameters[None])[0])

    def draw_point(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw a point ``(x, y, z)`` in Å, and the unit normal there: outward, or to either side of a sheet."""
        return membrane.surface_point(self.parameters, rng)


class _Bilayers(ABC):
    """Membranes of one kind, one row each; `variant` is the seed of a membrane's shape."""

    kind: ClassVar[float]
    class_names: ClassVar[tuple[str, ...]]
    layer: ClassVar[Layer] = Layer.MEMBRANES
    labelled: ClassVar[bool] = True

    count: Count
    radius_A: Amount

    @property
    @abstractmethod
    def amplitude(self) -> float:
        """Largest relative departure from a sphere, or from a plane."""

    def make_surface(
        self, centre_A: NDArray[np.float64], rotation: NDArray[np.float64], radius_A: float, variant: int
    ) -> MembraneSurface:
        """Make the surface of a membrane from columns of the particle table."""
        parameters = membrane.membrane_row(self.kind, centre_A, rotation, radius_A, variant, self.amplitude)
        return MembraneSurface(parameters)

    @abstractmethod
    def measure_size(self, grid: VoxelGrid) -> float:
        """Return the largest diameter in Å."""

    def check(self, grid: VoxelGrid) -> None:
        """Check that the largest membrane fits into the volume."""
        grid.check_fits(self.class_names[0], self.measure_size(grid))

    def count_range(self, grid: VoxelGrid) -> tuple[int, int]:
        """Return the fewest and the most membranes."""
        return check_count(self.count, "count")

    def draw(self, scene: Scene) -> None:
        """Draw membranes, from large to small, outside of one another."""
        [name] = self.class_names
        voxel_A = scene.grid.voxel_size_A
        requested = scene.draw_count(self)
        radii = sorted((draw(self.radius_A, scene.rng) for _ in range(requested)), reverse=True)
        for placed, radius in enumerate(radii):
            rotation = uniform_rotations(1, scene.rng)[0]
            variant = int(scene.rng.integers(2**31))
            fraction = draw_fraction(scene.rng)
            surface = self.make_surface(fraction * voxel_A, rotation, radius, variant)
            bilayer, lumen = membrane_shapes(surface, fraction, voxel_A)
            solid = Shape(np.concatenate((bilayer.voxels, lumen.voxels)), fraction)
            position = scene.occupancy.find_position(solid, scene.rng, scene.region(["outside"]))
            if position is None:
                raise scene.fail(name, requested, placed)
            centre_A = bilayer.centre_A(position, voxel_A)
            row = Row(name, scene.class_id(name), centre_A, rotation, radius, variant)
            scene.add_surface(row, bilayer, position, self.make_surface(centre_A, rotation, radius, variant))
            if len(lumen):
                scene.add_compartment(name, lumen, position)

    def measure_reach(self, row: Row, grid: VoxelGrid) -> float:
        """Return the distance in Å to which the bilayer's profile reaches."""
        surface = self.make_surface(row.centre_A, row.rotation, row.radius_A, row.variant)
        profile = membrane.bilayer_profile(grid.sampling.blur * grid.voxel_size_A, _PROFILE_STEP_A)
        return membrane.bounding_radius(surface.parameters) + len(profile) * _PROFILE_STEP_A

    def render(self, canvas: Canvas, row: Row, grid: VoxelGrid) -> None:
        """Add a membrane: its profile at the distance of each voxel from the surface."""
        surface = self.make_surface(row.centre_A, row.rotation, row.radius_A, row.variant)
        profile = membrane.bilayer_profile(grid.sampling.blur * grid.voxel_size_A, _PROFILE_STEP_A)
        _add_membrane(canvas, row.centre_A, self.measure_reach(row, grid), surface.parameters, profile)

    def estimate(self, grid: VoxelGrid, count: float) -> Workload:
        """Estimate the work of so many membranes of the largest size."""
        radius_A = largest(self.radius_A)
        side = 2 * (radius_A + membrane.HALF_THICKNESS_A) / grid.voxel_size_A
        area = float(
            membrane.areas(self.make_surface(np.zeros(3), np.eye(3), radius_A, 0).parameters[None])[0]
        )
        return Workload(
            objects=count,
            surface_voxels=2 * count * side**2 * min(side, grid.shape[0]),
            claimed_voxels=count * area * 2 * membrane.HALF_THICKNESS_A / grid.voxel_size_A**3,
        )


@dataclass(frozen=True)
class Vesicles(_Bilayers):
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

    kind: ClassVar[float] = membrane.CLOSED
    class_names: ClassVar[tuple[str, ...]] = (VESICLE,)
    __pydantic_config__ = SECTION

    count: Count = 1
    radius_A: Amount = (250.0, 450.0)
    deformation: float = 0.1

    def __post_init__(self) -> None:
        check_count(self.count, "vesicles: count")
        check_amount(self.radius_A, "vesicles: radius_A", 100.0)
        if not 0 <= self.deformation <= 0.2:
            raise InputError(f"vesicles: deformation is {self.deformation}; it lies between 0 and 0.2")

    @property
    def amplitude(self) -> float:
        """Largest relative departure from a sphere."""
        return self.deformation

    def measure_size(self, grid: VoxelGrid) -> float:
        """Return the largest diameter in Å."""
        return 2 * (largest(self.radius_A) * (1 + self.deformation) + membrane.HALF_THICKNESS_A)


@dataclass(frozen=True)
class Sheets(_Bilayers):
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

    kind: ClassVar[float] = membrane.OPEN
    class_names: ClassVar[tuple[str, ...]] = (SHEET,)
    __pydantic_config__ = SECTION

    count: Count = 1
    radius_A: Amount = (250.0, 500.0)
    bend: float = 0.3

    def __post_init__(self) -> None:
        check_count(self.count, "sheets: count")
        check_amount(self.radius_A, "sheets: radius_A", 100.0)
        if not 0 <= self.bend <= 0.5:
            raise InputError(f"sheets: bend is {self.bend}; it lies between 0 and 0.5")

    @property
    def amplitude(self) -> float:
        """Largest relative departure from a plane."""
        return self.bend

    def measure_size(self, grid: VoxelGrid) -> float:
        """Return the largest diameter in Å."""
        return 2 * (largest(self.radius_A) * float(np.hypot(1, self.bend)) + membrane.HALF_THICKNESS_A)


def membrane_shapes(
    surface: MembraneSurface, fraction: NDArray[np.float64], voxel_size_A: float
) -> tuple[Shape, Shape]:
    """Find the voxels of a membrane's label, and those that it encloses.

    Parameters
    ----------
    surface
        Surface about the centre ``fraction * voxel_size_A``.
    fraction
        Place ``(x, y, z)`` of the centre from the middle of its voxel, in voxels.
    voxel_size_A
        Edge of a voxel in Å.

    Returns
    -------
    bilayer, lumen
        The lumen of an open membrane has no voxels.
    """
    reach = int(np.ceil(membrane.bounding_radius(surface.parameters) / voxel_size_A)) + 1
    side = _sort_voxels(surface.parameters, reach, voxel_size_A)
    bilayer, lumen = ((np.argwhere(side == value) - reach).astype(np.int32) for value in (1, 2))
    return Shape(bilayer, fraction), Shape(lumen, fraction)


@njit(cache=True, nogil=True)
def _sort_voxels(parameters: NDArray[np.float64], reach: int, voxel_A: float) -> NDArray[np.uint8]:
    """Sort the voxels of a cube: 1 in the bilayer of a membrane, 2 enclosed by it, 0 elsewhere."""
    edge = 2 * reach + 1
    side = np.zeros((edge, edge, edge), np.uint8)
    for z in range(edge):
        for y in range(edge):
            for x in range(edge):
                distance = membrane.surface_distance(
                    parameters, (x - reach) * voxel_A, (y - reach) * voxel_A, (z - reach) * voxel_A
                )
                if abs(distance) <= membrane.HALF_THICKNESS_A:
                    side[z, y, x] = 1
                elif distance < 0 and parameters[0] == membrane.CLOSED:
                    side[z, y, x] = 2
    return side


@njit(cache=True, nogil=True)
def _add_membrane(
    canvas: Canvas,
    centre_A: NDArray[np.float64],
    reach_A: float,
    surface: NDArray[np.float64],
    profile: NDArray[np.float64],
) -> None:
    """Add a membrane: its profile at the distance of each voxel from the surface."""
    density, class_mask, instance_mask, y_start, voxel_A, labels = canvas
    depth, height, width = density.shape
    cx, cy, cz = centre_A[0] / voxel_A, centre_A[1] / voxel_A, centre_A[2] / voxel_A
    reach = reach_A / voxel_A
    for z in range(first_voxel(cz, reach), last_voxel(cz, reach, depth) + 1):
        for y in range(
            max(y_start, first_voxel(cy, reach)), min(y_start + height - 1, last_voxel(cy, reach, 2**31)) + 1
        ):
            for x in range(first_voxel(cx, reach), last_voxel(cx, reach, width) + 1):
                distance = abs(membrane.surface_distance(surface, x * voxel_A, y * voxel_A, z * voxel_A))
                steps = distance / _PROFILE_STEP_A
                if steps >= profile.shape[0] - 1:
                    continue
                step = int(steps)
                value = profile[step] + (steps - step) * (profile[step + 1] - profile[step])
                cover = min(1.0, max(0.0, 0.5 + (membrane.HALF_THICKNESS_A - distance) / voxel_A))
                here = y - y_start
                density[z, here, x] = density[z, here, x] * (1 - cover) + value
                if distance <= membrane.HALF_THICKNESS_A:
                    class_mask[z, here, x] = labels.class_id
                    instance_mask[z, here, x] = labels.instance
