"""Slab of ice that does not fill the volume; its kinds are films and lamellae."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import SECTION, Amount, check_amount, draw, largest
from faket_dask.specimen.canvas import Canvas
from faket_dask.specimen.class_names import ICE
from faket_dask.specimen.component import Component, Layer, Workload
from faket_dask.specimen.particles import Row
from faket_dask.specimen.scene import Scene
from faket_dask.specimen.slab.deposits import Contamination
from faket_dask.specimen.slab.faces import Faces
from faket_dask.specimen.slab.vacuum import clear_vacuum
from faket_dask.specimen.slab.waves import Waves, draw_waves
from faket_dask.specimen.voxel_grid import VoxelGrid

_STEEPEST_WEDGE_DEG = 20.0
_WAVE_DEVIATIONS = 3.0  # of a face, that a height is expected to stay within


class ThicknessRange(NamedTuple):
    """Bounds of a slab's thickness over the volume, in Å."""

    thinnest_A: float
    thickest_A: float


@dataclass(frozen=True, kw_only=True)
class Slab(ABC):
    """Ice between two faces, with vacuum beyond; its row in the particle table has the seed of the faces as `variant`.

    Parameters
    ----------
    thickness_A
        Thickness in the middle of the volume in Å, one number or (smallest, largest).
    wedge_deg
        Angle between the faces, one number or (smallest, largest).
    roughness_A
        Standard deviation of each face in Å, one number or (smallest, largest).
    roughness_length_A
        Length of the waves that make a face rough, one number or (smallest, largest).
    contamination
        Crystals on both faces.

    Raises
    ------
    InputError
        If a number is impossible.
    """

    class_names: ClassVar[tuple[str, ...]] = (ICE,)
    labelled: ClassVar[bool] = False
    cuts: ClassVar[bool]
    """True if the faces cut objects; otherwise all objects lie between them."""
    __pydantic_config__ = SECTION

    thickness_A: Amount
    wedge_deg: Amount = 0.0
    roughness_A: Amount = 0.0
    roughness_length_A: Amount = (500.0, 5000.0)
    contamination: Contamination | None = None

    def __post_init__(self) -> None:
        check_amount(self.thickness_A, "ice: thickness_A", 1.0)
        if check_amount(self.wedge_deg, "ice: wedge_deg")[1] > _STEEPEST_WEDGE_DEG:
            raise InputError(f"ice: wedge_deg is {self.wedge_deg}; it is at most {_STEEPEST_WEDGE_DEG:g}")
        check_amount(self.roughness_A, "ice: roughness_A")
        check_amount(self.roughness_length_A, "ice: roughness_length_A", 10.0)

    @property
    @abstractmethod
    def layer(self) -> Layer:
        """Order in which the vacuum is rendered."""

    @abstractmethod
    def make_faces(self, seed: int, grid: VoxelGrid) -> Faces:
        """Draw the faces by a seed."""

    @abstractmethod
    def bound_thickness(self, grid: VoxelGrid) -> ThicknessRange:
        """Bound the thickness over the volume, from the ends of all ranges."""

    def count_range(self, grid: VoxelGrid) -> tuple[int, int]:
        """Return one row: that of the faces."""
        return 1, 1

    def measure_size(self, grid: VoxelGrid) -> float:
        """Return 0, since no margin is needed for the ice."""
        return 0.0

    def measure_share(self, grid: VoxelGrid) -> float:
        """Return the share of a volume that is ice, by the middle of the range."""
        mean = float(np.mean(check_amount(self.thickness_A, "ice: thickness_A")))
        return min(1.0, mean / (grid.shape[0] * grid.voxel_size_A))

    def check_room(self, component: Component, grid: VoxelGrid) -> None:
        """Check that objects that are not cut are no larger than the ice is thick in the middle of the volume."""
        size_A = component.measure_size(grid)
        thickness_A = check_amount(self.thickness_A, "ice: thickness_A")[0]
        if not self.cuts and size_A > thickness_A - 2 * grid.voxel_size_A:
            raise InputError(
                f"ice: thickness_A is {thickness_A:g} at least, and '{component.class_names[0]}' up to {size_A:.0f} Å "
                "across; give thicker ice or smaller objects, or let the faces cut them (kind: lamella)"
            )

    def check(self, grid: VoxelGrid) -> None:
        """Check that the faces lie in the volume and do not cross."""
        height_A = grid.shape[0] * grid.voxel_size_A
        thinnest, thickest = self.bound_thickness(grid)
        if thickest > height_A:
            raise InputError(
                f"ice: up to {thickest:.0f} Å thick at the volume's edge, wedge, meniscus and waves included, and the "
                f"volume {height_A:.0f} Å; raise specimen.thickness_A to {math.ceil(thickest / 10) * 10}, or lower "
                "ice.thickness_A"
            )
        if thinnest <= grid.voxel_size_A:
            raise InputError(
                f"ice: the faces may cross, since the ice is {self.thickness_A} Å thick in the middle of the volume "
                f"and down to {thinnest:.0f} Å at its edge; raise thickness_A, or lower wedge_deg, meniscus_A, "
                "roughness_A or curtaining_A"
            )

    def draw(self, scene: Scene) -> None:
        """Draw the faces, and bound the scene by them."""
        seed = int(scene.rng.integers(2**31))
        faces = self.make_faces(seed, scene.grid)
        centre_A = np.array(scene.grid.extent_A) / 2
        scene.bound(Row(ICE, 0, centre_A, np.eye(3), faces.thickness_A / 2, seed), faces, cuts=self.cuts)

    def measure_reach(self, row: Row, grid: VoxelGrid) -> float:
        """Return infinity: vacuum is everywhere beyond the faces."""
        return math.inf

    def render(self, canvas: Canvas, row: Row, grid: VoxelGrid) -> None:
        """Put vacuum beyond the faces."""
        clear_vacuum(canvas, self.make_faces(row.variant, grid))

    def estimate(self, grid: VoxelGrid, count: float) -> Workload:
        """Estimate the work, which looks at every voxel once."""
        return Workload(count, surface_voxels=count * 0.1 * math.prod(grid.shape))

    def _draw_roughness(self, rng: np.random.Generator) -> Waves:
        return draw_waves(draw(self.roughness_A, rng), self.roughness_length_A, rng)

    def _widen(self, grid: VoxelGrid, deviation_A: float) -> float:
        """Return how far the thickness in Å may depart from its middle by wedge and waves of a deviation."""
        half_diagonal_A = math.hypot(*grid.extent_A[:2]) / 2
        wedge_A = math.tan(math.radians(largest(self.wedge_deg))) * half_diagonal_A
        return wedge_A + _WAVE_DEVIATIONS * math.sqrt(2) * deviation_A
