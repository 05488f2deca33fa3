"""Weighted back-projection of lazy stacks."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from faket_dask.config import FilterKind
from faket_dask.errors import InputError
from faket_dask.graphs.tilts import by_tilt
from faket_dask.kernels.backprojection import back_project
from faket_dask.stages.reconstruction import filtered_tilt, kept_tilts

BLOCK_ROWS = 64
"""Rows of a tomogram in one chunk: what the kernel handles at a time."""


def filter_tilts(
    stack: xr.DataArray,
    kind: FilterKind = "hann",
    *,
    thickness_px: float | None = None,
    binning: int = 1,
    every: int = 1,
) -> xr.DataArray:
    """Tilts ready for back-projection, one by one.

    Parameters
    ----------
    stack
        ``(tilt, y, x)`` with the coordinate ``tilt_angle`` in degrees.
    kind
        ``"ramp"``, ``"crowther"``, ``"hann"``, ``"exact"`` or ``"shrec"``; see a run file's `reconstruction`.
    thickness_px
        Of the specimen, in binned pixels, which ``"crowther"`` and ``"exact"`` need.
    binning
        Pixels per binned pixel along y and x.
    every
        Takes every n-th tilt, counted from the one nearest to 0°.

    Returns
    -------
    filtered
        ``(tilt, y, x)`` float32; where the stack has coordinates ``y`` and ``x``, with those of its new pixels.

    Raises
    ------
    InputError
        When the array is no stack, has no tilt angles, or the thickness is needed and not given.
    """
    tilts = by_tilt(stack)
    angles = _angles(stack)
    if thickness_px is None and kind in ("crowther", "exact"):
        raise InputError(f"the filter {kind!r} needs the specimen's thickness: give thickness_px")
    kept = kept_tilts(angles, every)
    angles = angles[kept]
    binned = [size // binning for size in stack.shape[1:]]

    def tilt_block(block: np.ndarray, block_info: dict[int, Any]) -> np.ndarray:
        index = block_info[0]["chunk-location"][0]
        return filtered_tilt(block[0], kind, angles, index, thickness_px or 1.0, binning)[None]

    chosen = tilts[kept]
    filtered = chosen.map_blocks(
        tilt_block,
        dtype=np.float32,
        chunks=(chosen.chunks[0], (binned[0],), (binned[1],)),
        name="filter-" + da.core.tokenize(chosen, kind, angles, thickness_px, binning),
    )
    coords: dict[str, Any] = {"tilt_angle": ("tilt", angles, {"units": "degrees"})}
    for axis, size in zip("yx", binned, strict=True):
        if axis in stack.coords:
            first = stack.sizes[axis] // 2 - size // 2 * binning
            coords[axis] = stack[axis][first : first + size * binning : binning]
    return xr.DataArray(filtered, dims=("tilt", "y", "x"), coords=coords, name="filtered")


def reconstruct(filtered: xr.DataArray, depth: int, *, device: str = "cpu") -> xr.DataArray:
    """The tomogram of filtered tilts, in blocks of y.

    Parameters
    ----------
    filtered
        ``(tilt, y, x)`` from `filter_tilts`.
    depth
        Layers of the tomogram; the tilt axis lies in layer ``depth // 2``.
    device
        ``"cpu"``, or an accelerator by PyTorch's name.

    Returns
    -------
    tomogram
        ``(z, y, x)`` float32, dense dark.

    Raises
    ------
    InputError
        When the array is no stack or has no tilt angles, or the depth is not positive.
    """
    if depth < 1:
        raise InputError(f"a tomogram needs at least one layer, depth is {depth}")
    angles = _angles(filtered)
    rows, columns = filtered.shape[1:]
    block_rows = min(BLOCK_ROWS, rows)
    blocks = by_tilt(filtered).rechunk({0: -1, 1: block_rows})
    volume = blocks.map_blocks(
        back_project,
        angles,
        depth,
        device=device,
        dtype=np.float32,
        chunks=((depth,), blocks.chunks[1], (columns,)),
        name="reconstruct-" + da.core.tokenize(blocks, angles, depth, device),
    )
    coords = {axis: filtered[axis] for axis in "yx" if axis in filtered.coords}
    return xr.DataArray(volume, dims=("z", "y", "x"), coords=coords, name="reconstruction")


def _angles(stack: xr.DataArray) -> np.ndarray:
    if "tilt_angle" not in stack.coords:
        raise InputError("the stack has no coordinate tilt_angle, which says how it was tilted (degrees)")
    return np.asarray(stack["tilt_angle"], dtype=np.float64)
