"""Render blocks of y of density and labels.

The values of a voxel follow from the recipe, the table and the voxel's position in the whole volume, never
from the block that it is computed in: any blocking gives the same bytes. Objects are rendered in the order
of the table. Each displaces the ice, or the membrane that it sits in, as far as it fills a voxel; subunits of filaments
do so together, since they touch.
"""

from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.canvas import Canvas, Labels
from faket_dask.specimen.component import MergedComponent
from faket_dask.specimen.ice import ice_texture
from faket_dask.specimen.particles import ParticleTable
from faket_dask.specimen.recipe import Recipe
from faket_dask.specimen.sources import hold_templates


@dataclass(frozen=True, eq=False)
class Block:
    """Density and labels of consecutive y slices, axes ``(z, y, x)``.

    Parameters
    ----------
    density
        float32, volts over vitreous ice; dense is positive.
    class_mask
        uint8, class ids, 0 background.
    instance_mask
        uint16, instance numbers, 0 background.
    """

    density: NDArray[np.float32]
    class_mask: NDArray[np.uint8]
    instance_mask: NDArray[np.uint16]


def render_block(recipe: Recipe, table: ParticleTable, y_start: int, y_stop: int) -> Block:
    """Render density and labels of the slices ``y_start <= y < y_stop``.

    Parameters
    ----------
    recipe
        Recipe that the table was drawn from.
    table
        Objects in the order of rendering.
    y_start, y_stop
        Slices of the volume, ``0 <= y_start < y_stop <= shape[1]``.

    Returns
    -------
    block
        Arrays of shape ``(z, y_stop - y_start, x)``.

    Raises
    ------
    InputError
        If the slices lie outside the volume, or the table names a class or a conformation that the recipe
        does not have.
    """
    depth, height, width = recipe.shape
    if not 0 <= y_start < y_stop <= height:
        raise InputError(f"slices {y_start} to {y_stop} are not within the specimen's {height} slices of y")
    shape = (depth, y_stop - y_start, width)
    if recipe.ice_texture > 0:
        density = ice_texture(shape, y_start, recipe.voxel_size_A, recipe.ice_texture, table.seed())
    else:
        density = np.zeros(shape, np.float32)
    if recipe.surroundings_V:
        density += np.float32(recipe.surroundings_V)
    block = Block(density, np.zeros(shape, np.uint8), np.zeros(shape, np.uint16))
    grid, voxel_A = recipe.grid, recipe.voxel_size_A
    with hold_templates():
        for name, indices in groupby(range(len(table)), key=lambda index: str(table.class_name[index])):
            component = recipe.by_class.get(name)
            if component is None:
                raise InputError(
                    f"the particle table has a '{name}' that the specimen does not: it knows "
                    f"{', '.join(recipe.by_class)}"
                )
            merged = np.zeros(shape, np.float32) if isinstance(component, MergedComponent) else None
            for row in map(table.row, indices):
                reach_A = component.measure_reach(row, grid)
                if (
                    row.centre_A[1] + reach_A < y_start * voxel_A
                    or row.centre_A[1] - reach_A > (y_stop - 1) * voxel_A
                ):
                    continue
                labels = Labels(np.uint8(row.class_id), np.uint16(row.instance))
                target = block.density if merged is None else merged
                canvas = Canvas(target, block.class_mask, block.instance_mask, y_start, voxel_A, labels)
                component.render(canvas, row, grid)
            if merged is not None and isinstance(component, MergedComponent):
                _displace(block.density, merged, component.surface_level(grid))
    return block


@njit(cache=True, nogil=True)
def _displace(density: NDArray[np.float32], added: NDArray[np.float32], level_V: float) -> None:
    """Add density that displaces what is there, as far as it fills a voxel."""
    for z in range(density.shape[0]):
        for y in range(density.shape[1]):
            for x in range(density.shape[2]):
                value = added[z, y, x]
                if value != 0:
                    cover = min(1.0, max(0.0, 0.5 * value / level_V))
                    density[z, y, x] = density[z, y, x] * (1 - cover) + value
