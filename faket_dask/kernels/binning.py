"""Fewer, larger pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, zoom

_LOBES = 3
"""Of the Lanczos window: as in image processing at large, sharp with little ringing."""


def bin_image(image: NDArray[np.generic], factor: int) -> NDArray[np.float32]:
    """Reduce an image by a whole factor, without aliasing and without moving its centre.

    Along each axis the image is low-passed at the new Nyquist frequency (a Lanczos-windowed sinc of unit sum;
    edges are mirrored) and sampled such that pixel ``N // 2`` becomes pixel ``(N // factor) // 2``.

    Parameters
    ----------
    image
        ``(y, x)`` of any real type.
    factor
        Old pixels per new pixel along either axis.

    Returns
    -------
    binned
        ``(y // factor, x // factor)`` float32; its pixels are `factor` times as large.

    Raises
    ------
    ValueError
        If the image is not two-dimensional, or the factor is less than 1 or more than a side of the image.
    """
    if image.ndim != 2:
        raise ValueError(f"image must be (y, x), got shape {image.shape}")
    return _binned(image, factor)


def bin_volume(volume: NDArray[np.generic], factor: int) -> NDArray[np.float32]:
    """Reduce a volume by a whole factor, as `bin_image` does with an image.

    Parameters
    ----------
    volume
        ``(z, y, x)`` of any real type.
    factor
        Old voxels per new voxel along each axis.

    Returns
    -------
    binned
        ``(z // factor, y // factor, x // factor)`` float32.

    Raises
    ------
    ValueError
        If the volume is not three-dimensional, or the factor is less than 1 or more than a side of the volume.
    """
    if volume.ndim != 3:
        raise ValueError(f"volume must be (z, y, x), got shape {volume.shape}")
    return _binned(volume, factor)


def bin_axis(array: NDArray[np.generic], factor: int, axis: int) -> NDArray[np.float32]:
    """Reduce an array by a whole factor along one axis, as `bin_image` does along both.

    Parameters
    ----------
    array
        Of any shape and real type.
    factor
        Old samples per new sample along the axis.
    axis
        Which one.

    Returns
    -------
    binned
        float32, ``size // factor`` along the axis.

    Raises
    ------
    ValueError
        If the factor is less than 1 or more than the array is long along the axis.
    """
    size = array.shape[axis]
    if not 1 <= factor <= size:
        raise ValueError(f"factor must be from 1 to {size} for shape {array.shape}, got {factor}")
    values = np.asarray(array, dtype=np.float32)
    if factor == 1:
        return values.copy()
    start = size // 2 - factor * (size // factor // 2)
    samples = [slice(None)] * values.ndim
    samples[axis] = slice(start, start + factor * (size // factor), factor)
    passed = correlate1d(values, low_pass(factor), axis=axis, mode="mirror")
    return np.ascontiguousarray(passed[tuple(samples)])


def low_pass(factor: int) -> NDArray[np.float64]:
    """The window that old samples are weighted with: a Lanczos-windowed sinc of unit sum.

    Parameters
    ----------
    factor
        Old samples per new sample.

    Returns
    -------
    weights
        ``(6 factor - 1,)``, for the samples on either side of the one in the middle.
    """
    offsets = np.arange(-_LOBES * factor + 1, _LOBES * factor) / factor
    weights = np.sinc(offsets) * np.sinc(offsets / _LOBES)
    return weights / weights.sum()


def shrec_zoom(image: NDArray[np.generic], factor: int) -> NDArray[np.float32]:
    """Reduce an image as the published reconstructions do: for comparison with them only.

    Cubic-spline interpolation that keeps the first and the last pixel in place, without a low pass: it aliases,
    and moves and stretches the image (FakET, arXiv 2304.02011, reconstruction).

    Parameters
    ----------
    image
        ``(y, x)`` of any real type.
    factor
        Old pixels per new pixel along either axis.

    Returns
    -------
    zoomed
        ``(round(y / factor), round(x / factor))`` float32.
    """
    if image.ndim != 2 or factor < 1:
        raise ValueError(f"image must be (y, x) and factor at least 1, got {image.shape} and {factor}")
    return zoom(np.asarray(image, dtype=np.float64), 1 / factor, order=3).astype(np.float32)


def _binned(array: NDArray[np.generic], factor: int) -> NDArray[np.float32]:
    if not 1 <= factor <= min(array.shape):
        raise ValueError(f"factor must be from 1 to {min(array.shape)} for shape {array.shape}, got {factor}")
    binned = array
    for axis in range(array.ndim):
        binned = bin_axis(binned, factor, axis)
    return np.asarray(binned, dtype=np.float32)
