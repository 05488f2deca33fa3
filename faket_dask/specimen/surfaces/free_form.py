"""Free forms of controlled curvature: ellipsoids in a smooth random field."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from faket_dask.specimen.surfaces.closed import ellipsoid, grid_spacing
from faket_dask.specimen.surfaces.surface import BAND_A, Surface, make_surface

_WAVES = 48
_ROUNDS = 20
_DECREASE = 0.75


def free_form(
    semi_axes_A: tuple[float, float, float],
    wavelength_A: float,
    amplitude_A: float,
    smallest_radius_A: float,
    rng: np.random.Generator,
    band_A: float = BAND_A,
) -> Surface:
    """Draw a closed surface of random shape, no part of which is bent more tightly than a limit.

    The shape is the zero level of the distance from an ellipsoid plus a random field, a sum of plane waves of random
    directions and phases (Cahn, J. Chem. Phys. 42, 93, 1965) with wavelengths between `wavelength_A` and twice that.
    The largest of several pieces is kept, and hollows within it are filled. The amplitude is lowered until the smallest
    radius of curvature, measured on the surface, is above the limit, and half of the narrowest gap and neck above
    0.9 of it.

    Parameters
    ----------
    semi_axes_A
        Semi-axes ``(x, y, z)`` of the ellipsoid in Å.
    wavelength_A
        Shortest wavelength in Å.
    amplitude_A
        Standard deviation of the field in Å, before it is lowered.
    smallest_radius_A
        Smallest radius of curvature in Å.
    rng
        Source of randomness.
    band_A
        Distance in Å up to which distances are exact.

    Raises
    ------
    ValueError
        If the ellipsoid itself is bent more tightly than the limit.

    Examples
    --------
    >>> shape = free_form((400.0, 350.0, 300.0), 600.0, 80.0, 120.0, np.random.default_rng(1))
    >>> shape.smallest_radius_A >= 120.0
    True
    """
    tightest = min(semi_axes_A) ** 2 / max(semi_axes_A)
    if tightest < smallest_radius_A:
        raise ValueError(
            f"an ellipsoid of semi-axes {semi_axes_A} Å is bent to {tightest:.0f} Å, more than {smallest_radius_A:g} Å"
        )
    directions = rng.standard_normal((_WAVES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    waves = 2 * np.pi / wavelength_A * rng.uniform(0.5, 1.0, (_WAVES, 1)) * directions
    phases = rng.uniform(0, 2 * np.pi, _WAVES)
    body = ellipsoid(semi_axes_A, max(band_A, 2 * amplitude_A))
    # A shape is looked for on a coarse grid, and then made on a fine one.
    spacing = grid_spacing(smallest_radius_A)
    amplitude = amplitude_A
    for coarseness in (2.0, 1.0):
        for _ in range(_ROUNDS):
            surface = _deform(body, waves, phases, amplitude, coarseness * spacing, band_A)
            if surface is not None and _suits(surface, smallest_radius_A):
                break
            amplitude *= _DECREASE
        else:
            amplitude = 0.0
            surface = body
    assert surface is not None
    return surface


def _suits(surface: Surface, smallest_radius_A: float) -> bool:
    return surface.smallest_radius_A >= smallest_radius_A and surface.is_clear(
        min(0.9 * smallest_radius_A, 0.9 * BAND_A)
    )


def _deform(
    body: Surface,
    waves_per_A: NDArray[np.float64],
    phases: NDArray[np.float64],
    amplitude_A: float,
    spacing_A: float,
    band_A: float,
) -> Surface | None:
    """Make the zero level of a distance plus a sum of waves; ``None`` where nothing is left of the body."""

    def implicit(
        x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        field = _sum_waves(waves_per_A, phases, x.ravel(), y.ravel(), z.ravel())
        points = np.stack([axis.ravel() for axis in np.broadcast_arrays(x, y, z)], axis=1)
        # Beyond the grid of the body all is outside, whatever the field.
        distance = np.minimum(body.distances(points), 1e4).reshape(field.shape)
        return _keep_one_piece(distance + amplitude_A * field)

    extent = np.array(body.bounds_A[1]) + 2 * amplitude_A
    try:
        return make_surface(implicit, (extent[0], extent[1], extent[2]), spacing_A, band_A=band_A)
    except ValueError:
        return None


def _sum_waves(
    waves: NDArray[np.float64],
    phases: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sum plane waves on a grid ``(z, y, x)``, to a standard deviation of about one, and limit them smoothly to ±2."""
    along_x, along_y, along_z = (
        np.exp(1j * waves[:, axis : axis + 1] * places) for axis, places in enumerate((x, y, z))
    )
    along_z = along_z * np.exp(1j * phases)[:, None] * np.sqrt(2 / len(waves))
    field = np.empty((z.size, y.size, x.size))
    for k in range(z.size):
        field[k] = ((along_z[:, k, None] * along_y).T @ along_x).real
    return field / np.sqrt(1 + 0.25 * field * field)


def _keep_one_piece(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make all negative pieces but the largest positive, and fill the hollows within it."""
    pieces, count = ndimage.label(values < 0)
    if count == 0:
        return values
    largest = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    filled = ndimage.binary_fill_holes(largest)
    return np.where(filled, -np.abs(values), np.abs(values))
