"""Compartment maps: which membrane encloses each voxel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.membranes.group import MembraneGroup
from faket_dask.specimen.particles import ParticleTable
from faket_dask.specimen.recipe import Recipe


def map_compartments(recipe: Recipe, table: ParticleTable, y_start: int, y_stop: int) -> NDArray[np.uint16]:
    """Find the innermost membrane about each voxel of the slices ``y_start <= y < y_stop``.

    Parameters
    ----------
    recipe, table
        Specimen.
    y_start, y_stop
        Slices of the volume.

    Returns
    -------
    compartments
        ``(z, y_stop - y_start, x)`` uint16: instance of the innermost closed membrane that encloses the voxel, whether
        particles fill it or not; 0 outside of all and within bilayers.
    """
    depth, _, width = recipe.shape
    compartments = np.zeros((depth, y_stop - y_start, width), np.uint16)
    voxel_A = recipe.voxel_size_A
    for index in range(len(table)):
        row = table.row(index)
        group = recipe.by_class.get(row.class_name)
        if not isinstance(group, MembraneGroup):
            continue
        reach_A = group.measure_reach(row, recipe.grid)
        if (
            abs(row.centre_A[1] - 0.5 * (y_start + y_stop - 1) * voxel_A)
            <= reach_A + 0.5 * (y_stop - y_start) * voxel_A
        ):
            group.mark_compartment(compartments, y_start, row, voxel_A)
    return compartments
