"""Placement: one draw of objects, positions and orientations from a recipe.

Components are drawn layer by layer, and within a layer from large to small, since a large object does not fit among
small ones. The table lists them in the order of rendering: by layer, and then in the order of the recipe.
"""

from dataclasses import replace

import numpy as np

from faket_dask.errors import InputError
from faket_dask.specimen.occupancy import Occupancy
from faket_dask.specimen.particles import ParticleTable, Row, particle_table
from faket_dask.specimen.recipe import Recipe
from faket_dask.specimen.scene import Scene


def check_fits(recipe: Recipe) -> None:
    """Check before packing that each object fits alone, and that all together are not too many.

    Parameters
    ----------
    recipe
        Recipe to check.

    Raises
    ------
    InputError
        If a class does not fit into the empty volume in every orientation (both sizes are named), or if the
        particles, by their number and volume alone, need more than the volume.

    Examples
    --------
    >>> from faket_dask.specimen.species import Species
    >>> check_fits(Recipe((8, 60, 80), 10.0, (Species("coil", count=1),)))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    faket_dask.errors.InputError: specimen: 'coil' is up to ... Å across and the volume only 70 Å in its smallest ...
    """
    claimed = 0.0
    for component in recipe.components:
        component.check(recipe.grid)
        claimed += component.estimate(recipe.grid, component.count_range(recipe.grid)[0]).claimed_voxels
    available = np.prod(recipe.shape)
    if claimed > available:
        raise InputError(
            f"specimen: the particles alone would fill {claimed / available:.0%} of the volume; ask for fewer, "
            "or enlarge the volume"
        )


def place(recipe: Recipe, rng: np.random.Generator) -> ParticleTable:
    """Draw counts, conformations, orientations and positions.

    Parameters
    ----------
    recipe
        Recipe to draw from.
    rng
        Source of all randomness of the specimen.

    Returns
    -------
    table
        Rows in the order of rendering: by layer, then in the order of the recipe.

    Raises
    ------
    InputError
        If an object is larger than the volume.
    PackingError
        If the requested number does not fit.

    Examples
    --------
    >>> from faket_dask.specimen import Fiducials, Species
    >>> recipe = Recipe((40, 60, 80), 10.0, (Species("boot", count=3), Fiducials(2)))
    >>> place(recipe, np.random.default_rng(0)).counts()
    {'boot': 3, 'fiducial': 2}
    """
    check_fits(recipe)
    grid = recipe.grid
    counts = {}
    if recipe.balanced:
        common = int(rng.integers(*recipe.common_range, endpoint=True))
        counts = {species.name: common for species in recipe.species if species.labelled}
    scene = Scene(grid, Occupancy(grid, recipe.spacing_A), rng, recipe.class_ids, counts)
    for component in sorted(recipe.components, key=lambda entry: (entry.layer, -entry.measure_size(grid))):
        component.draw(scene)
    return particle_table(_sort_rows(recipe, scene.rows))


def _sort_rows(recipe: Recipe, rows: list[Row]) -> list[Row]:
    """Return rows in the order of rendering, with the parents' new numbers."""
    rank = {
        name: (component.layer, index)
        for index, component in enumerate(recipe.components)
        for name in component.class_names
    }
    order = sorted(range(len(rows)), key=lambda number: rank[rows[number].class_name])
    numbers = {0: 0} | {old + 1: new for new, old in enumerate(order, start=1)}
    return [replace(rows[index], parent=numbers[rows[index].parent]) for index in order]
