"""Gold beads in a beam: paths through them, and the electrons that they take.

Sources: cross sections of elastic and inelastic scattering, Langmore & Smith, Ultramicroscopy 46, 349 (1992);
electrons that are scattered beyond an aperture, Reimer & Kohl, *Transmission Electron Microscopy* (5th ed., 2008),
chapter 5 (Lenz's model). The two formulae are good to about a fifth for an element as heavy as gold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.elastic_scattering import REST_ENERGY_KEV, elastic_cross_section, squared_speed
from faket_dask.kernels.optics import wavelength

ATOMIC_NUMBER = 79
ATOMS_PER_A3 = 0.0590
"""Atoms of gold per Å³ (19.3 g/cm³)."""

BOHR_RADIUS_A = 0.529177
ENERGY_LOSS_KEV = 0.02
"""Typical energy that an electron loses."""

APERTURE_MRAD = 14.0
"""Half angle of an objective aperture of 100 µm at a focal length of 3.5 mm, beyond which electrons are lost."""

_SUBPIXELS = 4


@dataclass(frozen=True, eq=False)
class Gold:
    """Gold in a projection.

    Parameters
    ----------
    path_A
        ``(y, x)`` path of the beam through gold in Å, the mean over each pixel.
    potential_V
        Potential of gold over that of ice in volts.
    """

    path_A: NDArray[np.float32]
    potential_V: float


@dataclass(frozen=True, eq=False)
class Beads:
    """Gold beads of a specimen.

    Parameters
    ----------
    centre_A
        ``(n, 3)`` positions ``(x, y, z)`` in Å: x and z from the tilt axis, y from the centre of the first row.
    radius_A
        ``(n,)`` radii in Å.
    potential_V
        Potential of gold over that of ice in volts.
    """

    centre_A: NDArray[np.float64]
    radius_A: NDArray[np.float64]
    potential_V: float


def gold_mean_free_path(voltage_kV: float) -> float:
    """Return the path in gold after which 1/e of the electrons are left, in Å.

    Electrons are lost where they are scattered elastically beyond the aperture, or inelastically.

    Parameters
    ----------
    voltage_kV
        Acceleration voltage.

    Examples
    --------
    >>> round(gold_mean_free_path(300.0), -1)
    140.0
    """
    beta2 = squared_speed(voltage_kV)
    elastic_A2 = elastic_cross_section(ATOMIC_NUMBER, voltage_kV)
    screening_mrad = 1e3 * wavelength(voltage_kV) * ATOMIC_NUMBER ** (1 / 3) / (2 * math.pi * BOHR_RADIUS_A)
    lost = 1 / (1 + (APERTURE_MRAD / screening_mrad) ** 2)
    loss_angle = ENERGY_LOSS_KEV / (beta2 * (voltage_kV + REST_ENERGY_KEV))
    inelastic_A2 = 1.5e-4 * math.sqrt(ATOMIC_NUMBER) / beta2 * math.log(2 / loss_angle)
    return 1 / (ATOMS_PER_A3 * (elastic_A2 * lost + inelastic_A2))


def project_beads(
    beads: Beads,
    shape: tuple[int, int],
    pixel_size_A: float,
    tilt_angle: float,
    *,
    shift_A: tuple[float, float] = (0.0, 0.0),
    layer_A: tuple[float, float] = (-math.inf, math.inf),
) -> Gold:
    """Project beads, or what of them lies in a layer of the specimen, along the beam.

    Parameters
    ----------
    beads
        Beads.
    shape
        Image shape ``(y, x)``; the tilt axis is column ``x // 2``.
    pixel_size_A
        Pixel edge in Å.
    tilt_angle
        Degrees.
    shift_A
        Displacement ``(x, y)`` of the image in Å.
    layer_A
        Lowest and highest z of the layer in Å from the tilt axis.

    Returns
    -------
    gold
        Path through gold in each pixel.

    Examples
    --------
    >>> beads = Beads(np.array([[0.0, 40.0, 0.0]]), np.array([20.0]), 22.0)
    >>> project_beads(beads, (9, 9), 10.0, 60.0).path_A[4, 4].round(1)
    np.float32(39.2)
    """
    path = np.zeros(shape, dtype=np.float32)
    theta = math.radians(tilt_angle)
    cosine, sine = math.cos(theta), math.sin(theta)
    inside = (np.arange(_SUBPIXELS) + 0.5) / _SUBPIXELS - 0.5
    for (x, y, z), radius in zip(beads.centre_A, beads.radius_A, strict=True):
        s, t = x * cosine - z * sine, z * cosine + x * sine
        ranges = []
        for centre, extent, middle in (
            ((y + shift_A[1]) / pixel_size_A, shape[0], 0),
            ((s + shift_A[0]) / pixel_size_A, shape[1], shape[1] // 2),
        ):
            reach = radius / pixel_size_A + 1
            first = max(0, math.floor(middle + centre - reach))
            last = min(extent, math.ceil(middle + centre + reach) + 1)
            ranges.append((first, last, (np.arange(first, last) - middle)[:, None] + inside))
        (top, bottom, rows), (left, right, columns) = ranges
        if top >= bottom or left >= right:
            continue
        across = columns.ravel() * pixel_size_A - shift_A[0]
        down = rows.ravel() * pixel_size_A - shift_A[1]
        half = np.sqrt(np.maximum(radius**2 - (down[:, None] - y) ** 2 - (across - s) ** 2, 0))
        low, high = ((z_A + across * sine) / cosine for z_A in layer_A)
        length = np.maximum(np.minimum(t + half, high) - np.maximum(t - half, low), 0)
        length = length.reshape(bottom - top, _SUBPIXELS, right - left, _SUBPIXELS)
        path[top:bottom, left:right] += length.mean((1, 3)).astype(np.float32)
    return Gold(path, beads.potential_V)
