"""Surfaces as signed distances on a grid of their own, independent of the voxels of a specimen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faket_dask.specimen.surfaces.redistance import signed_distances, surface_points
from faket_dask.specimen.surfaces.spline import fit_spline, spline_derivatives, spline_value

BAND_A = 90.0
"""Distance to which the distances of a surface are exact: beyond the reach of a bilayer's profile at voxels of 20 Å."""

_MARGIN_NODES = 4

_CLEARANCE_A = 2.0
"""Error of a distance that tells that another part of the surface is nearer, in Å."""

MOST_NODES = 40_000_000
"""Most nodes of a surface's grid: 160 MB of coefficients."""

Implicit = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""Function of x, y, z in Å that is negative inside, of slope about one near its zero level, elementwise."""


class Grid(NamedTuple):
    """Spline of distances in Å ``(z, y, x)``, position of its first node ``(x, y, z)`` and spacing in Å, and a rim.

    An open surface ends where it leaves the cylinder of radius `rim_A` about the z axis; closed ones have an infinite
    `rim_A`.
    """

    coefficients: NDArray[np.float32]
    origin_A: NDArray[np.float64]
    spacing_A: float
    rim_A: float


@njit(cache=True, nogil=True)
def grid_distance(grid: Grid, x: float, y: float, z: float) -> float:
    """Compute the signed distance in Å of a point in the surface's own frame; infinite outside the grid."""
    coefficients, origin, spacing, rim = grid
    u, v, w = (x - origin[0]) / spacing, (y - origin[1]) / spacing, (z - origin[2]) / spacing
    depth, height, width = coefficients.shape
    if u < 1 or v < 1 or w < 1 or u >= width - 2 or v >= height - 2 or w >= depth - 2:
        return np.inf
    across = spline_value(coefficients, w, v, u)
    rho = np.sqrt(x * x + y * y)
    if rho <= rim:
        return across
    beyond = rho - rim
    return np.sqrt(across * across + beyond * beyond) * (1.0 if across >= 0 else -1.0)


@njit(cache=True, nogil=True)
def _distances(grid: Grid, points: NDArray[np.float64]) -> NDArray[np.float64]:
    result = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        result[n] = grid_distance(grid, points[n, 0], points[n, 1], points[n, 2])
    return result


@dataclass(frozen=True, eq=False)
class Surface:
    """Middle of a bilayer, in a frame of its own.

    Parameters
    ----------
    grid
        Signed distances, negative inside.
    is_closed
        False for an open patch, which has no inside.

    Examples
    --------
    >>> import numpy as np
    >>> ball = make_surface(lambda x, y, z: np.sqrt(x**2 + y**2 + z**2) - 200.0, (200.0, 200.0, 200.0), 20.0)
    >>> ball.distances(np.array([[0.0, 0.0, 250.0], [0.0, 180.0, 0.0]])).round(1)
    array([ 50., -20.])
    >>> round(ball.area_A2 / (4 * np.pi * 200.0**2), 2), round(ball.smallest_radius_A, -1)
    (1.0, 200.0)
    """

    grid: Grid
    is_closed: bool = True

    def distances(self, points_A: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the signed distances ``(n,)`` in Å of points ``(n, 3)``, ``(x, y, z)``; infinite far outside.

        Within :data:`BAND_A` of the surface, and its radius of curvature, they are those of the closest point of
        the surface; farther off they are right to about the spacing of the grid.
        """
        return _distances(self.grid, np.ascontiguousarray(points_A, np.float64))

    def contains(self, points_A: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which of the points ``(n, 3)`` in Å are enclosed."""
        if not self.is_closed:
            return np.zeros(len(points_A), np.bool_)
        return self.distances(points_A) < 0

    def normals(self, points_A: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute unit vectors ``(n, 3)`` along the distance's gradient: outward at points ``(n, 3)`` in Å."""
        gradient = spline_derivatives(self.grid.coefficients, self._nodes(points_A))[:, 1:4]
        return gradient / np.linalg.norm(gradient, axis=1, keepdims=True)

    @cached_property
    def points_A(self) -> NDArray[np.float64]:
        """Points ``(n, 3)`` of the surface, one close to each crossing of a line of its grid, in Å."""
        # Splines are known between the second and the last but one node.
        inner = (slice(1, -2),) * 3
        nodes = surface_points(self.grid.coefficients[inner], _node_values(self.grid.coefficients)[inner])
        points = self.grid.origin_A + (nodes + 1.0) * self.grid.spacing_A
        return points[np.hypot(points[:, 0], points[:, 1]) <= self.grid.rim_A]

    @cached_property
    def area_A2(self) -> float:
        """Area in Å²: the volume of a shell about the surface, whose weights across have no second moment.

        A weight ``w(d)`` of integral one gives the area plus its second moment times the integral of the Gaussian
        curvature.
        """
        # Nodes and middles of cells together: a plane along the axes would meet the nodes alone in step.
        nodes = _node_values(self.grid.coefficients)[1:-2, 1:-2, 1:-2]
        middles = _middle_values(self.grid.coefficients)
        return 0.5 * (self._shell_area(nodes, 1.0) + self._shell_area(middles, 1.5))

    def _shell_area(self, values: NDArray[np.floating], first: float) -> float:
        """Sum the weights of a shell over distances ``(z, y, x)`` on a grid, `first` nodes from the surface's own."""
        spacing = self.grid.spacing_A
        near = np.argwhere(np.abs(values) < 2 * spacing)
        square = (values[tuple(near.T)].astype(np.float64) / (2 * spacing)) ** 2
        weights = 105 / 64 * (1 - square) ** 2 * (1 - 3 * square) / (2 * spacing)
        if np.isfinite(self.grid.rim_A):
            x, y = ((near[:, 2 - d] + first) * spacing + self.grid.origin_A[d] for d in range(2))
            weights *= np.clip(0.5 + (self.grid.rim_A - np.hypot(x, y)) / spacing, 0.0, 1.0)
        return float(weights.sum() * spacing**3)

    @cached_property
    def bounds_A(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper corner ``(x, y, z)`` in Å of the box that holds the surface."""
        return self.points_A.min(axis=0), self.points_A.max(axis=0)

    @cached_property
    def bounding_radius_A(self) -> float:
        """Distance in Å of the farthest point of the surface from the origin of its frame."""
        return float(np.linalg.norm(self.points_A, axis=1).max())

    @cached_property
    def curvatures_per_A(self) -> NDArray[np.float64]:
        """Principal curvatures ``(n, 2)`` in 1/Å at :attr:`points_A`, positive where the surface bulges outward."""
        derivatives = spline_derivatives(self.grid.coefficients, self._nodes(self.points_A))
        normal = derivatives[:, 1:4] / np.linalg.norm(derivatives[:, 1:4], axis=1, keepdims=True)
        hessian = derivatives[:, [4, 7, 8, 7, 5, 9, 8, 9, 6]].reshape(-1, 3, 3) / self.grid.spacing_A**2
        tangent = np.eye(3) - normal[:, :, None] * normal[:, None, :]
        values = np.linalg.eigvalsh(tangent @ hessian @ tangent)
        # The eigenvalue along the normal is zero; the two others are the largest ones in magnitude.
        order = np.argsort(np.abs(values), axis=1)[:, 1:]
        return np.take_along_axis(values, order, axis=1)

    @property
    def smallest_radius_A(self) -> float:
        """Smallest radius of curvature in Å, measured at :attr:`points_A` to 2 %, rather too small than too large."""
        return float(1 / np.abs(self.curvatures_per_A).max())

    def is_clear(self, distance_A: float) -> bool:
        """Tell whether the surface stays clear of itself up to a distance in Å, on both sides.

        A bilayer of that half thickness fits about the surface without touching itself: neither is the surface bent
        more tightly, nor is another part of it nearer than twice the distance.
        """
        normals = self.normals(self.points_A)
        nearest = min(
            float(np.abs(self.distances(self.points_A + side * distance_A * normals)).min())
            for side in (-1.0, 1.0)
        )
        return nearest > distance_A - _CLEARANCE_A

    def draw_points(
        self, count: int, rng: np.random.Generator, largest_rho_A: float = np.inf
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw points uniformly over the area, with the outward normals there.

        Points of a thin shell about the surface are drawn uniformly in space and moved to the surface; a shell of
        half thickness e represents the area to a relative error of ``K e² / 3`` with K the Gaussian curvature: below
        0.1 % here.

        Parameters
        ----------
        count
            Number of points.
        rng
            Source of randomness.
        largest_rho_A
            Distance from the frame's z axis up to which points are drawn.

        Returns
        -------
        points, normals
            ``(count, 3)`` in Å, and ``(count, 3)`` unit vectors, outward for a closed surface, to the local +z
            side for an open one.
        """
        spacing = self.grid.spacing_A
        half = 0.15 * spacing
        rim = min(self.grid.rim_A, largest_rho_A)
        points: list[NDArray[np.float64]] = []
        missing = count
        while missing > 0:
            cells = self._cells_A[rng.integers(len(self._cells_A), size=8 * missing + 16)]
            candidates = cells + rng.uniform(0.0, spacing, (len(cells), 3))
            distance = self.distances(candidates)
            close = (np.abs(distance) < half) & (np.hypot(candidates[:, 0], candidates[:, 1]) <= rim)
            candidates, distance = candidates[close][:missing], distance[close][:missing]
            points.append(candidates - distance[:, None] * self.normals(candidates))
            missing -= len(candidates)
        drawn = np.concatenate(points) if points else np.empty((0, 3))
        return drawn, self.normals(drawn)

    def offset(self, distance_A: float) -> Surface:
        """Return the parallel surface at a distance in Å, positive outward, within :data:`BAND_A`."""
        grid = self.grid._replace(coefficients=self.grid.coefficients - np.float32(distance_A))
        return Surface(grid, self.is_closed)

    def _nodes(self, points_A: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.ascontiguousarray((points_A - self.grid.origin_A) / self.grid.spacing_A)

    @cached_property
    def _cells_A(self) -> NDArray[np.float64]:
        """Lower corners ``(n, 3)`` in Å of the cells of the grid that the surface may pass through."""
        values = _node_values(self.grid.coefficients)[1:-1, 1:-1, 1:-1]
        lowest, highest = (_reduce_cells(values, reduce) for reduce in (np.minimum, np.maximum))
        reach = 0.3 * self.grid.spacing_A
        cells = np.argwhere((lowest <= reach) & (highest >= -reach))[:, ::-1] + 1.0
        return self.grid.origin_A + cells * self.grid.spacing_A


def _reduce_cells(values: NDArray[np.float32], reduce: np.ufunc) -> NDArray[np.float32]:
    """Reduce the values at the eight corners of each cell of a grid, ``(z, y, x)``, to one."""
    for axis in range(3):
        near = tuple(slice(None, -1) if d == axis else slice(None) for d in range(3))
        far = tuple(slice(1, None) if d == axis else slice(None) for d in range(3))
        values = reduce(values[near], values[far])
    return values


def _node_values(coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Evaluate a spline ``(z, y, x)`` at its nodes; those of the faces are left as they are."""
    values = coefficients
    for axis in range(3):
        near, here, far = (
            tuple(part if d == axis else slice(None) for d in range(3))
            for part in (slice(None, -2), slice(1, -1), slice(2, None))
        )
        updated = values.copy()
        updated[here] = (values[near] + 4 * values[here] + values[far]) / 6
        values = updated
    return values


def _middle_values(coefficients: NDArray[np.float32]) -> NDArray[np.floating]:
    """Evaluate a spline ``(z, y, x)`` in the middles of its cells, from the second node on."""
    values: NDArray[np.floating] = coefficients
    for axis in range(3):
        size = values.shape[axis]
        first, second, third, fourth = (
            values[tuple(slice(n, size - 3 + n) if d == axis else slice(None) for d in range(3))]
            for n in range(4)
        )
        values = (first + 23 * (second + third) + fourth) / 48
    return values


def make_surface(
    implicit: Implicit,
    extent_A: tuple[float, float, float],
    spacing_A: float,
    rim_A: float = np.inf,
    band_A: float = BAND_A,
) -> Surface:
    """Make the surface where a function is zero.

    Parameters
    ----------
    implicit
        Function of x, y, z in Å, negative inside, of slope about one near its zero level.
    extent_A
        Half edges ``(x, y, z)`` in Å of a box about the origin that holds the surface.
    spacing_A
        Spacing of the grid in Å: a sixth of the smallest radius of curvature keeps distances within 0.15 Å up
        to half of that radius from the surface.
    rim_A
        Radius about the z axis in Å at which an open surface ends; infinite for a closed one.
    band_A
        Distance in Å up to which distances are exact.

    Raises
    ------
    ValueError
        If the function has one sign everywhere, or the grid would have more than :data:`MOST_NODES` nodes.
    """
    half = np.ceil((np.asarray(extent_A) + band_A) / spacing_A).astype(int) + _MARGIN_NODES
    if np.prod(2.0 * half + 1) > MOST_NODES:
        raise ValueError(
            f"a surface of {2 * np.asarray(extent_A)} Å needs more than {MOST_NODES:.2g} nodes at {spacing_A:g} Å"
        )
    x, y, z = (np.arange(-n, n + 1) * spacing_A for n in half)
    values = implicit(x[None, None, :], y[None, :, None], z[:, None, None]) / spacing_A
    distances = signed_distances(np.broadcast_to(values, (z.size, y.size, x.size)), band_A / spacing_A + 1)
    distances *= spacing_A
    grid = Grid(fit_spline(distances), -half * float(spacing_A), float(spacing_A), float(rim_A))
    return Surface(grid, is_closed=not np.isfinite(rim_A))
