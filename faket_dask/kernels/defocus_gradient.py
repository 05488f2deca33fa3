"""Defocus across the image of a tilted specimen, and strips of the image in which it is nearly the same."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.optics import Defocus, Optics, wavelength

LEVEL_PHASE = 0.25
"""Radians by which the phases of neighbouring strips differ at the Nyquist frequency; between them is interpolated."""


def defocus_at(column: float, columns: int, pixel_size_A: float, exposure: Exposure) -> Defocus:
    """Return the defocus in a column of an image.

    Parameters
    ----------
    column
        Column, counted from 0.
    columns
        Columns of the image.
    pixel_size_A
        Pixel edge in Å.
    exposure
        Conditions of the tilt.

    Examples
    --------
    >>> round(defocus_at(0, 1000, 10.0, Exposure(45.0, Defocus(3.0), 1.0)).mean_um, 3)
    3.5
    """
    distance_um = 1e-4 * pixel_size_A * (column - columns // 2)
    slope = math.tan(math.radians(exposure.tilt_angle))
    return replace(exposure.defocus, mean_um=exposure.defocus.mean_um - distance_um * slope)


def largest_defocus(columns: int, pixel_size_A: float, exposure: Exposure) -> Defocus:
    """Return the defocus of the image's edge that is further from focus."""
    ends = (defocus_at(column, columns, pixel_size_A, exposure) for column in (0, columns - 1))
    return max(ends, key=lambda defocus: abs(defocus.mean_um))


def divide_columns(
    columns: int, pixel_size_A: float, optics: Optics, exposure: Exposure
) -> Iterator[tuple[Defocus, int, NDArray[np.float32]]]:
    """Divide an image into overlapping strips across the tilt axis.

    Parameters
    ----------
    columns
        Columns of the image.
    pixel_size_A
        Pixel edge in Å.
    optics
        Microscope.
    exposure
        Conditions of the tilt.

    Yields
    ------
    defocus, first, weights
        Defocus of a strip, its first column, and the weight of each of its columns; the weights of a column of the
        image add up to 1.
    """
    nyquist = 0.5 / pixel_size_A
    step_A = LEVEL_PHASE / (math.pi * wavelength(optics.voltage_kV) * nyquist**2)
    rise_A = abs(math.tan(math.radians(exposure.tilt_angle))) * pixel_size_A
    levels = 1 + math.ceil(rise_A * (columns - 1) / step_A - 1e-9)
    if levels == 1:
        yield defocus_at(columns // 2, columns, pixel_size_A, exposure), 0, np.ones(columns, np.float32)
        return
    centres = np.linspace(0, columns - 1, levels)
    spacing = centres[1]
    for centre in centres:
        first, last = max(0, math.ceil(centre - spacing)), min(columns - 1, math.floor(centre + spacing))
        distance = np.abs(np.arange(first, last + 1) - centre) / spacing
        yield (
            defocus_at(centre, columns, pixel_size_A, exposure),
            first,
            np.maximum(1 - distance, 0).astype(np.float32),
        )
