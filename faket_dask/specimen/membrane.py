"""Lipid bilayers as surfaces with a profile across them.

A membrane is one row of numbers: a closed surface ``r = R(direction)`` with a low-order polynomial in the
direction's components, or an open round patch of a polynomial height. Distances to it are needed by
packing, rendering and the placement of membrane proteins. Only arithmetic and square roots are used, so a
voxel's value does not depend on how a loop over voxels is compiled or cut.

The profile across the bilayer is a sum of Gaussians: head groups (dense, phosphate) at half the
phosphate-to-phosphate distance of about 38 Å, hydrocarbon tails between them and ice, and a trough where the
tails' ends meet, as in electron-density profiles of fluid phosphatidylcholine (Nagle & Tristram-Nagle, Biochim.
Biophys. Acta 1469, 159, 2000). Their heights follow from neutral atoms, as those of particles do: CH2 in the 27 Å³
that it takes in a fluid bilayer has 1.8 V over ice, CH3 in 54 Å³ -0.9 V, a dry head group in 325 Å³ 4 V, a hydrated one
2 to 3 V.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

CLOSED = 0.0
OPEN = 1.0

HALF_THICKNESS_A = 25.0
"""Half of the thickness that is labelled and kept free of particles: head groups included."""

# Where the profile has died out at any voxel size of use, in Å beyond the blur of the sampling.
_REACH_A = 36.0

# Distance from the middle, width, volts over ice; their sum is 2.5 V in the heads, 1.65 V in the tails and -0.54 V in
# the middle.
_PROFILE = ((19.0, 5.0, 2.3), (9.0, 5.0, 1.43), (0.0, 4.0, -1.11))

PARAMETERS = 18
"""Length of a row: kind, centre x y z, rotation (9, membrane to specimen), radius, four shape coefficients."""


def membrane_row(
    kind: float,
    centre_A: NDArray[np.float64],
    rotation: NDArray[np.float64],
    radius_A: float,
    variant: int,
    amplitude: float,
) -> NDArray[np.float64]:
    """Make the row of numbers that fix one membrane.

    Parameters
    ----------
    kind
        :data:`CLOSED` or :data:`OPEN`.
    centre_A
        ``(x, y, z)`` in Å.
    rotation
        ``(3, 3)`` membrane to specimen.
    radius_A
        Radius of the middle of the bilayer, or of the patch, in Å.
    variant
        Seed of the shape.
    amplitude
        Largest relative departure from a sphere, or from a plane.

    Returns
    -------
    row
        ``(PARAMETERS,)`` float64.
    """
    coefficients = np.random.default_rng(variant).uniform(-1, 1, 4)
    if kind == CLOSED:
        # The four terms of `_closed_radius` reach at most 2/3, 2/3, 2/5 and 1/5 of their coefficients.
        coefficients *= amplitude / (2 / 3 + 2 / 3 + 2 / 5 + 1 / 5)
    else:
        # `_open_height` at the rim reaches at most 1/2, 1/2, 1 and 1 of its coefficients.
        coefficients *= amplitude / (1 / 2 + 1 / 2 + 1 + 1)
    return np.concatenate(([kind], centre_A, rotation.ravel(), [radius_A], coefficients))


def bounding_radius(row: NDArray[np.float64]) -> float:
    """Compute the radius in Å of a sphere about a membrane's centre that holds it, labelled thickness included.

    Parameters
    ----------
    row
        ``(PARAMETERS,)`` one membrane.

    Examples
    --------
    >>> bounding_radius(membrane_row(CLOSED, np.zeros(3), np.eye(3), 300.0, 0, 0.0))
    325.0
    """
    a, b, c, d = np.abs(row[14:])
    if row[0] == CLOSED:
        return float(row[13] * (1 + 2 / 3 * a + 2 / 3 * b + 2 / 5 * c + d / 5) + HALF_THICKNESS_A)
    return float(row[13] * np.hypot(1.0, a / 2 + b / 2 + c + d) + HALF_THICKNESS_A)


def areas(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the areas ``(m,)`` in Å² of membranes ``(m, PARAMETERS)``, as if they were spheres and flat discs."""
    return np.pi * rows[:, 13] ** 2 * np.where(rows[:, 0] == CLOSED, 4.0, 1.0)


@njit(cache=True, nogil=True)
def surface_distance(row: NDArray[np.float64], x: float, y: float, z: float) -> float:
    """Compute the distance in Å of a point from the middle of the bilayer, to first order in the surface's slope.

    Parameters
    ----------
    row
        ``(PARAMETERS,)`` one membrane.
    x, y, z
        Position of the point, in Å.

    Returns
    -------
    distance
        Positive outside a closed membrane, and on the local +z side of an open one.
    """
    dx = x - row[1]
    dy = y - row[2]
    dz = z - row[3]
    u = row[4] * dx + row[7] * dy + row[10] * dz
    v = row[5] * dx + row[8] * dy + row[11] * dz
    w = row[6] * dx + row[9] * dy + row[12] * dz
    radius = row[13]
    a, b, c, d = row[14], row[15], row[16], row[17]
    if row[0] == 0.0:
        r = np.sqrt(u * u + v * v + w * w)
        if r < 1e-6:
            return -radius
        u, v, w = u / r, v / r, w / r
        surface = 1 + a * (u * u - 1 / 3) + b * (v * v - 1 / 3) + c * (w * w * w - 0.6 * w) + d * u * v * w
        gu = 2 * a * u + d * v * w
        gv = 2 * b * v + d * u * w
        gw = c * (3 * w * w - 0.6) + d * u * v
        along = gu * u + gv * v + gw * w
        slope2 = ((gu - along * u) ** 2 + (gv - along * v) ** 2 + (gw - along * w) ** 2) / (surface * surface)
        return (r - radius * surface) / np.sqrt(1 + slope2)
    u, v = u / radius, v / radius
    rho = np.sqrt(u * u + v * v)
    beyond = 0.0
    if rho > 1:
        beyond = (rho - 1) * radius
        u, v = u / rho, v / rho
    height = 0.5 * a * u * u + 0.5 * b * v * v + c * (u * u * u - 3 * u * v * v) + d * u * v
    hu = a * u + 3 * c * (u * u - v * v) + d * v
    hv = b * v - 6 * c * u * v + d * u
    across = (w - radius * height) / np.sqrt(1 + hu * hu + hv * hv)
    if beyond == 0.0:
        return across
    return np.sqrt(across * across + beyond * beyond) * (1.0 if across >= 0 else -1.0)


def surface_point(
    row: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw a point on a membrane, and compute the normal there.

    Parameters
    ----------
    row
        ``(PARAMETERS,)`` one membrane.
    rng
        Source of randomness.

    Returns
    -------
    point, normal
        ``(3,)`` in Å, and ``(3,)`` unit vector: outward for a closed membrane, to either side for an open
        one.
    """
    rotation = row[4:13].reshape(3, 3)
    a, b, c, d = row[14:]
    if row[0] == CLOSED:
        direction = rng.standard_normal(3)
        u, v, w = direction / np.linalg.norm(direction)
        radius = row[13] * (
            1 + a * (u * u - 1 / 3) + b * (v * v - 1 / 3) + c * (w**3 - 0.6 * w) + d * u * v * w
        )
        local = np.array([u, v, w]) * radius
    else:
        rho, angle = np.sqrt(rng.uniform(0, 0.8)), rng.uniform(0, 2 * np.pi)
        u, v = rho * np.cos(angle), rho * np.sin(angle)
        height = 0.5 * a * u * u + 0.5 * b * v * v + c * (u**3 - 3 * u * v * v) + d * u * v
        local = np.array([u, v, height]) * row[13]
    point = rotation @ local + row[1:4]
    step = np.eye(3)
    normal = np.array(
        [surface_distance(row, *(point + e)) - surface_distance(row, *(point - e)) for e in step]
    )
    normal /= np.linalg.norm(normal)
    if row[0] == OPEN and rng.uniform() < 0.5:
        normal = -normal
    return point, normal


def bilayer_profile(blur_A: float, step_A: float = 0.25) -> NDArray[np.float64]:
    """Compute the potential across a bilayer, blurred by the sampling of a specimen.

    Parameters
    ----------
    blur_A
        Standard deviation in Å of the Gaussian that stands for the sampling.
    step_A
        Spacing of the table in Å.

    Returns
    -------
    profile
        ``(k,)`` volts over ice at distances ``0, step_A, 2 step_A, …`` from the middle, down to nothing.
    """
    distance = np.arange(0.0, _REACH_A + 4 * blur_A, step_A)
    profile = np.zeros_like(distance)
    for position, width, volts in _PROFILE:
        broad = np.hypot(width, blur_A)
        centres = (position, -position) if position else (0.0,)
        for centre in centres:
            profile += volts * width / broad * np.exp(-0.5 * ((distance - centre) / broad) ** 2)
    profile[-1] = 0.0
    return profile
