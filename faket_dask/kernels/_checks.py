"""Checks of shapes, types and angles that several kernels make in their first lines."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_image(name: str, image: NDArray[np.generic], smallest: int = 1) -> None:
    """Refuse an array that is no ``(y, x)`` image of at least some pixels along either side.

    Examples
    --------
    >>> check_image("tilt", np.zeros((3, 8)), smallest=4)
    Traceback (most recent call last):
    ValueError: tilt must be a (y, x) image of at least 4 x 4 pixels, got shape (3, 8)
    """
    if image.ndim != 2 or min(image.shape) < smallest:
        raise ValueError(
            f"{name} must be a (y, x) image of at least {smallest} x {smallest} pixels, got shape {image.shape}"
        )


def check_same_shape(names: str, dims: str, *arrays: NDArray[np.generic]) -> None:
    """Refuse arrays that do not have the dimensions, or differ in shape."""
    ndim = dims.count(",") + 1
    if any(array.ndim != ndim or array.shape != arrays[0].shape for array in arrays):
        shapes = " and ".join(str(array.shape) for array in arrays)
        raise ValueError(f"{names} must be {dims} arrays of one shape, got {shapes}")


def as_real(name: str, dims: str, array: ArrayLike) -> NDArray[np.generic]:
    """Return an array that is not empty and holds real numbers.

    Examples
    --------
    >>> as_real("volume", "(z, y, x)", np.zeros((2, 3)))
    Traceback (most recent call last):
    ValueError: volume must be a non-empty (z, y, x) array, got shape (2, 3)
    """
    values = np.asarray(array)
    if values.ndim != dims.count(",") + 1 or values.size == 0:
        raise ValueError(f"{name} must be a non-empty {dims} array, got shape {values.shape}")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, got {values.dtype}")
    return values


def as_angles(tilt_angles: ArrayLike, tilts: int | None = None, *, at_least: int = 1) -> NDArray[np.float64]:
    """Return tilt angles as ``(tilt,)`` float64 degrees.

    Parameters
    ----------
    tilt_angles
        Degrees.
    tilts
        Number of tilts that there must be; any if not given.
    at_least
        Smallest number of angles.

    Examples
    --------
    >>> as_angles([0, 3])
    array([0., 3.])
    >>> as_angles([0, 3], 3)
    Traceback (most recent call last):
    ValueError: tilt_angles must be 3 finite degrees, one for each tilt, got shape (2,)
    """
    angles = np.atleast_1d(np.asarray(tilt_angles, dtype=np.float64))
    finite = angles.ndim == 1 and bool(np.isfinite(angles).all())
    if tilts is not None and not (finite and angles.size == tilts):
        raise ValueError(
            f"tilt_angles must be {tilts} finite degrees, one for each tilt, got shape {angles.shape}"
        )
    if not finite:
        raise ValueError("tilt_angles must be a one-dimensional sequence of finite degrees")
    if angles.size < at_least:
        raise ValueError(f"tilt_angles must hold at least {at_least} angles, got {angles.size}")
    return angles


def check_positive(name: str, value: float) -> float:
    """Return a number that is positive and finite.

    Examples
    --------
    >>> check_positive("thickness_px", 0)
    Traceback (most recent call last):
    ValueError: thickness_px must be positive, got 0
    """
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive, got {value}")
    return value


def check_between(name: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside a closed range, or that is none.

    Examples
    --------
    >>> check_between("optics: amplitude_contrast", 1.5, 0.0, 1.0)
    Traceback (most recent call last):
    ValueError: optics: amplitude_contrast is 1.5; it lies between 0 and 1
    """
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; it lies between {low:g} and {high:g}")
