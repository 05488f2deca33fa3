"""Projection of a lazy volume."""

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from faket_dask.errors import InputError
from faket_dask.kernels.projector import Projector


def project(
    volume: xr.DataArray,
    tilt_angles: ArrayLike,
    width: int | None = None,
    projector: Projector = Projector.BILINEAR,
) -> xr.DataArray:
    """Project a volume without noise, in blocks of y: each voxel is read once for all angles.

    Parameters
    ----------
    volume
        ``(z, y, x)`` density, in chunks of y (chunks along z and x are joined).
    tilt_angles
        ``(tilt,)`` finite degrees.
    width
        Number of central columns to keep; by default all.
    projector
        Projection onto the detector.

    Returns
    -------
    noiseless
        ``(tilt, y, x)`` float32 negated ray sums, chunked as the volume is along y.

    Raises
    ------
    InputError
        If the volume is not three-dimensional with these names, an angle is not finite, or there are fewer
        columns than `width`.
    """
    if volume.dims != ("z", "y", "x"):
        raise InputError(f"project needs a volume with the dimensions (z, y, x), this one has {volume.dims}")
    angles = np.asarray(tilt_angles, dtype=np.float64)
    columns = volume.sizes["x"]
    kept = columns if width is None else width
    if angles.ndim != 1 or angles.size == 0 or not np.isfinite(angles).all():
        raise InputError(f"tilt angles must be a list of finite degrees, got {angles}")
    if not 1 <= kept <= columns:
        raise InputError(f"a width {kept} of the projections is not within the volume's {columns} columns")
    blocks = da.asarray(volume.data).rechunk({0: -1, 2: -1})
    stack = blocks.map_blocks(
        projector.project,
        angles,
        width=kept,
        dtype=np.float32,
        chunks=((angles.size,), blocks.chunks[1], (kept,)),
        name="project-" + da.core.tokenize(blocks, angles, kept, projector),
    )
    coords: dict[str, object] = {"tilt_angle": ("tilt", angles, {"units": "degrees"})}
    if "y" in volume.coords:
        coords["y"] = volume["y"]
    if "x" in volume.coords:
        first = columns // 2 - kept // 2
        coords["x"] = volume["x"][first : first + kept]
    return xr.DataArray(stack, dims=("tilt", "y", "x"), coords=coords, name="noiseless")
