"""Contamination: crystals of ice that settled on the faces."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import HalfspaceIntersection

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import check_amount, check_count, draw, largest
from faket_dask.specimen.canvas import Canvas, first_voxel, last_voxel
from faket_dask.specimen.class_names import CONTAMINATION
from faket_dask.specimen.component import Layer, Workload
from faket_dask.specimen.ice import ICE_V
from faket_dask.specimen.orientation import uniform_rotations
from faket_dask.specimen.particles import Row
from faket_dask.specimen.scene import Scene
from faket_dask.specimen.slab.deposits import Contamination
from faket_dask.specimen.slab.slab import Slab
from faket_dask.specimen.voxel_grid import VoxelGrid

_SMALLEST_VOXELS = 8
_HEIGHT = (0.3, 0.6)  # of a crystal's middle over the face, in radii
_FLATTEST = 0.7  # distance of a facet from the middle, in radii
_FACETS = 16
_TRIALS = 2000


@dataclass(frozen=True)
class Crystals:
    """Crystals on the faces of a slab; their rows have the seed of the faces as `variant`, and shapes by their place.

    Parameters
    ----------
    contamination
        Settings.
    slab
        Ice that the crystals lie on.
    """

    class_names: ClassVar[tuple[str, ...]] = (CONTAMINATION,)
    layer: ClassVar[Layer] = Layer.CONTAMINATION
    labelled: ClassVar[bool] = True

    contamination: Contamination
    slab: Slab

    def count_range(self, grid: VoxelGrid) -> tuple[int, int]:
        """Return the fewest and the most crystals."""
        return check_count(self.contamination.count, "count")

    def measure_size(self, grid: VoxelGrid) -> float:
        """Return 0, since crystals lie beyond the ice that all others find room in."""
        return 0.0

    def check(self, grid: VoxelGrid) -> None:
        """Check that the middles of all crystals lie in the volume, and voxels are small enough for them."""
        low, high = check_amount(self.contamination.diameter_A, "contamination: diameter_A")
        if low < _SMALLEST_VOXELS * grid.voxel_size_A:
            raise InputError(
                f"ice: contamination is {low:g} Å across at least, and voxels are {grid.voxel_size_A:g} Å; give "
                f"diameters from {_SMALLEST_VOXELS * grid.voxel_size_A:g} Å up"
            )
        height_A = grid.shape[0] * grid.voxel_size_A
        needed_A = self.slab.bound_thickness(grid).thickest_A + _HEIGHT[1] * high + 4 * grid.voxel_size_A
        if needed_A > height_A:
            raise InputError(
                f"ice: with contamination of up to {high:g} Å on its faces, the ice needs a volume of {needed_A:.0f} "
                f"Å, and specimen.thickness_A is {height_A:.0f} Å; raise it, or lower contamination.diameter_A"
            )

    def draw(self, scene: Scene) -> None:
        """Draw crystals that do not touch one another, from large to small."""
        assert scene.faces is not None
        rng, extent_A = scene.rng, np.array(scene.grid.extent_A)
        requested = scene.draw_count(self)
        radii = sorted((draw(self.contamination.diameter_A, rng) / 2 for _ in range(requested)), reverse=True)
        spheres = np.empty((0, 4))
        for placed, radius in enumerate(radii):
            for _ in range(_TRIALS):
                x, y = rng.uniform(0, 1, 2) * extent_A[:2]
                lower, upper = scene.faces.heights(np.array([x]), np.array([y]))
                rise = rng.uniform(*_HEIGHT) * radius
                z = float(upper[0, 0]) + rise if rng.random() < 0.5 else float(lower[0, 0]) - rise
                centre_A = np.array([x, y, z])
                gap = np.linalg.norm(spheres[:, :3] - centre_A, axis=1) - spheres[:, 3] - radius
                if (gap > 2 * scene.grid.voxel_size_A).all():
                    break
            else:
                raise scene.fail(CONTAMINATION, requested, placed)
            spheres = np.vstack((spheres, [*centre_A, radius]))
            low, high = _find_bounds(centre_A, radius)
            is_cut = bool((low < -0.5 * scene.grid.voxel_size_A).any())
            is_cut |= bool((high > extent_A + 0.5 * scene.grid.voxel_size_A).any())
            label = scene.class_id(CONTAMINATION)
            scene.add_beyond(
                Row(CONTAMINATION, label, centre_A, np.eye(3), radius, scene.slab_seed, is_cut=is_cut)
            )

    def measure_reach(self, row: Row, grid: VoxelGrid) -> float:
        """Return the radius of a crystal, and a voxel for its rim, in Å."""
        return row.radius_A + grid.voxel_size_A

    def render(self, canvas: Canvas, row: Row, grid: VoxelGrid) -> None:
        """Put ice in place of vacuum."""
        reach = self.measure_reach(row, grid) / canvas.voxel_A
        cx, cy, _ = row.centre_A / canvas.voxel_A
        height, width = canvas.density.shape[1:]
        xs = np.arange(first_voxel(cx, reach), last_voxel(cx, reach, width) + 1)
        top = last_voxel(cy, reach, canvas.y_start + height)
        ys = np.arange(max(canvas.y_start, first_voxel(cy, reach)), top + 1)
        if not (xs.size and ys.size):
            return
        faces = self.slab.make_faces(row.variant, grid)
        lower, upper = faces.heights(
            xs.astype(np.float64) * canvas.voxel_A, ys.astype(np.float64) * canvas.voxel_A
        )
        normals, distances = _make_facets(tuple(row.centre_A.tolist()), row.radius_A)
        _add_crystal(
            canvas,
            row.centre_A / canvas.voxel_A,
            row.radius_A / canvas.voxel_A,
            normals,
            distances / canvas.voxel_A,
            (int(ys[0]), int(xs[0])),
            lower / canvas.voxel_A,
            upper / canvas.voxel_A,
        )

    def estimate(self, grid: VoxelGrid, count: float) -> Workload:
        """Estimate the work of so many crystals of the largest size, whose voxels are none of the ice's."""
        cube = (largest(self.contamination.diameter_A) / grid.voxel_size_A) ** 3
        return Workload(count, surface_voxels=count * cube)


@lru_cache(maxsize=1024)
def _make_facets(
    centre_A: tuple[float, ...], radius_A: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the facets of a crystal by its place: unit normals ``(n, 3)``, and distances ``(n,)`` in Å."""
    rng = np.random.default_rng(np.array(centre_A).view(np.uint64))
    normals = rng.normal(size=(_FACETS, 3))
    axes = uniform_rotations(1, rng)[0]
    normals = np.concatenate((normals, axes, -axes))  # the last six close a crystal
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    return normals, radius_A * rng.uniform(_FLATTEST, 1.0, len(normals))


def _find_bounds(
    centre_A: NDArray[np.float64], radius_A: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and the highest place ``(x, y, z)`` in Å of a crystal."""
    normals, distances = _make_facets(tuple(centre_A.tolist()), radius_A)
    corners = HalfspaceIntersection(np.column_stack((normals, -distances)), np.zeros(3)).intersections
    corners = np.clip(corners, -radius_A, radius_A)
    return centre_A + corners.min(axis=0), centre_A + corners.max(axis=0)


@njit(cache=True, nogil=True)
def _add_crystal(
    canvas: Canvas,
    centre: NDArray[np.float64],
    radius: float,
    normals: NDArray[np.float64],
    distances: NDArray[np.float64],
    corner: tuple[int, int],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
) -> None:
    """Add ice where there is vacuum; voxels that are all crystal and all beyond the faces get its label."""
    density, class_mask, instance_mask, y_start, _, labels = canvas
    for z in range(
        first_voxel(centre[2], radius + 1), last_voxel(centre[2], radius + 1, density.shape[0]) + 1
    ):
        for j in range(lower.shape[0]):
            y = corner[0] + j
            for i in range(lower.shape[1]):
                x = corner[1] + i
                square = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2
                outside = np.sqrt(square) - radius
                for facet in range(distances.shape[0]):
                    along = (
                        normals[facet, 0] * (x - centre[0])
                        + normals[facet, 1] * (y - centre[1])
                        + normals[facet, 2] * (z - centre[2])
                    )
                    outside = max(outside, along - distances[facet])
                share = min(1.0, max(0.0, 0.5 - outside))
                ice = min(1.0, max(0.0, min(z + 0.5, upper[j, i]) - max(z - 0.5, lower[j, i])))
                density[z, y - y_start, x] += share * (1 - ice) * ICE_V
                if share == 1 and ice == 0:
                    class_mask[z, y - y_start, x] = labels.class_id
                    instance_mask[z, y - y_start, x] = labels.instance
