"""Cisternae: flattened sacs with rims, alone or in stacks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.surfaces.closed import grid_spacing
from faket_dask.specimen.surfaces.surface import Surface, make_surface


def cisterna(
    bend_radius_A: float,
    radius_A: float,
    lumen_A: float,
    rim_lumen_A: float,
    outline: NDArray[np.float64],
) -> Surface:
    """Make a flattened sac about a cap of a sphere.

    The distance to a cap is that to its sphere above the cap and to its rim beside it, so that sacs about
    one centre are parallel.

    Parameters
    ----------
    bend_radius_A
        Radius in Å of the sphere that the middle of the sac lies on; its centre is at ``z = -bend_radius_A``.
    radius_A
        Radius of the cap in Å, in projection on the plane.
    lumen_A, rim_lumen_A
        Distance in Å between the middles of both bilayers, in the middle of the sac and at its swollen rim.
    outline
        ``(3,)`` departures of the rim from a circle over its radius: coefficients
        of ``u² - v²``, ``2 u v`` and ``u³ - 3 u v²`` of the unit vector in the plane.

    Examples
    --------
    >>> sac = cisterna(4000.0, 800.0, 240.0, 300.0, np.zeros(3))
    >>> sac.distances(np.array([[0.0, 0.0, 150.0]])).round(1)
    array([30.])
    """
    sphere = bend_radius_A
    half, rim_half = lumen_A / 2, rim_lumen_A / 2
    cap = radius_A - rim_half

    def implicit(
        x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        z = z + sphere
        rho = np.sqrt(x * x + y * y)
        inverse = 1 / np.maximum(rho, 1e-6)
        u, v = x * inverse, y * inverse
        a, b, c = outline
        rim = cap * (1 + a * (u * u - v * v) + 2 * b * u * v + c * (u * u * u - 3 * u * v * v))
        rim_z = np.sqrt(sphere * sphere - rim * rim)
        r = np.sqrt(rho * rho + z * z)
        above = rho * rim_z <= rim * z
        distance = np.where(above, np.abs(r - sphere), np.sqrt((rho - rim) ** 2 + (z - rim_z) ** 2))
        # The half thickness grows smoothly over four times that of the rim.
        width = 4 * rim_half
        share = np.clip((rho * sphere / np.maximum(r, 1.0) - rim + width) / width, 0.0, 1.0)
        return distance - (half + (rim_half - half) * share * share * (3 - 2 * share))

    widest = radius_A * (1 + float(np.abs(outline).sum()))
    sag = sphere - np.sqrt(max(0.0, sphere**2 - widest**2))
    return make_surface(implicit, (widest, widest, sag + rim_half), grid_spacing(min(half, rim_half)))
