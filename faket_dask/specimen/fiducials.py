"""Gold beads."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faket_dask.specimen.amounts import (
    SECTION,
    Amount,
    Number,
    check_amount,
    check_number,
    draw,
    largest,
    number_range,
)
from faket_dask.specimen.canvas import Canvas, first_voxel, last_voxel
from faket_dask.specimen.class_names import FIDUCIAL
from faket_dask.specimen.component import Layer, Workload
from faket_dask.specimen.halo import NO_HALO, DrawnHalo, Halo
from faket_dask.specimen.ice import ICE_V
from faket_dask.specimen.particles import Row
from faket_dask.specimen.scene import Scene
from faket_dask.specimen.shape import Shape, draw_fraction
from faket_dask.specimen.voxel_grid import VoxelGrid

GOLD_V = 22.0
"""Mean inner potential of gold (about 26 V, Goswami & Jasuja 1992, and others) less that of ice.

Isolated neutral atoms give 29.8 V less 4.5 V; bonds in the metal lower it.
"""


@dataclass(frozen=True)
class Fiducials:
    """Gold beads.

    Parameters
    ----------
    count
        Beads per specimen, one number or (smallest, largest), or ``{per_um3: …}`` by the volume.
    diameter_A
        Diameter in Å, one number or (smallest, largest).
    halo
        Shells of thinned ice about the beads, which other objects keep clear of; a row has the seed of its halo as
        `variant`.

    Raises
    ------
    InputError
        If a number is impossible.
    """

    class_names: ClassVar[tuple[str, ...]] = (FIDUCIAL,)
    layer: ClassVar[Layer] = Layer.PARTICLES
    labelled: ClassVar[bool] = True
    __pydantic_config__ = SECTION

    count: Number = 6
    diameter_A: Amount = (90.0, 110.0)
    halo: Halo | None = None

    def __post_init__(self) -> None:
        check_number(self.count, "fiducials: count")
        check_amount(self.diameter_A, "fiducials: diameter_A", 10.0)

    def count_range(self, grid: VoxelGrid) -> tuple[int, int]:
        """Return the fewest and the most beads."""
        return number_range(self.count, grid.volume_um3)

    def measure_size(self, grid: VoxelGrid) -> float:
        """Return the largest diameter in Å, halo included."""
        halo_A = 0.0 if self.halo is None else largest(self.halo.thickness_A)
        return largest(self.diameter_A) + 2 * halo_A

    def check(self, grid: VoxelGrid) -> None:
        """Check that the largest bead fits into the volume."""
        grid.check_fits(FIDUCIAL, self.measure_size(grid))

    def draw(self, scene: Scene) -> None:
        """Draw beads, from large to small."""
        requested = scene.draw_count(self)
        diameters = sorted((draw(self.diameter_A, scene.rng) for _ in range(requested)), reverse=True)
        for placed, diameter in enumerate(diameters):
            seed = 0 if self.halo is None else int(scene.rng.integers(2**31))
            shape = ball_shape(diameter / 2, draw_fraction(scene.rng), scene.grid.voxel_size_A)
            room = ball_shape(
                diameter / 2 + self._draw_halo(seed).thickness_A, shape.fraction, scene.grid.voxel_size_A
            )
            position = scene.occupancy.find_position(room, scene.rng)
            if position is None:
                raise scene.fail(FIDUCIAL, requested, placed)
            centre_A = shape.centre_A(position, scene.grid.voxel_size_A)
            row = Row(FIDUCIAL, scene.class_id(FIDUCIAL), centre_A, np.eye(3), diameter / 2, seed)
            scene.add(row, shape, position)
            scene.occupancy.claim(room, position)

    def measure_reach(self, row: Row, grid: VoxelGrid) -> float:
        """Return the radius of a bead with its halo, and a voxel for its rim, in Å."""
        return row.radius_A + self._draw_halo(row.variant).thickness_A + grid.voxel_size_A

    def render(self, canvas: Canvas, row: Row, grid: VoxelGrid) -> None:
        """Add a ball of gold, and take ice away around it."""
        _add_bead(canvas, row.centre_A, row.radius_A, self._draw_halo(row.variant))

    def _draw_halo(self, seed: int) -> DrawnHalo:
        return NO_HALO if self.halo is None else self.halo.draw(seed)

    def estimate(self, grid: VoxelGrid, count: float) -> Workload:
        """Estimate the work of so many beads of the largest size."""
        ball = math.pi / 6 * (largest(self.diameter_A) / grid.voxel_size_A) ** 3
        return Workload(objects=count, drawn_voxels=count * ball, claimed_voxels=count * ball)


def ball_shape(radius_A: float, fraction: NDArray[np.float64], voxel_size_A: float) -> Shape:
    """Find the voxels whose middles are in a ball; that of its centre if there are none.

    Parameters
    ----------
    radius_A
        Radius in Å.
    fraction
        Place ``(x, y, z)`` of the centre from the middle of its voxel, in voxels.
    voxel_size_A
        Edge of a voxel in Å.

    Examples
    --------
    >>> len(ball_shape(10.0, np.zeros(3), 10.0))
    7
    """
    reach = int(np.ceil(radius_A / voxel_size_A)) + 1
    z, y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1, -reach : reach + 1]
    square = (x - fraction[0]) ** 2 + (y - fraction[1]) ** 2 + (z - fraction[2]) ** 2
    voxels = np.argwhere(np.sqrt(square) <= radius_A / voxel_size_A) - reach
    return Shape((voxels if len(voxels) else np.zeros((1, 3))).astype(np.int32), fraction)


@njit(cache=True, nogil=True)
def _add_bead(
    canvas: Canvas,
    centre_A: NDArray[np.float64],
    radius_A: float,
    halo: DrawnHalo,
) -> None:
    """Add a gold bead, its rim shared out to the voxels that it cuts, and its halo."""
    density, class_mask, instance_mask, y_start, voxel_A, labels = canvas
    depth, height, width = density.shape
    cx, cy, cz = centre_A[0] / voxel_A, centre_A[1] / voxel_A, centre_A[2] / voxel_A
    radius = radius_A / voxel_A
    shell = halo.thickness_A / voxel_A
    reach = radius + max(0.5, shell)
    for z in range(first_voxel(cz, reach), last_voxel(cz, reach, depth) + 1):
        for y in range(
            max(y_start, first_voxel(cy, reach)), min(y_start + height - 1, last_voxel(cy, reach, 2**31)) + 1
        ):
            for x in range(first_voxel(cx, reach), last_voxel(cx, reach, width) + 1):
                distance = np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2)
                cover = min(1.0, max(0.0, 0.5 + radius - distance))
                here = y - y_start
                if shell > 0 and radius - 0.5 < distance < radius + shell:
                    loss = halo.loss * min(1.0, 1.0 - (distance - radius) / shell)
                    density[z, here, x] = density[z, here, x] * (1 - loss) - ICE_V * loss
                if cover > 0:
                    density[z, here, x] = density[z, here, x] * (1 - cover) + GOLD_V * cover
                    if distance <= radius:
                        class_mask[z, here, x] = labels.class_id
                        instance_mask[z, here, x] = labels.instance
