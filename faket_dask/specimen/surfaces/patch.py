"""Open surfaces: curved round patches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.surfaces.closed import grid_spacing
from faket_dask.specimen.surfaces.surface import BAND_A, Surface, make_surface


def patch(radius_A: float, coefficients: NDArray[np.float64]) -> Surface:
    """Make a round patch whose height is a polynomial of the place in the plane.

    Parameters
    ----------
    radius_A
        Radius in Å, in projection on the plane.
    coefficients
        ``(4,)`` of ``u² / 2``, ``v² / 2``, ``u³ - 3 u v²`` and ``u v``, with u and v in radii and the height in radii.

    Examples
    --------
    >>> sheet = patch(300.0, np.zeros(4))
    >>> sheet.distances(np.array([[0.0, 0.0, 40.0], [330.0, 0.0, -40.0]])).round(1)
    array([ 40., -50.])
    >>> round(sheet.area_A2 / (np.pi * 300.0**2), 2)
    1.0
    """
    a, b, c, d = coefficients

    def implicit(
        x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        u, v = x / radius_A, y / radius_A
        height = 0.5 * a * u * u + 0.5 * b * v * v + c * (u * u * u - 3 * u * v * v) + d * u * v
        hu = a * u + 3 * c * (u * u - v * v) + d * v
        hv = b * v - 6 * c * u * v + d * u
        return (z - radius_A * height) / np.sqrt(1 + hu * hu + hv * hv)

    # The grid reaches past the rim by its margin, and the surface goes on there.
    beyond = 1 + 1.5 * BAND_A / radius_A
    bend = abs(a) / 2 + abs(b) / 2 + abs(d) + 2 * abs(c) * beyond
    height = radius_A * beyond**2 * bend
    curvature = (abs(a) + abs(b) + 2 * abs(d) + 12 * abs(c)) / radius_A
    return make_surface(
        implicit,
        (radius_A, radius_A, height),
        grid_spacing(min(1 / max(curvature, 1e-9), radius_A / 3)),
        rim_A=radius_A,
    )
