"""Carbon film of the grid, with the edge of its hole."""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.amounts import check_amount, draw, largest
from faket_dask.specimen.canvas import Canvas
from faket_dask.specimen.class_names import CARBON
from faket_dask.specimen.component import Layer, Workload
from faket_dask.specimen.ice import ICE_V
from faket_dask.specimen.particles import Row
from faket_dask.specimen.scene import Scene
from faket_dask.specimen.slab.deposits import Carbon
from faket_dask.specimen.slab.faces import Hole, find_layers
from faket_dask.specimen.slab.slab import Slab
from faket_dask.specimen.voxel_grid import VoxelGrid

CARBON_V = 9.09 - ICE_V
"""Mean inner potential of amorphous carbon (1.75 g/cm³; Wanner et al., Ultramicroscopy 106, 2006) less that of ice."""

_ATOMS_PER_A3 = 1.75 * 0.6022 / 12.011
_STREAM = 1  # beside the faces, which have the same seed
_TEXTURE = 2
_HARMONICS = np.arange(2, 40)


class _Sheet(NamedTuple):
    """Carbon over a grid of points: heights ``(y, x)`` of its faces, and the share that it has of each point."""

    lower_A: NDArray[np.float64]
    upper_A: NDArray[np.float64]
    share: NDArray[np.float64]


@dataclass(frozen=True)
class CarbonFilm:
    """Carbon at one face of a slab, in a row that has the seed of the slab's faces as `variant`.

    Parameters
    ----------
    carbon
        Settings.
    slab
        Ice that the carbon holds.
    """

    class_names: ClassVar[tuple[str, ...]] = (CARBON,)
    layer: ClassVar[Layer] = Layer.CARBON
    labelled: ClassVar[bool] = True

    carbon: Carbon
    slab: Slab

    def count_range(self, grid: VoxelGrid) -> tuple[int, int]:
        """Return one film, or none if the hole is larger than the volume."""
        return 0, 1

    def measure_size(self, grid: VoxelGrid) -> float:
        """Return the thickness in Å."""
        return largest(self.carbon.thickness_A)

    def check(self, grid: VoxelGrid) -> None:
        """Check that the film is thinner than the ice."""
        thinnest_A = self.slab.bound_thickness(grid).thinnest_A
        if largest(self.carbon.thickness_A) > thinnest_A:
            raise InputError(
                f"ice: carbon is up to {largest(self.carbon.thickness_A):g} Å thick, and the ice down to "
                f"{thinnest_A:.0f} Å at the volume's edge; make it thinner, or the ice thicker"
            )

    def draw(self, scene: Scene) -> None:
        """Draw the film, and take its voxels."""
        seed, voxel_A = scene.slab_seed, scene.grid.voxel_size_A
        hole = self._find_hole(seed, scene.grid)
        y_A, x_A = scene.occupancy.list_places()
        sheet = self._make_sheet(seed, scene.grid, x_A, y_A)
        first, last = find_layers(sheet.lower_A, sheet.upper_A, voxel_A)
        last[sheet.share < 1] = first[sheet.share < 1] - 1
        centre_A = np.array([*hole.centre_A, sheet.lower_A.mean()])
        row = Row(CARBON, scene.class_id(CARBON), centre_A, np.eye(3), hole.radius_A, seed, is_cut=True)
        scene.add_layers(row, first, last)

    def measure_reach(self, row: Row, grid: VoxelGrid) -> float:
        """Return infinity: the film goes on to the edges of the volume."""
        return math.inf

    def render(self, canvas: Canvas, row: Row, grid: VoxelGrid) -> None:
        """Put carbon in place of ice."""
        x_A = np.arange(canvas.density.shape[2], dtype=np.float64) * canvas.voxel_A
        rows = range(canvas.y_start, canvas.y_start + canvas.density.shape[1])
        y_A = np.array(rows, np.float64) * canvas.voxel_A
        sheet = self._make_sheet(row.variant, grid, x_A, y_A)
        if not sheet.share.any():
            return
        first, last = find_layers(sheet.lower_A, sheet.upper_A, canvas.voxel_A)
        deviation_V = self.carbon.texture * measure_fluctuation(canvas.voxel_A)
        for index, y in enumerate(rows):
            if sheet.share[index].any():
                noise = np.random.default_rng([row.variant, _TEXTURE, y]).standard_normal(
                    (canvas.density.shape[0], canvas.density.shape[2]), dtype=np.float32
                )
                _add_carbon(canvas, index, sheet, first, last, CARBON_V + deviation_V * noise)

    def estimate(self, grid: VoxelGrid, count: float) -> Workload:
        """Estimate the work and the voxels of the film that one seed draws."""
        x_A, y_A = (np.linspace(0, extent, 50) for extent in grid.extent_A[:2])
        share = self._make_sheet(0, grid, x_A, y_A).share.mean()
        columns = count * share * grid.shape[1] * grid.shape[2]
        layers = float(np.mean(check_amount(self.carbon.thickness_A, "thickness_A"))) / grid.voxel_size_A
        return Workload(count, surface_voxels=columns * grid.shape[0], claimed_voxels=columns * layers)

    def _find_hole(self, seed: int, grid: VoxelGrid) -> Hole:
        hole = self.slab.make_faces(seed, grid).hole
        assert hole is not None
        return hole

    def _make_sheet(
        self, seed: int, grid: VoxelGrid, x_A: NDArray[np.float64], y_A: NDArray[np.float64]
    ) -> _Sheet:
        """Draw the carbon over a grid of points."""
        rng = np.random.default_rng([seed, _STREAM])
        lower, upper = self.slab.make_faces(seed, grid).heights(x_A, y_A)
        thickness, is_upper = draw(self.carbon.thickness_A, rng), rng.random() < 0.5
        # Rough edges have less of what is fine; amplitudes that fall as 1/m have a variance of half the sum of squares.
        amplitude = draw(self.carbon.edge_roughness_A, rng) / _HARMONICS
        amplitude *= math.sqrt(2 / np.sum(1.0 / _HARMONICS**2))
        phase = rng.uniform(0, 2 * math.pi, _HARMONICS.size)
        hole = self._find_hole(seed, grid)
        azimuth = np.arctan2(y_A[:, None] - hole.centre_A[1], x_A - hole.centre_A[0])
        edge_A = hole.radius_A + sum(
            a * np.cos(m * azimuth + p) for m, a, p in zip(_HARMONICS, amplitude, phase, strict=True)
        )
        beyond = (hole.measure_distance(x_A, y_A) - edge_A) / grid.voxel_size_A
        share = np.clip(beyond + 0.5, 0.0, 1.0)
        return (
            _Sheet(upper - thickness, upper, share) if is_upper else _Sheet(lower, lower + thickness, share)
        )


def measure_fluctuation(voxel_size_A: float) -> float:
    """Compute the standard deviation in volts of a voxel of carbon whose atoms lie at random places.

    Examples
    --------
    >>> round(measure_fluctuation(10.0), 2)
    0.97
    """
    return (CARBON_V + ICE_V) / math.sqrt(_ATOMS_PER_A3 * voxel_size_A**3)


@njit(cache=True, nogil=True)
def _add_carbon(
    canvas: Canvas,
    y: int,
    sheet: _Sheet,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    potential_V: NDArray[np.float32],
) -> None:
    """Add carbon to a slice; where it shares a voxel with vacuum, its own part holds no ice that it would displace."""
    density, class_mask, instance_mask, _, voxel_A, labels = canvas
    for x in range(density.shape[2]):
        across = sheet.share[y, x]
        if across == 0:
            continue
        lower, upper = sheet.lower_A[y, x] / voxel_A, sheet.upper_A[y, x] / voxel_A
        for z in range(max(0, int(lower) - 1), min(density.shape[0] - 1, int(upper) + 2) + 1):
            if first[y, x] <= z <= last[y, x] and across == 1:
                density[z, y, x] = potential_V[z, x]
                class_mask[z, y, x] = labels.class_id
                instance_mask[z, y, x] = labels.instance
                continue
            share = across * min(1.0, max(0.0, min(z + 0.5, upper) - max(z - 0.5, lower)))
            density[z, y, x] += share * potential_V[z, x]
