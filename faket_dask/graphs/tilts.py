"""What the lazy per-tilt operations share: a stack as Dask chunks of one whole tilt each."""

import dask.array as da
import numpy as np
import xarray as xr

from faket_dask.errors import InputError


def by_tilt(stack: xr.DataArray) -> da.Array:
    """The data of a stack in chunks of one tilt.

    Raises
    ------
    InputError
        When the array is no stack of tilts.
    """
    if stack.dims != ("tilt", "y", "x"):
        raise InputError(f"a stack has the dimensions (tilt, y, x), this array has {stack.dims}")
    return da.asarray(stack.data).rechunk({0: 1, 1: -1, 2: -1})


def angles_of(stack: xr.DataArray) -> np.ndarray:
    """Tilt angles, ``(tilt,)`` degrees, of a stack.

    Raises
    ------
    InputError
        When it has none.
    """
    if "tilt_angle" not in stack.coords:
        raise InputError("the stack has no coordinate tilt_angle; assign the angles of its tilts, in degrees")
    return np.asarray(stack["tilt_angle"], dtype=np.float64)
