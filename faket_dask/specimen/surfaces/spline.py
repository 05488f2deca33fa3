"""Cubic B-splines on a cubic grid at single points: value, gradient, second derivatives.

Only arithmetic is used, so that the value at a point does not depend on how a loop over points is compiled or cut.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

_EDGE_NODES = 12
"""Nodes by which values are continued at the faces: an error of the filter there falls by 0.27 a node."""


def fit_spline(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Compute the coefficients of the cubic B-spline through values on a grid.

    Beyond the faces the values are continued by a reflection through the outermost node, as a distance goes on: linear
    functions are kept as they are, and those mirrored in the face would have no slope there.

    Parameters
    ----------
    values
        ``(z, y, x)`` values at the nodes.

    Returns
    -------
    coefficients
        ``(z, y, x)`` float32.
    """
    edges = [min(_EDGE_NODES, size - 1) for size in values.shape]
    continued = np.pad(values, [(edge, edge) for edge in edges], mode="reflect", reflect_type="odd")
    filtered = ndimage.spline_filter(continued, order=3, output=np.float32, mode="mirror")
    inner = tuple(slice(edge, edge + size) for edge, size in zip(edges, values.shape, strict=True))
    return np.ascontiguousarray(filtered[inner])


@njit(cache=True, nogil=True)
def spline_value(coefficients: NDArray[np.float32], z: float, y: float, x: float) -> float:
    """Evaluate a spline at a point between the second and the last but one node of each axis.

    Parameters
    ----------
    coefficients
        ``(z, y, x)`` from :func:`fit_spline`.
    z, y, x
        Position in nodes.
    """
    k, j, i = int(z), int(y), int(x)
    fz, fy, fx = z - k, y - j, x - i
    gz, gy, gx = 1.0 - fz, 1.0 - fy, 1.0 - fx
    x0 = gx * gx * gx / 6.0
    x1 = (fx * fx * (fx - 2.0) * 3.0 + 4.0) / 6.0
    x2 = (gx * gx * (gx - 2.0) * 3.0 + 4.0) / 6.0
    x3 = fx * fx * fx / 6.0
    weights_y = (
        gy * gy * gy / 6.0,
        (fy * fy * (fy - 2.0) * 3.0 + 4.0) / 6.0,
        (gy * gy * (gy - 2.0) * 3.0 + 4.0) / 6.0,
        fy * fy * fy / 6.0,
    )
    weights_z = (
        gz * gz * gz / 6.0,
        (fz * fz * (fz - 2.0) * 3.0 + 4.0) / 6.0,
        (gz * gz * (gz - 2.0) * 3.0 + 4.0) / 6.0,
        fz * fz * fz / 6.0,
    )
    total = 0.0
    for c in range(4):
        plane = 0.0
        for b in range(4):
            row = (
                x0 * coefficients[k + c - 1, j + b - 1, i - 1]
                + x1 * coefficients[k + c - 1, j + b - 1, i]
                + x2 * coefficients[k + c - 1, j + b - 1, i + 1]
                + x3 * coefficients[k + c - 1, j + b - 1, i + 2]
            )
            plane += weights_y[b] * row
        total += weights_z[c] * plane
    return total


@njit(cache=True, nogil=True)
def _set_weights(weights: NDArray[np.float64], f: float) -> None:
    """Fill ``(3, 4)`` weights of the value and of both derivatives at a fraction of a node's spacing."""
    g = 1.0 - f
    weights[0, 0] = g * g * g / 6.0
    weights[0, 1] = (f * f * (f - 2.0) * 3.0 + 4.0) / 6.0
    weights[0, 2] = (g * g * (g - 2.0) * 3.0 + 4.0) / 6.0
    weights[0, 3] = f * f * f / 6.0
    weights[1, 0] = -g * g / 2.0
    weights[1, 1] = f * (3.0 * f - 4.0) / 2.0
    weights[1, 2] = -g * (3.0 * g - 4.0) / 2.0
    weights[1, 3] = f * f / 2.0
    weights[2, 0] = g
    weights[2, 1] = 3.0 * f - 2.0
    weights[2, 2] = 3.0 * g - 2.0
    weights[2, 3] = f


@njit(cache=True, nogil=True)
def set_derivatives(
    coefficients: NDArray[np.float32],
    x: float,
    y: float,
    z: float,
    weights: NDArray[np.float64],
    result: NDArray[np.float64],
) -> None:
    """Evaluate a spline and its derivatives at a point, which is drawn to the nearest one where the spline is known.

    Parameters
    ----------
    coefficients
        ``(z, y, x)`` from :func:`fit_spline`.
    x, y, z
        Position in nodes.
    weights
        ``(3, 3, 4)`` work space.
    result
        ``(10,)`` to fill: value; derivatives by x, y, z; second ones by xx, yy, zz, xy, xz, yz; per node.
    """
    depth, height, width = coefficients.shape
    x = min(max(x, 1.0), width - 2.0001)
    y = min(max(y, 1.0), height - 2.0001)
    z = min(max(z, 1.0), depth - 2.0001)
    i, j, k = int(x), int(y), int(z)
    _set_weights(weights[0], x - i)
    _set_weights(weights[1], y - j)
    _set_weights(weights[2], z - k)
    result[:] = 0.0
    for c in range(4):
        for b in range(4):
            value = slope = bend = 0.0
            for a in range(4):
                coefficient = coefficients[k + c - 1, j + b - 1, i + a - 1]
                value += weights[0, 0, a] * coefficient
                slope += weights[0, 1, a] * coefficient
                bend += weights[0, 2, a] * coefficient
            y0, y1, y2 = weights[1, 0, b], weights[1, 1, b], weights[1, 2, b]
            z0, z1, z2 = weights[2, 0, c], weights[2, 1, c], weights[2, 2, c]
            result[0] += value * y0 * z0
            result[1] += slope * y0 * z0
            result[2] += value * y1 * z0
            result[3] += value * y0 * z1
            result[4] += bend * y0 * z0
            result[5] += value * y2 * z0
            result[6] += value * y0 * z2
            result[7] += slope * y1 * z0
            result[8] += slope * y0 * z1
            result[9] += value * y1 * z1


@njit(cache=True, nogil=True)
def spline_derivatives(coefficients: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate a spline and its derivatives at points.

    Parameters
    ----------
    coefficients
        ``(z, y, x)`` from :func:`fit_spline`.
    points
        ``(n, 3)`` positions ``(x, y, z)`` in nodes.

    Returns
    -------
    derivatives
        ``(n, 10)``: value; derivatives by x, y, z; second ones by xx, yy, zz, xy, xz, yz; per node.

    Examples
    --------
    >>> ramp = fit_spline(np.arange(8.0) * np.ones((8, 8, 8)))
    >>> spline_derivatives(ramp, np.array([[3.5, 4.0, 4.0]]))[0, :4].round(3)
    array([3.5, 1. , 0. , 0. ])
    """
    result = np.empty((points.shape[0], 10))
    weights = np.empty((3, 3, 4))
    for n in range(points.shape[0]):
        set_derivatives(coefficients, points[n, 0], points[n, 1], points[n, 2], weights, result[n])
    return result
