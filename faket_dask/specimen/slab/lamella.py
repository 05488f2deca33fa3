"""Lamella that an ion beam has cut out of frozen cells."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from faket_dask.specimen.amounts import Amount, check_amount, draw, largest
from faket_dask.specimen.component import Layer
from faket_dask.specimen.slab.faces import Faces
from faket_dask.specimen.slab.slab import Slab, ThicknessRange
from faket_dask.specimen.slab.waves import Waves, draw_waves
from faket_dask.specimen.voxel_grid import VoxelGrid


@dataclass(frozen=True, kw_only=True)
class Lamella(Slab):
    """Lamella that an ion beam has cut out of frozen cells; its faces cut all objects.

    Parameters
    ----------
    thickness_A, wedge_deg, roughness_A, roughness_length_A, contamination
        As for `Slab`. A wedge grows along the ion beam.
    milling_deg
        Direction of the ion beam in the plane of the lamella, in degrees from x, which is across the tilt axis, one
        number or (smallest, largest).
    curtaining_A
        Standard deviation of each face by stripes along the ion beam in Å, one number or (smallest, largest).
    curtain_width_A
        Distance of neighbouring stripes in Å, one number or (smallest, largest).

    Raises
    ------
    InputError
        If a number is impossible.

    Examples
    --------
    >>> lamella = Lamella(thickness_A=(1000.0, 1500.0), wedge_deg=1.0, curtaining_A=20.0)
    >>> lamella.make_faces(0, VoxelGrid((200, 100, 200), 10.0)).gradient[0] > 0
    True
    """

    layer: ClassVar[Layer] = Layer.CUT
    cuts: ClassVar[bool] = True

    kind: Literal["lamella"] = "lamella"
    milling_deg: Amount = (0.0, 10.0)
    curtaining_A: Amount = 0.0
    curtain_width_A: Amount = (300.0, 3000.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_amount(self.milling_deg, "ice: milling_deg")
        check_amount(self.curtaining_A, "ice: curtaining_A")
        check_amount(self.curtain_width_A, "ice: curtain_width_A", 10.0)

    def make_faces(self, seed: int, grid: VoxelGrid) -> Faces:
        """Draw the faces by a seed."""
        rng = np.random.default_rng(seed)
        x, y, z = (extent / 2 for extent in grid.extent_A)
        thickness, slope = draw(self.thickness_A, rng), math.tan(math.radians(draw(self.wedge_deg, rng)))
        direction = math.radians(draw(self.milling_deg, rng))
        return Faces(
            (x, y, z),
            thickness,
            (slope * math.cos(direction), slope * math.sin(direction)),
            lower=(self._draw_roughness(rng), self._draw_curtains(direction, rng)),
            upper=(self._draw_roughness(rng), self._draw_curtains(direction, rng)),
        )

    def bound_thickness(self, grid: VoxelGrid) -> ThicknessRange:
        """Bound the thickness over the volume, from the ends of all ranges."""
        thin, thick = check_amount(self.thickness_A, "ice: thickness_A")
        change = self._widen(grid, math.hypot(largest(self.roughness_A), largest(self.curtaining_A)))
        return ThicknessRange(thin - change, thick + change)

    def _draw_curtains(self, direction_rad: float, rng: np.random.Generator) -> Waves:
        """Draw stripes along the ion beam: waves across it."""
        across = direction_rad + math.pi / 2
        return draw_waves(draw(self.curtaining_A, rng), self.curtain_width_A, rng, across)
