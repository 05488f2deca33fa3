"""Closed surfaces of a formula: deformed spheres, ellipsoids, tori."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.surfaces.surface import BAND_A, Surface, make_surface

NODES_PER_RADIUS = 6.0
"""Nodes of a surface's grid within its smallest radius of curvature."""

COARSEST_A = 100.0
"""Largest spacing in Å of a surface's grid."""


def grid_spacing(smallest_radius_A: float) -> float:
    """Compute the spacing in Å of a grid that resolves a radius of curvature.

    Examples
    --------
    >>> grid_spacing(120.0), grid_spacing(5000.0)
    (20.0, 100.0)
    """
    return min(smallest_radius_A / NODES_PER_RADIUS, COARSEST_A)


def deformed_sphere(radius_A: float, coefficients: NDArray[np.float64], band_A: float = BAND_A) -> Surface:
    """Make a sphere whose radius is a polynomial of degree 2 and 3 in the direction's components.

    Parameters
    ----------
    radius_A
        Mean radius in Å.
    coefficients
        ``(4,)`` of ``u² - 1/3``, ``v² - 1/3``, ``w³ - 3w/5`` and ``u v w``; these reach 2/3, 2/3, 2/5 and 1/5.
    band_A
        Distance in Å up to which distances are exact.

    Examples
    --------
    >>> round(deformed_sphere(300.0, np.zeros(4)).smallest_radius_A, -1)
    300.0
    """
    a, b, c, d = coefficients
    largest = 1 + 2 / 3 * abs(a) + 2 / 3 * abs(b) + 2 / 5 * abs(c) + abs(d) / 5
    # Curvature of r (1 + f) to first order in f: degree l adds (l - 1)(l + 2) f / 2 to each of both at most.
    bent = 4 * (2 / 3 * abs(a) + 2 / 3 * abs(b)) + 10 * (2 / 5 * abs(c) + abs(d) / 5)

    def implicit(
        x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        r = np.sqrt(x * x + y * y + z * z)
        inverse = 1 / np.maximum(r, 1e-6)
        u, v, w = x * inverse, y * inverse, z * inverse
        shape = 1 + a * (u * u - 1 / 3) + b * (v * v - 1 / 3) + c * (w * w * w - 0.6 * w) + d * u * v * w
        return r - radius_A * shape

    return make_surface(
        implicit, (largest * radius_A,) * 3, grid_spacing(radius_A / (1 + bent / 2)), band_A=band_A
    )


def ellipsoid(semi_axes_A: tuple[float, float, float], band_A: float = BAND_A) -> Surface:
    """Make an ellipsoid.

    Distances are within 0.15 Å of the true ones up to half of the smallest radius of curvature from the surface.

    Parameters
    ----------
    semi_axes_A
        Semi-axes along x, y, z in Å.
    band_A
        Distance in Å up to which distances are exact.

    Examples
    --------
    >>> round(ellipsoid((400.0, 300.0, 240.0)).smallest_radius_A, -1)  # 240² / 400 is 144
    140.0
    """
    a, b, c = semi_axes_A
    smallest = min(semi_axes_A)

    def implicit(
        x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        # The form is one on the surface, its gradient 2 (x/a², …): first order in the distance.
        form = (x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2
        slope = np.sqrt((x / a**2) ** 2 + (y / b**2) ** 2 + (z / c**2) ** 2)
        return (form - 1) / (2 * np.maximum(slope, 0.2 / smallest))

    return make_surface(implicit, semi_axes_A, grid_spacing(smallest**2 / max(semi_axes_A)), band_A=band_A)


def torus(ring_radius_A: float, tube_radius_A: float, band_A: float = BAND_A) -> Surface:
    """Make a torus about the z axis.

    Parameters
    ----------
    ring_radius_A
        Distance of the tube's centre line from the axis, in Å.
    tube_radius_A
        Radius of the tube in Å.
    band_A
        Distance in Å up to which distances are exact.

    Examples
    --------
    >>> ring = torus(300.0, 120.0)
    >>> bool(ring.contains(np.array([[300.0, 0.0, 0.0]]))[0]), bool(ring.contains(np.zeros((1, 3)))[0])
    (True, False)
    """

    def implicit(
        x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        away = np.sqrt(x * x + y * y) - ring_radius_A
        return np.sqrt(away * away + z * z) - tube_radius_A

    outer = ring_radius_A + tube_radius_A
    bends = min(tube_radius_A, ring_radius_A - tube_radius_A)
    return make_surface(implicit, (outer, outer, tube_radius_A), grid_spacing(bends), band_A=band_A)
