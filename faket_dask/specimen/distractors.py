"""Distractors: unlabelled objects of random shape, by which networks learn what is not a particle."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from faket_dask.errors import InputError
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
from faket_dask.specimen.canvas import Canvas
from faket_dask.specimen.class_names import DISTRACTOR
from faket_dask.specimen.component import Layer, Workload
from faket_dask.specimen.groups import draw_direction
from faket_dask.specimen.orientation import uniform_rotations
from faket_dask.specimen.particles import Row
from faket_dask.specimen.phantoms import blob_template
from faket_dask.specimen.scene import Scene
from faket_dask.specimen.species import find_free
from faket_dask.specimen.template import Sampling, Template
from faket_dask.specimen.template_voxels import add_particle
from faket_dask.specimen.voxel_grid import VoxelGrid


@dataclass(frozen=True)
class Distractors:
    """Arrangements of blobs with the contrast of protein; `variant` is the seed of a shape.

    Parameters
    ----------
    count
        Distractors per specimen, one number or (smallest, largest), or ``{per_um3: …}`` by the volume.
    diameter_A
        Diameter in Å, one number or (smallest, largest).
    shapes
        Number of different shapes in a specimen.

    Raises
    ------
    InputError
        If a number is impossible.
    """

    __pydantic_config__ = SECTION

    count: Number = (20, 40)
    diameter_A: Amount = (60.0, 250.0)
    shapes: int = 20

    class_names: ClassVar[tuple[str, ...]] = (DISTRACTOR,)
    layer: ClassVar[Layer] = Layer.DISTRACTORS
    labelled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_number(self.count, "distractors: count")
        check_amount(self.diameter_A, "distractors: diameter_A", 20.0)
        if not 1 <= self.shapes <= 1000:
            raise InputError(f"distractors: shapes is {self.shapes}; it lies between 1 and 1000")

    def count_range(self, grid: VoxelGrid) -> tuple[int, int]:
        """Return the fewest and the most distractors."""
        return number_range(self.count, grid.volume_um3)

    def measure_size(self, grid: VoxelGrid) -> float:
        """Return the largest diameter in Å."""
        return largest(self.diameter_A)

    def check(self, grid: VoxelGrid) -> None:
        """Check that the largest distractor fits into the volume."""
        grid.check_fits(DISTRACTOR, self.measure_size(grid))

    def load_template(self, seed: int, grid: VoxelGrid) -> Template:
        """Make the template of the shape with a seed."""
        return _random_template(seed, self.diameter_A, grid.voxel_size_A, grid.sampling)

    def draw(self, scene: Scene) -> None:
        """Draw shapes and places, from large to small."""
        requested = scene.draw_count(self)
        seeds = scene.rng.integers(2**31, size=self.shapes).tolist()
        templates = {seed: self.load_template(seed, scene.grid) for seed in seeds}
        drawn = scene.rng.choice(seeds, requested).tolist()
        for placed, seed in enumerate(sorted(drawn, key=lambda seed: -templates[seed].radius_A)):
            template = templates[seed]
            place = find_free(template, uniform_rotations(1, scene.rng)[0], scene, scene.region())
            if place is None:
                raise scene.fail(DISTRACTOR, requested, placed)
            centre_A = place.shape.centre_A(place.position, scene.grid.voxel_size_A)
            row = Row(DISTRACTOR, 0, centre_A, place.rotation, template.radius_A, seed)
            scene.add(row, place.shape, place.position, template.molecular_volume_A3)

    def measure_reach(self, row: Row, grid: VoxelGrid) -> float:
        """Return the radius in Å of the template's support."""
        return self.load_template(row.variant, grid).support_A

    def render(self, canvas: Canvas, row: Row, grid: VoxelGrid) -> None:
        """Add a distractor as particles are added."""
        add_particle(canvas, row, self.load_template(row.variant, grid))

    def estimate(self, grid: VoxelGrid, count: float) -> Workload:
        """Estimate the work of so many distractors of the largest size."""
        ball = count * math.pi / 6 * (1.2 * largest(self.diameter_A) / grid.voxel_size_A) ** 3
        return Workload(count, ball, ball, claimed_voxels=ball / 4)


@lru_cache(maxsize=1024)
def _random_template(seed: int, diameter_A: Amount, voxel_size_A: float, sampling: Sampling) -> Template:
    """Make a connected arrangement of three to nine blobs, each of which touches one before it."""
    rng = np.random.default_rng(seed)
    blobs = np.empty((int(rng.integers(3, 10)), 5))
    for index, blob in enumerate(blobs):
        blob[3:] = rng.uniform(6, 14), rng.uniform(1.5, 3.5)
        blob[:3] = 0.0
        if index:
            other = blobs[rng.integers(index)]
            blob[:3] = other[:3] + 0.8 * max(blob[3], other[3]) * draw_direction(rng)
    return blob_template("distractor", blobs, draw(diameter_A, rng), voxel_size_A, sampling)
