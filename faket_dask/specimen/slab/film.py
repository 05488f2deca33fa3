"""Film of ice that spans a hole of the grid."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from faket_dask.specimen.amounts import Amount, check_amount, draw, largest
from faket_dask.specimen.component import Layer
from faket_dask.specimen.slab.deposits import Carbon
from faket_dask.specimen.slab.faces import Faces, Hole
from faket_dask.specimen.slab.slab import Slab, ThicknessRange
from faket_dask.specimen.voxel_grid import VoxelGrid


@dataclass(frozen=True, kw_only=True)
class Film(Slab):
    """Film of ice that spans a hole of the grid; all objects lie in it.

    Parameters
    ----------
    thickness_A, wedge_deg, roughness_A, roughness_length_A, contamination
        As for `Slab`. The wedge has any direction.
    meniscus_A
        Thickness at the rim of the hole less that in its middle in Å, one number or (smallest, largest).
    hole_radius_A
        Radius of the hole in Å, one number or (smallest, largest).
    hole_offset_A
        Distance of the hole's middle from the middle of the volume in Å, in any direction, one number or (smallest,
        largest).
    carbon
        Carbon about the hole, at one of the faces.

    Raises
    ------
    InputError
        If a number is impossible.

    Examples
    --------
    >>> film = Film(thickness_A=(300.0, 400.0), meniscus_A=100.0, hole_offset_A=0.0)
    >>> round(film.bound_thickness(VoxelGrid((60, 100, 200), 10.0)).thickest_A, 1)
    403.4
    """

    layer: ClassVar[Layer] = Layer.ICE
    cuts: ClassVar[bool] = False

    kind: Literal["film"] = "film"
    meniscus_A: Amount = 0.0
    hole_radius_A: Amount = (6000.0, 10000.0)
    hole_offset_A: Amount = (0.0, 3000.0)
    carbon: Carbon | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_amount(self.meniscus_A, "ice: meniscus_A")
        check_amount(self.hole_radius_A, "ice: hole_radius_A", 100.0)
        check_amount(self.hole_offset_A, "ice: hole_offset_A")

    def make_faces(self, seed: int, grid: VoxelGrid) -> Faces:
        """Draw the faces by a seed."""
        rng = np.random.default_rng(seed)
        x, y, z = (extent / 2 for extent in grid.extent_A)
        thickness = draw(self.thickness_A, rng)
        slope, direction = math.tan(math.radians(draw(self.wedge_deg, rng))), rng.uniform(0, 2 * math.pi)
        offset, side = draw(self.hole_offset_A, rng), rng.uniform(0, 2 * math.pi)
        hole = Hole(
            (x + offset * math.cos(side), y + offset * math.sin(side)),
            draw(self.hole_radius_A, rng),
            draw(self.meniscus_A, rng),
        )
        return Faces(
            (x, y, z),
            thickness,
            (slope * math.cos(direction), slope * math.sin(direction)),
            hole,
            (self._draw_roughness(rng),),
            (self._draw_roughness(rng),),
        )

    def bound_thickness(self, grid: VoxelGrid) -> ThicknessRange:
        """Bound the thickness over the volume, from the ends of all ranges."""
        thin, thick = check_amount(self.thickness_A, "ice: thickness_A")
        meniscus, offset = largest(self.meniscus_A), largest(self.hole_offset_A)
        radius = check_amount(self.hole_radius_A, "ice: hole_radius_A")[0]
        far = math.hypot(*grid.extent_A[:2]) / 2 + offset
        change = self._widen(grid, largest(self.roughness_A))
        return ThicknessRange(
            thin - change - meniscus * min(1.0, offset / radius) ** 2,
            thick + change + meniscus * min(1.0, far / radius) ** 2,
        )
