"""Signed distances to the zero level of any smooth function on a grid.

The closest point of the surface is found for each node near it: from the nearest of a dense set of surface points, by
Newton's method on the Lagrange conditions of the closest point (the chord is parallel to the gradient, and its end lies
on the surface). The distance is thus exact for the surface of the spline through the function's values, at any
distance below the radius of curvature, and not only to first order as ``f / |∇f|`` is.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from faket_dask.specimen.surfaces.spline import fit_spline, set_derivatives, spline_derivatives

_ROUNDS = 8
_TOLERANCE = 1e-5  # nodes


def signed_distances(values: NDArray[np.float64], band: float) -> NDArray[np.float64]:
    """Compute the distance of each node of a grid from the zero level of a function.

    Parameters
    ----------
    values
        ``(z, y, x)`` function at the nodes, negative inside; its slope near the zero level should be of order one.
    band
        Distance in nodes up to which distances are exact; farther off they are right to about half a node.

    Returns
    -------
    distances
        ``(z, y, x)`` float64 in nodes, negative inside.

    Raises
    ------
    ValueError
        If the function has one sign everywhere.

    Examples
    --------
    >>> z, y, x = np.ogrid[-8:9, -8:9, -8:9]
    >>> distances = signed_distances((x**2 + y**2 + z**2 - 25.0) / 10, 4.0)
    >>> distances[8, 8, 8:].round(2)
    array([-5., -4., -3., -2., -1.,  0.,  1.,  2.,  3.])
    """
    inside = values < 0
    if inside.all() or not inside.any():
        raise ValueError("the function has one sign everywhere; there is no surface")
    coefficients = fit_spline(values)
    surface = surface_points(coefficients, values)
    lengths = np.empty(values.shape)
    tree = cKDTree(surface, leafsize=32)
    farther = []
    for side in (inside, ~inside):
        steps, opposite = ndimage.distance_transform_edt(side, return_indices=True)
        near = side & (steps < band + 2)  # the node across lies up to √3 beyond the surface
        nodes = np.argwhere(near)[:, ::-1].astype(np.float64)
        lengths[near] = _closest_distances(coefficients, nodes, surface[tree.query(nodes)[1]])
        far = side & ~near
        farther.append((far, steps[far], tuple(opposite[:, far])))
    for far, steps, opposite in farther:
        # The surface lies before the nearest node of the other side, by about that node's own distance.
        lengths[far] = steps - lengths[opposite]
    return np.where(inside, -lengths, lengths)


def surface_points(coefficients: NDArray[np.float32], values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Find points of the zero level of a spline, one close to each crossing of a line of its grid.

    Parameters
    ----------
    coefficients, values
        ``(z, y, x)`` spline, and its values at the nodes.

    Returns
    -------
    points
        ``(n, 3)`` positions ``(x, y, z)`` in nodes.
    """
    inside = values < 0
    crossings = []
    for axis in range(3):
        near, far = (
            tuple(part if d == axis else slice(None) for d in range(3))
            for part in (slice(None, -1), slice(1, None))
        )
        nodes = np.argwhere(inside[near] != inside[far])
        first, second = values[near][tuple(nodes.T)], values[far][tuple(nodes.T)]
        crossing = nodes.astype(np.float64)
        crossing[:, axis] += first / (first - second)
        crossings.append(crossing[:, ::-1])
    points = np.concatenate(crossings)
    for _ in range(4):
        derivatives = spline_derivatives(coefficients, points)
        gradient = derivatives[:, 1:4]
        step = derivatives[:, :1] * gradient / np.maximum((gradient**2).sum(axis=1, keepdims=True), 1e-12)
        points = points - np.clip(step, -1.0, 1.0)
    return points


@njit(cache=True, nogil=True)
def _closest_distances(
    coefficients: NDArray[np.float32], nodes: NDArray[np.float64], starts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute the length of the shortest way from each node to the zero level, begun at a point close to its end."""
    lengths = np.empty(nodes.shape[0])
    weights = np.empty((3, 3, 4))
    d = np.empty(10)
    for n in range(nodes.shape[0]):
        px, py, pz = nodes[n, 0], nodes[n, 1], nodes[n, 2]
        x, y, z = starts[n, 0], starts[n, 1], starts[n, 2]
        start = np.sqrt((x - px) ** 2 + (y - py) ** 2 + (z - pz) ** 2)
        set_derivatives(coefficients, x, y, z, weights, d)
        square = d[1] * d[1] + d[2] * d[2] + d[3] * d[3]
        multiplier = -((x - px) * d[1] + (y - py) * d[2] + (z - pz) * d[3]) / max(square, 1e-12)
        converged = False
        for _ in range(_ROUNDS):
            gx, gy, gz = d[1], d[2], d[3]
            rx, ry, rz = x - px + multiplier * gx, y - py + multiplier * gy, z - pz + multiplier * gz
            axx, ayy, azz = 1 + multiplier * d[4], 1 + multiplier * d[5], 1 + multiplier * d[6]
            axy, axz, ayz = multiplier * d[7], multiplier * d[8], multiplier * d[9]
            cxx, cxy, cxz = ayy * azz - ayz * ayz, axz * ayz - axy * azz, axy * ayz - axz * ayy
            cyy, cyz, czz = axx * azz - axz * axz, axy * axz - axx * ayz, axx * ayy - axy * axy
            determinant = axx * cxx + axy * cxy + axz * cxz
            if abs(determinant) < 1e-9:
                break
            # Solutions of A s = residual and A t = gradient.
            sx = (cxx * rx + cxy * ry + cxz * rz) / determinant
            sy = (cxy * rx + cyy * ry + cyz * rz) / determinant
            sz = (cxz * rx + cyz * ry + czz * rz) / determinant
            tx = (cxx * gx + cxy * gy + cxz * gz) / determinant
            ty = (cxy * gx + cyy * gy + cyz * gz) / determinant
            tz = (cxz * gx + cyz * gy + czz * gz) / determinant
            along = gx * tx + gy * ty + gz * tz
            if abs(along) < 1e-9:
                break
            change = (d[0] - (gx * sx + gy * sy + gz * sz)) / along
            ux, uy, uz = -sx - change * tx, -sy - change * ty, -sz - change * tz
            length = np.sqrt(ux * ux + uy * uy + uz * uz)
            shrink = 1.0 if length <= 1.0 else 1.0 / length
            x, y, z = x + shrink * ux, y + shrink * uy, z + shrink * uz
            multiplier += shrink * change
            set_derivatives(coefficients, x, y, z, weights, d)
            if length < _TOLERANCE:
                converged = True
                break
        end = np.sqrt((x - px) ** 2 + (y - py) ** 2 + (z - pz) ** 2)
        # Newton's method may end at another stationary point, which is farther than the surface point it began with.
        lengths[n] = end if converged and end <= start + 0.01 else start
    return lengths
