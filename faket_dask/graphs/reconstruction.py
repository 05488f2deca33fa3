"""Weighted back-projection of lazy stacks."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from faket_dask.config import FilterKind
from faket_dask.errors import InputError
from faket_dask.graphs.tilts import chunk_tilts, read_tilt_angles
from faket_dask.kernels.backprojection_binned import back_project_binned
from faket_dask.kernels.binning import bin_axes
from faket_dask.stages.reconstruction import binned_shape, choose_tilts, prepare_tilt

BLOCK_ROWS = 64
"""Rows of a tomogram in one chunk: what the kernel handles at a time."""


def filter_tilts(
    stack: xr.DataArray,
    kind: FilterKind = "hann",
    *,
    thickness_px: float | None = None,
    binning: int = 1,
    tilt_stride: int = 1,
) -> xr.DataArray:
    """Prepare tilts for back-projection, one by one.

    Parameters
    ----------
    stack
        ``(tilt, y, x)`` with the coordinate ``tilt_angle`` in degrees.
    kind
        ``"ramp"``, ``"crowther"``, ``"hann"``, ``"exact"`` or ``"shrec"``; see a run file's `reconstruction`.
    thickness_px
        Thickness of the specimen in binned pixels, which ``"crowther"`` and ``"exact"`` need.
    binning
        Pixels per binned pixel along y and x.
    tilt_stride
        Distance of the tilts that are used, counted from the one nearest to 0°; 1 uses all.

    Returns
    -------
    filtered
        ``(tilt, y, x)`` float32; where the stack has coordinates ``y`` and ``x``, with those of its new pixels.

    Raises
    ------
    InputError
        If the array is no stack, has no tilt angles, or the thickness is needed and not given.
    """
    tilts = chunk_tilts(stack)
    angles = read_tilt_angles(stack)
    if thickness_px is None and kind in ("crowther", "exact"):
        raise InputError(f"the filter {kind!r} needs the specimen's thickness: give thickness_px")
    kept = choose_tilts(angles, tilt_stride)
    angles = angles[kept]
    rows, columns = binned_shape(stack.shape[1:], binning)

    def tilt_block(block: np.ndarray, block_info: dict[int, Any]) -> np.ndarray:
        index = block_info[0]["chunk-location"][0]
        return prepare_tilt(
            tilt=block[0],
            kind=kind,
            tilt_angles=angles,
            index=index,
            thickness_px=thickness_px or 1.0,
            binning=binning,
        )[None]

    chosen = tilts[kept]
    filtered = chosen.map_blocks(
        tilt_block,
        dtype=np.float32,
        chunks=(chosen.chunks[0], (rows,), (columns,)),
        name="filter-" + da.core.tokenize(chosen, kind, angles, thickness_px, binning),
    )
    coords = {"tilt_angle": ("tilt", angles, {"units": "degrees"}), **_binned_places(stack, binning)}
    return xr.DataArray(filtered, dims=("tilt", "y", "x"), coords=coords, name="filtered")


def reconstruct(filtered: xr.DataArray, depth: int, *, binning: int = 1, device: str = "cpu") -> xr.DataArray:
    """Reconstruct the tomogram of filtered tilts, in blocks of y.

    Parameters
    ----------
    filtered
        ``(tilt, y, x)`` from `filter_tilts`.
    depth
        Layers of the tomogram, binned if it is; the tilt axis lies in layer ``depth // 2``.
    binning
        Pixels of the filtered tilts per voxel: the tomogram is low-passed and thinned, without moving its centre.
    device
        ``"cpu"``, or an accelerator by PyTorch's name.

    Returns
    -------
    tomogram
        ``(z, y, x)`` float32, dense dark.

    Raises
    ------
    InputError
        If the array is no stack or has no tilt angles, the depth is not positive, or the tilts are too small to
        be binned.
    """
    tilts = chunk_tilts(filtered)
    if depth < 1:
        raise InputError(f"a tomogram needs at least one layer, depth is {depth}")
    if not 1 <= binning <= min(filtered.shape[1:]):
        raise InputError(f"tilts of {filtered.shape[1:]} pixels cannot be binned by {binning}")
    angles = read_tilt_angles(filtered)
    rows, columns = binned_shape(filtered.shape[1:], binning)
    # Along the tilt axis, binning tilts is binning the tomogram.
    narrowed = tilts.map_blocks(
        bin_axes, binning, axes=(1,), dtype=np.float32, chunks=(tilts.chunks[0], (rows,), tilts.chunks[2])
    )
    blocks = narrowed.rechunk({0: -1, 1: min(BLOCK_ROWS, rows)})
    volume = blocks.map_blocks(
        back_project_binned,
        angles,
        depth,
        binning,
        device=device,
        dtype=np.float32,
        chunks=((depth,), blocks.chunks[1], (columns,)),
        name="reconstruct-" + da.core.tokenize(blocks, angles, depth, binning, device),
    )
    coords = _binned_places(filtered, binning)
    return xr.DataArray(volume, dims=("z", "y", "x"), coords=coords, name="reconstruction")


def _binned_places(stack: xr.DataArray, binning: int) -> dict[str, Any]:
    """Return coordinates ``y`` and ``x`` of binned pixels, where the stack has any."""
    places = {}
    for axis, size in zip("yx", binned_shape(stack.shape[1:], binning), strict=True):
        if axis in stack.coords:
            first = stack.sizes[axis] // 2 - size // 2 * binning
            places[axis] = stack[axis][first : first + size * binning : binning]
    return places
