"""Placement: one draw of objects, positions and orientations from a recipe.

Components are drawn layer by layer, and within a layer from large to small, since a large object does not fit among
small ones. Objects may be cut by the faces of the volume across x and y, where a specimen goes on, and by its surfaces
if the recipe says so: places are drawn beyond the volume, and what has no voxel in it is left out. The table lists
objects in the order of rendering: by layer, and then in the order of the recipe.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from faket_dask.errors import InputError
from faket_dask.specimen.component import Component
from faket_dask.specimen.membranes.group import MembraneGroup
from faket_dask.specimen.occupancy import Occupancy
from faket_dask.specimen.particles import ParticleTable, Row, particle_table
from faket_dask.specimen.recipe import Recipe
from faket_dask.specimen.scene import Scene

LARGEST_MARGIN_A = 600.0
"""Length in Å by which objects may reach beyond the volume, at most."""


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
    claimed, slab = 0.0, recipe.slab
    for component in recipe.components:
        component.check(recipe.grid)
        if slab is not None:
            slab.check_room(component, recipe.grid)
        if not _is_cut(component):  # nobody knows how much of a cut one is in the volume
            claimed += component.estimate(recipe.grid, component.count_range(recipe.grid)[0]).claimed_voxels
    available = np.prod(recipe.shape) * recipe.grid.ice_share
    if claimed > available:
        raise InputError(
            f"specimen: the particles alone would fill {claimed / available:.0%} of the volume; ask for fewer, "
            "or enlarge the volume"
        )


class Placement(NamedTuple):
    """Objects of a specimen, and the shares of its volume that they fill.

    Parameters
    ----------
    table
        Rows in the order of rendering.
    molecular_fraction
        Share of the ice that the molecules of particles fill, at 1.21 Å³ per dalton.
    occupied_fraction
        Share of the ice's voxels that objects of all kinds have taken, labelled or not.
    """

    table: ParticleTable
    molecular_fraction: float
    occupied_fraction: float


def place(recipe: Recipe, rng: np.random.Generator) -> ParticleTable:
    """Draw counts, conformations, orientations and positions; as `draw_placement`, without the fractions.

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
    return draw_placement(recipe, rng).table


def draw_placement(recipe: Recipe, rng: np.random.Generator) -> Placement:
    """Draw counts, conformations, orientations and positions, and measure the volume that is filled.

    Parameters
    ----------
    recipe
        Recipe to draw from.
    rng
        Source of all randomness of the specimen.

    Raises
    ------
    InputError
        If an object is larger than the volume.
    PackingError, CrowdingError
        If the requested number or fraction does not fit.

    Examples
    --------
    >>> from faket_dask.specimen import Species
    >>> placement = draw_placement(Recipe((40, 60, 80), 10.0, (Species("boot", count=9),)), np.random.default_rng(0))
    >>> round(placement.molecular_fraction, 3), round(placement.occupied_fraction, 3)
    (0.006, 0.006)
    """
    check_fits(recipe)
    grid = recipe.grid
    counts = {}
    if recipe.balanced:
        common = int(rng.integers(*recipe.common_range, endpoint=True))
        counts = {species.name: common for species in recipe.species if species.labelled}
    occupancy = Occupancy(grid, recipe.spacing_A, choose_margin(recipe))
    scene = Scene(grid, occupancy, rng, recipe.class_ids, counts)
    slab = recipe.slab
    for component in sorted(
        recipe.components, key=lambda entry: (entry is not slab, entry.layer, -entry.measure_size(grid))
    ):
        component.draw(scene)
    return Placement(
        particle_table(_sort_rows(recipe, scene)),
        scene.shown_molecular_volume_A3 / occupancy.ice_volume_A3,
        occupancy.occupied_fraction(),
    )


def choose_margin(recipe: Recipe) -> tuple[int, int, int]:
    """Choose the voxels ``(z, y, x)`` beyond the volume that objects may reach into: as many as the largest has.

    Organelles that may be cut by any face are no objects of that kind: what they have beyond is not looked at.
    """
    size_A = max(
        (component.measure_size(recipe.grid) for component in recipe.components if not _is_cut(component)),
        default=0.0,
    )
    margin = math.ceil(min(size_A, LARGEST_MARGIN_A) / recipe.voxel_size_A)
    return (margin if recipe.cuts_across_z else 0), margin, margin


def _is_cut(component: Component) -> bool:
    return isinstance(component, MembraneGroup) and component.may_be_cut


def _sort_rows(recipe: Recipe, scene: Scene) -> list[Row]:
    """Return the rows with voxels in the volume in the order of rendering, with the parents' new numbers."""
    rows = scene.rows
    rank = {
        name: (component.layer, index)
        for index, component in enumerate(recipe.components)
        for name in component.class_names
    }
    shown = [number for number, share in enumerate(scene.shown_shares) if share > 0]
    order = sorted(shown, key=lambda number: rank[rows[number].class_name])
    numbers = dict.fromkeys(range(len(rows) + 1), 0) | {
        old + 1: new for new, old in enumerate(order, start=1)
    }
    return [replace(rows[index], parent=numbers[rows[index].parent]) for index in order]
