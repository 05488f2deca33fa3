"""Images of a tilted specimen, which lies at another distance from the lens on either side of the tilt axis.

Such an image is put together from strips along the tilt axis, each with its own defocus; between the centres of
neighbouring strips it is interpolated. A strip's width follows from the change of the lens' phase, so that few of
them do at large pixels and low angles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from faket_dask.kernels.optics import Defocus, Optics, delocalisation, wavelength

LEVEL_PHASE = 0.25
"""Radians by which the phases of neighbouring strips differ at the Nyquist frequency; between them is interpolated."""


def defocus_at(
    column: float, columns: int, pixel_size_A: float, tilt_angle: float, defocus: Defocus
) -> Defocus:
    """Return the defocus in a column of an image.

    Parameters
    ----------
    column
        Column, counted from 0.
    columns
        Columns of the image; the tilt axis is y, through column ``columns // 2``.
    pixel_size_A
        Pixel edge in Å.
    tilt_angle
        Degrees.
    defocus
        Defocus at the tilt axis; it changes by ``−s·tan θ`` across it, s the distance from it.

    Examples
    --------
    >>> round(defocus_at(0, 1000, 10.0, 45.0, Defocus(3.0)).mean_um, 3)
    3.5
    """
    distance_um = 1e-4 * pixel_size_A * (column - columns // 2)
    slope = math.tan(math.radians(tilt_angle))
    return replace(defocus, mean_um=defocus.mean_um - distance_um * slope)


def filter_strips(
    image: NDArray[np.floating],
    pixel_size_A: float,
    optics: Optics,
    tilt_angle: float,
    defocus: Defocus,
    transfer: Callable[[tuple[int, int], Defocus], NDArray[np.float64]],
) -> NDArray[np.float32]:
    """Multiply an image's Fourier transform by a filter that depends on the defocus of each column.

    Parameters
    ----------
    image
        ``(y, x)``; it is continued beyond its sides by its mirror image.
    pixel_size_A
        Pixel edge in Å.
    optics
        Microscope.
    tilt_angle
        Degrees; the tilt axis is y, through column ``x // 2``.
    defocus
        Defocus at the tilt axis.
    transfer
        Function that returns the filter of a shape ``(y, x)`` and a defocus: real, symmetric about frequency 0,
        unshifted.

    Returns
    -------
    filtered
        ``(y, x)`` float32.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((16, 40))
    >>> same = filter_strips(image, 5.0, Optics(), 50.0, Defocus(3.0), lambda shape, defocus: np.ones(shape))
    >>> bool(np.allclose(same, image, atol=1e-5))
    True
    """
    rows, columns = image.shape
    margin = find_margin(columns, pixel_size_A, optics, tilt_angle, defocus)
    filtered = np.zeros((rows, columns), dtype=np.float32)
    for own, first, weights in divide_columns(columns, pixel_size_A, optics, tilt_angle, defocus):
        strip = _cut(image, first - margin, first + weights.size + margin, margin)
        half = transfer(strip.shape, own)[:, : strip.shape[1] // 2 + 1].astype(np.float32)
        spectrum = scipy.fft.rfft2(strip)
        spectrum *= half
        whole = scipy.fft.irfft2(spectrum, s=strip.shape, overwrite_x=True)
        filtered[:, first : first + weights.size] += (
            weights * whole[margin : margin + rows, margin : margin + weights.size]
        )
    return filtered


def count_strip_pixels(
    shape: tuple[int, int], pixel_size_A: float, optics: Optics, tilt_angle: float, defocus: Defocus
) -> int:
    """Return the pixels that `filter_strips` transforms, margins included, which its time is proportional to.

    Parameters
    ----------
    shape
        Image shape ``(y, x)``.
    pixel_size_A, optics, tilt_angle, defocus
        As for `filter_strips`.

    Examples
    --------
    >>> flat, tilted = (count_strip_pixels((512, 512), 5.0, Optics(), a, Defocus(3.0)) for a in (0, 60))
    >>> flat < 1.2 * 512**2 < tilted
    True
    """
    rows, columns = shape
    margin = find_margin(columns, pixel_size_A, optics, tilt_angle, defocus)
    strips = divide_columns(columns, pixel_size_A, optics, tilt_angle, defocus)
    return sum((rows + 2 * margin) * (weights.size + 2 * margin) for _, _, weights in strips)


def find_margin(
    columns: int, pixel_size_A: float, optics: Optics, tilt_angle: float, defocus: Defocus
) -> int:
    """Return the pixels about a strip that the lens moves detail over, at the largest defocus of the image.

    Parameters
    ----------
    columns
        Columns of the image.
    pixel_size_A, optics, tilt_angle, defocus
        As for `filter_strips`.
    """
    ends = (defocus_at(column, columns, pixel_size_A, tilt_angle, defocus) for column in (0, columns - 1))
    return delocalisation(pixel_size_A, optics, max(ends, key=lambda end: abs(end.mean_um)))


def divide_columns(
    columns: int, pixel_size_A: float, optics: Optics, tilt_angle: float, defocus: Defocus
) -> Iterator[tuple[Defocus, int, NDArray[np.float32]]]:
    """Divide an image into overlapping strips along the tilt axis.

    Parameters
    ----------
    columns
        Columns of the image.
    pixel_size_A, optics, tilt_angle, defocus
        As for `filter_strips`.

    Yields
    ------
    defocus, first, weights
        Defocus of a strip, its first column, and the weight of each of its columns; the weights of a column of the
        image add up to 1.
    """
    nyquist = 0.5 / pixel_size_A
    step_A = LEVEL_PHASE / (math.pi * wavelength(optics.voltage_kV) * nyquist**2)
    rise_A = abs(math.tan(math.radians(tilt_angle))) * pixel_size_A
    levels = 1 + math.ceil(rise_A * (columns - 1) / step_A - 1e-9)
    if levels == 1:
        yield defocus, 0, np.ones(columns, np.float32)
        return
    centres = np.linspace(0, columns - 1, levels)
    spacing = centres[1]
    for centre in centres:
        first, last = max(0, math.ceil(centre - spacing)), min(columns - 1, math.floor(centre + spacing))
        distance = np.abs(np.arange(first, last + 1) - centre) / spacing
        yield (
            defocus_at(centre, columns, pixel_size_A, tilt_angle, defocus),
            first,
            np.maximum(1 - distance, 0).astype(np.float32),
        )


def _cut(image: NDArray[np.floating], first: int, last: int, margin: int) -> NDArray[np.float32]:
    """Return columns of an image with `margin` more rows on either side, mirrored at the borders."""
    rows, columns = image.shape
    inner = image[:, max(first, 0) : min(last, columns)].astype(np.float32)
    height = scipy.fft.next_fast_len(rows + 2 * margin, real=True)
    width = scipy.fft.next_fast_len(last - first, real=True)
    left = max(-first, 0)
    return np.pad(
        inner,
        ((margin, height - rows - margin), (left, width - inner.shape[1] - left)),
        mode="symmetric",
    )
