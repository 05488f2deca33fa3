"""Faces of the ice as a table, which is a label as masks and particle tables are."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.csv_table import write_rows
from faket_dask.specimen.particles import ParticleTable
from faket_dask.specimen.recipe import Recipe
from faket_dask.specimen.slab.slab import Slab

COLUMNS = ("x_A", "y_A", "lower_A", "upper_A")
STEP_A = 200.0
"""Distance of the points of a table, in Å; half of the shortest waves by default, or less."""

_MOST_POINTS = 500


@dataclass(frozen=True, eq=False)
class FacesTable:
    """Heights of both faces over a grid of points.

    Parameters
    ----------
    x_A, y_A
        ``(nx,)`` and ``(ny,)`` places in Å from the centre of the volume's corner voxel.
    lower_A, upper_A
        ``(ny, nx)`` z of the faces in Å.
    """

    x_A: NDArray[np.float64]
    y_A: NDArray[np.float64]
    lower_A: NDArray[np.float64]
    upper_A: NDArray[np.float64]

    def write_csv(self, path: Path) -> None:
        """Write the table as comma-separated text with a header line, whole or not at all."""
        rows = (
            (f"{x:.1f}", f"{y:.1f}", f"{self.lower_A[j, i]:.2f}", f"{self.upper_A[j, i]:.2f}")
            for j, y in enumerate(self.y_A)
            for i, x in enumerate(self.x_A)
        )
        write_rows(path, COLUMNS, rows)


def tabulate_faces(recipe: Recipe, table: ParticleTable) -> FacesTable:
    """Compute the heights of the faces of a specimen's ice.

    Parameters
    ----------
    recipe
        Recipe with a slab, that the table was drawn from.
    table
        Objects in the specimen.

    Returns
    -------
    faces
        Heights at points `STEP_A` apart, further in very wide volumes, from edge to edge.
    """
    slab = recipe.slab
    assert isinstance(slab, Slab)
    row = table.row(int(np.flatnonzero(table.class_name == slab.class_names[0])[0]))
    x_A, y_A = (
        np.linspace(0, extent, min(_MOST_POINTS, int(np.ceil(extent / STEP_A)) + 1))
        for extent in recipe.grid.extent_A[:2]
    )
    return FacesTable(x_A, y_A, *slab.make_faces(row.variant, recipe.grid).heights(x_A, y_A))
