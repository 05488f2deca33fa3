"""Reduction of arrays to fewer, larger pixels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

_LOBES = 3
"""Lobes of the Lanczos window: as in image processing at large, sharp with little ringing."""


def bin_axes(array: NDArray[np.generic], factor: int, axes: Iterable[int]) -> NDArray[np.float32]:
    """Reduce an array by a whole factor along some axes, without aliasing and without moving its centre.

    Along each axis the array is low-passed at the new Nyquist frequency (a Lanczos-windowed sinc of unit sum; edges
    are mirrored) and sampled such that pixel ``N // 2`` becomes pixel ``(N // factor) // 2``.

    Parameters
    ----------
    array
        Array of any shape and real type.
    factor
        Old pixels per new pixel.
    axes
        Axes along which the array is reduced, in this order.

    Returns
    -------
    binned
        float32, ``size // factor`` along each of the axes.

    Raises
    ------
    ValueError
        If the factor is less than 1 or more than the array is long along one of the axes.

    Examples
    --------
    >>> bin_axes(np.ones((6, 8)), 2, axes=(0, 1)).shape
    (3, 4)
    >>> bin_axes(np.ones((6, 8)), 2, axes=(1,)).shape
    (6, 4)
    """
    values = np.asarray(array, dtype=np.float32)
    for axis in axes:
        values = _bin_axis(values, factor, axis)
    return values


def low_pass(factor: int) -> NDArray[np.float64]:
    """Return the weights of old samples in a new one: a Lanczos-windowed sinc of unit sum.

    Parameters
    ----------
    factor
        Old samples per new sample.

    Returns
    -------
    weights
        ``(6 factor - 1,)``, for the samples on either side of the one in the middle.

    Examples
    --------
    >>> low_pass(2).size
    11
    """
    offsets = np.arange(-_LOBES * factor + 1, _LOBES * factor) / factor
    weights = np.sinc(offsets) * np.sinc(offsets / _LOBES)
    return weights / weights.sum()


def _bin_axis(values: NDArray[np.float32], factor: int, axis: int) -> NDArray[np.float32]:
    size = values.shape[axis]
    if not 1 <= factor <= size:
        raise ValueError(f"factor must be from 1 to {size} for shape {values.shape}, got {factor}")
    if factor == 1:
        return values.copy()
    start = size // 2 - factor * (size // factor // 2)
    samples = [slice(None)] * values.ndim
    samples[axis] = slice(start, start + factor * (size // factor), factor)
    passed = correlate1d(values, low_pass(factor), axis=axis, mode="mirror")
    return np.ascontiguousarray(passed[tuple(samples)])
