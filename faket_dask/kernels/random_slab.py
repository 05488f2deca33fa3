"""Projections of a slab of random matter with a given spectrum, at all angles of a tilt-series.

A projection at angle θ is a plane through the slab's Fourier transform. White noise is drawn layer by layer; shifted by
``z tan θ`` and summed over the layers, its transform is that plane of white matter, in a frame that is stretched by
``1 / cos θ`` along x. Filtered by the square root of the spectrum, whose argument is the frequency in the plane, it is
that plane of matter with the spectrum. The projections of all angles show one and the same slab, which is never
stored.

Source: projection-slice theorem, Bracewell, Aust. J. Phys. 9, 198 (1956).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import scipy.fft
import scipy.interpolate
from numpy.typing import ArrayLike, NDArray

from faket_dask.kernels._checks import as_angles, check_positive

Spectrum = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Power of matter by frequency in cycles per voxel; that of white noise is its variance."""

_MARGIN = 64
"""Pixels by which the transforms exceed an image along either axis, so that its opposite borders are not alike."""

_CHUNK_BYTES = 2**26
"""Random numbers that are held at a time."""


def project_random_slab(
    spectrum: Spectrum,
    shape: tuple[int, int],
    depth: int,
    tilt_angles: ArrayLike,
    rng: np.random.Generator,
    inclination: float = 0.0,
) -> Iterator[NDArray[np.float32]]:
    """Draw one random slab, and return its ray sums at each tilt angle.

    Parameters
    ----------
    spectrum
        Isotropic power spectrum of the matter.
    shape
        ``(y, x)`` pixels of the tilts.
    depth
        Thickness of the slab in voxels.
    tilt_angles
        ``(tilt,)`` degrees.
    rng
        Source of the matter.
    inclination
        Angle of the slab about the tilt axis at zero tilt, in degrees, positive as tilt angles.

    Yields
    ------
    tilt
        ``(y, x)`` float32 in the unit of the matter times voxels; the mean of the matter is 0.

    Raises
    ------
    ValueError
        If the depth is not positive, or the slab would be seen from its edge.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> white = project_random_slab(np.ones_like, (64, 64), 100, [0.0, 60.0], rng)
    >>> [round(float(tilt.std())) for tilt in white]
    [10, 14]
    """
    angles = as_angles(tilt_angles) + inclination
    check_positive("depth", depth)
    if not (np.abs(angles) < 90).all():
        steepest = angles[np.argmax(np.abs(angles))]
        raise ValueError(f"a slab at {steepest:g} degrees is seen from its edge; give a smaller inclination")
    cosines = np.cos(np.deg2rad(angles))
    rows = scipy.fft.next_fast_len(shape[0] + _MARGIN, real=True)
    columns = scipy.fft.next_fast_len(math.ceil(shape[1] / cosines.min()) + _MARGIN, real=True)
    planes = _sum_layers((rows, columns), depth, angles, rng)
    y, x = scipy.fft.fftfreq(rows)[:, None], scipy.fft.rfftfreq(columns)[None, :]
    for plane, cosine in zip(planes, cosines, strict=True):
        stretched = x / cosine
        gain = np.sqrt(spectrum(np.hypot(y, stretched))) * (stretched <= 0.5) / cosine
        plane *= gain.astype(np.float32)
        wide = scipy.fft.irfft2(plane, s=(rows, columns))[: shape[0]]
        yield _compress(wide, shape[1], cosine)


def interpolate_rings(power: NDArray[np.float64]) -> Spectrum:
    """Return the spectrum that has given values in rings of equal frequency up to 0.5, and none beyond.

    Parameters
    ----------
    power
        ``(rings,)`` power between 0 and 0.5 cycles per voxel.
    """
    centres = np.arange(1, power.size + 1) * 0.5 / power.size
    return lambda frequency: np.interp(frequency, centres, power, right=0.0)


def _sum_layers(
    shape: tuple[int, int], depth: int, angles: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.complex64]:
    """Return the ``(tilt, ky, kx)`` transforms of white layers, shifted by ``z tan θ`` and summed."""
    rows, columns = shape
    x = scipy.fft.rfftfreq(columns)
    height = np.arange(depth) - depth // 2
    shifts = np.tan(np.deg2rad(angles))[:, None] * height
    planes = np.empty((angles.size, rows, x.size), dtype=np.complex64)
    chunk = max(1, _CHUNK_BYTES // (8 * depth * rows))
    for start in range(0, x.size, chunk):
        part = x[start : start + chunk]
        layers = rng.standard_normal((part.size, depth, 2 * rows), dtype=np.float32).view(np.complex64)
        phases = np.exp(-2j * np.pi * part[:, None, None] * shifts).astype(np.complex64)
        planes[:, :, start : start + chunk] = np.moveaxis(phases @ layers, 0, 2)
    planes *= np.float32(math.sqrt(rows * columns / 2))
    # The transform of real values is real where it is its own mirror image: half of the power there is lost.
    planes[:, :, 0] *= np.float32(math.sqrt(2))
    if columns % 2 == 0:
        planes[:, :, -1] *= np.float32(math.sqrt(2))
    return planes


def _compress(wide: NDArray[np.float32], columns: int, cosine: float) -> NDArray[np.float32]:
    """Return the middle of a stretched image, sampled at the columns of a tilt."""
    places = (np.arange(columns) - columns // 2) / cosine + wide.shape[1] // 2
    if cosine == 1:
        start = wide.shape[1] // 2 - columns // 2
        return wide[:, start : start + columns].astype(np.float32)
    spline = scipy.interpolate.make_interp_spline(np.arange(wide.shape[1]), wide, k=5, axis=1)
    return spline(places).astype(np.float32)
