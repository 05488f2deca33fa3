"""What the lazy per-tilt operations share: a stack as Dask chunks of one whole tilt each."""

import dask.array as da
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
