"""Tubules: capped tubes about a smooth centre line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from faket_dask.specimen.surfaces.closed import grid_spacing
from faket_dask.specimen.surfaces.surface import BAND_A, Surface, make_surface


def tubule(centre_line_A: NDArray[np.float64], radius_A: float, band_A: float = BAND_A) -> Surface:
    """Make the surface at a distance from a curve.

    Parameters
    ----------
    centre_line_A
        ``(n, 3)`` points of the curve in Å, close together; its radius of curvature exceeds that of the tube.
    radius_A
        Radius of the tube and of its caps in Å.
    band_A
        Distance in Å up to which distances are exact.

    Examples
    --------
    >>> line = np.linspace((-200.0, 0.0, 0.0), (200.0, 0.0, 0.0), 41)
    >>> tube = tubule(line, 120.0)
    >>> tube.distances(np.array([[0.0, 150.0, 0.0], [0.0, 0.0, 100.0]])).round(1)
    array([ 30., -20.])
    """
    tree = cKDTree(centre_line_A)

    def implicit(
        x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        grid = np.broadcast_arrays(x, y, z)
        points = np.stack([axis.ravel() for axis in grid], axis=1)
        nearest = tree.query(points)[1]
        squares = np.full(len(points), np.inf)
        for neighbour in (-1, 0):
            first = np.clip(nearest + neighbour, 0, len(centre_line_A) - 2)
            start, way = centre_line_A[first], centre_line_A[first + 1] - centre_line_A[first]
            offset = points - start
            share = np.clip((offset * way).sum(axis=1) / (way**2).sum(axis=1), 0.0, 1.0)
            squares = np.minimum(squares, ((offset - share[:, None] * way) ** 2).sum(axis=1))
        return (np.sqrt(squares) - radius_A).reshape(grid[0].shape)

    extent = np.abs(centre_line_A).max(axis=0) + radius_A
    return make_surface(implicit, (extent[0], extent[1], extent[2]), grid_spacing(radius_A), band_A=band_A)
