"""Stacks as Dask chunks of one whole tilt each."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faket_dask.errors import InputError


def chunk_tilts(stack: xr.DataArray) -> da.Array:
    """Return the data of a stack in chunks of one tilt.

    Raises
    ------
    InputError
        If the array is no stack of tilts.
    """
    if stack.dims != ("tilt", "y", "x"):
        raise InputError(f"a stack has the dimensions (tilt, y, x), this array has {stack.dims}")
    return da.asarray(stack.data).rechunk({0: 1, 1: -1, 2: -1})


def split_tilts(stack: da.Array) -> list[Any]:
    """Return each tilt of a stack in chunks of one tilt as a delayed ``(y, x)`` image."""
    return [dask.delayed(tilt)[0] for tilt in stack.to_delayed()[:, 0, 0]]


def read_tilt_angles(stack: xr.DataArray) -> NDArray[np.float64]:
    """Return the tilt angles, ``(tilt,)`` degrees, of a stack.

    Raises
    ------
    InputError
        If it has none.

    Examples
    --------
    >>> stack = xr.DataArray(np.zeros((2, 4, 4)), dims=("tilt", "y", "x"), coords={"tilt_angle": ("tilt", [0, 3])})
    >>> read_tilt_angles(stack)
    array([0., 3.])
    """
    if "tilt_angle" not in stack.coords:
        raise InputError("the stack has no coordinate tilt_angle; assign the angles of its tilts, in degrees")
    return np.asarray(stack["tilt_angle"], dtype=np.float64)
