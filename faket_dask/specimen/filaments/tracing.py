"""Centre lines of a specimen by its particle table."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.filaments.centre_line_table import CentreLineTable, centre_line_table
from faket_dask.specimen.filaments.group import FilamentGroup
from faket_dask.specimen.particles import ParticleTable
from faket_dask.specimen.recipe import Recipe


def trace_filaments(recipe: Recipe, table: ParticleTable) -> CentreLineTable:
    """Compute the centre lines of all labelled filaments from their subunits.

    Parameters
    ----------
    recipe
        Recipe that the table was drawn from.
    table
        Objects in the specimen.

    Returns
    -------
    lines
        Points as far apart as the subunits of a strand, from the minus to the plus end.
    """
    return centre_line_table(_trace(recipe, table))


def _trace(recipe: Recipe, table: ParticleTable) -> Iterator[tuple[int, str, NDArray[np.float64]]]:
    for group in recipe.components:
        if not isinstance(group, FilamentGroup):
            continue
        rows = table.select((table.class_name == group.name) & (table.parent > 0))
        for number in np.unique(rows.parent):
            own = rows.select(rows.parent == number)
            points = group.find_axis(own.centre_A, own.rotation)
            yield int(number), group.name, _space_out(points, group.lattice.spacing_A)


def _space_out(points_A: NDArray[np.float64], spacing_A: float) -> NDArray[np.float64]:
    """Return points ``(n, 3)`` at equal distances along a line through many."""
    arc = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(points_A, axis=0), axis=1))))
    places = np.linspace(0.0, arc[-1], max(1, round(arc[-1] / spacing_A)) + 1)
    return np.column_stack([np.interp(places, arc, points_A[:, axis]) for axis in range(3)])
