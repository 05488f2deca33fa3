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


def measure_track(points_A: NDArray[np.float64], line_A: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure how far along a line the places lie that are nearest to some points.

    Parameters
    ----------
    points_A
        ``(n, 3)`` in Å.
    line_A
        ``(m, 3)`` points of the line in Å, two at least.

    Returns
    -------
    track
        ``(n,)`` distances in Å from the first point of the line.

    Examples
    --------
    >>> line = np.array([[0.0, 0, 0], [100, 0, 0], [100, 50, 0]])
    >>> measure_track(np.array([[40.0, 9, 0], [120, 20, 0]]), line)
    array([ 40., 120.])
    """
    step = np.diff(line_A, axis=0)
    length = np.maximum(np.linalg.norm(step, axis=1), 1e-9)
    along = np.einsum("nmk,mk->nm", points_A[:, None] - line_A[:-1], step) / length
    along = np.clip(along, 0.0, length)
    foot = line_A[:-1] + along[..., None] * (step / length[:, None])
    nearest = np.argmin(np.linalg.norm(points_A[:, None] - foot, axis=2), axis=1)
    begin = np.concatenate(([0.0], np.cumsum(length)))[nearest]
    return np.asarray(begin + along[np.arange(len(points_A)), nearest])
