"""Weighted back-projection of lazy stacks."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from faket_dask.config import FilterKind
from faket_dask.errors import InputError
from faket_dask.graphs.tilts import chunk_tilts, read_tilt_angles
from faket_dask.kernels.backprojection_binned import back_project_binned
from faket_dask.kernels.binning import bin_axes
from faket_dask.stages.reconstruction import (
    Half,
    Restoration,
    binned_shape,
    choose_half,
    choose_tilts,
    density_scale,
    prepare_tilt,
)

BLOCK_ROWS = 64
"""Rows of a tomogram in one chunk: what the kernel handles at a time."""


def filter_tilts(
    stack: xr.DataArray,
    kind: FilterKind = "hann",
    *,
    thickness_px: float | None = None,
    binning: int = 1,
    tilt_stride: int = 1,
    restoration: Restoration | None = None,
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
    restoration
        Correction of the CTF, and dose weighting, of all tilts of the stack; none if not given.

    Returns
    -------
    filtered
        ``(tilt, y, x)`` float32; where the stack has coordinates ``y`` and ``x``, with those of its new pixels. Its
        attributes `filter` and `binning` tell a tomogram its density scale.

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
    own = None if restoration is None else restoration.select(kept)

    def tilt_block(block: np.ndarray, block_info: dict[int, Any]) -> np.ndarray:
        index = block_info[0]["chunk-location"][0]
        return prepare_tilt(
            tilt=block[0],
            kind=kind,
            tilt_angles=angles,
            index=index,
            thickness_px=thickness_px or 1.0,
            binning=binning,
            restoration=own,
        )[None]

    chosen = tilts[kept]
    filtered = chosen.map_blocks(
        tilt_block,
        dtype=np.float32,
        chunks=(chosen.chunks[0], (rows,), (columns,)),
        name="filter-" + da.core.tokenize(chosen, kind, angles, thickness_px, binning, repr(own)),
    )
    coords = {"tilt_angle": ("tilt", angles, {"units": "degrees"}), **_binned_places(stack, binning)}
    attributes = {"filter": kind, "binning": binning}
    return xr.DataArray(filtered, dims=("tilt", "y", "x"), coords=coords, name="filtered", attrs=attributes)


def select_half(filtered: xr.DataArray, half: Half, before_e_per_A2: ArrayLike | None = None) -> xr.DataArray:
    """Select half of the filtered tilts, for a tomogram of its own.

    Tomograms of two halves, weighted by their numbers of tilts, add up to that of all tilts.

    Parameters
    ----------
    filtered
        ``(tilt, y, x)`` from `filter_tilts`.
    half
        Half to take: see `faket_dask.stages.reconstruction.choose_half`.
    before_e_per_A2
        ``(tilt,)`` exposure before each of the filtered tilts, by which early and late ones are told apart.

    Raises
    ------
    InputError
        If the half is empty, or the exposures are needed and not given.
    """
    before = None if before_e_per_A2 is None else np.asarray(before_e_per_A2, dtype=np.float64)
    try:
        return filtered.isel(tilt=choose_half(half, filtered.sizes["tilt"], before))
    except ValueError as error:
        raise InputError(str(error)) from None


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
        ``(z, y, x)`` float32, dense dark. Its attribute `density_scale` is that of
        `faket_dask.stages.reconstruction.density_scale`.

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
    attributes = {}
    if "filter" in filtered.attrs:
        kind, before = filtered.attrs["filter"], filtered.attrs["binning"]
        shape = (filtered.sizes["y"], filtered.sizes["x"])
        attributes["density_scale"] = density_scale(kind, shape, angles, before)
    return xr.DataArray(volume, dims=("z", "y", "x"), coords=coords, name="reconstruction", attrs=attributes)


def _binned_places(stack: xr.DataArray, binning: int) -> dict[str, Any]:
    """Return coordinates ``y`` and ``x`` of binned pixels, where the stack has any."""
    places = {}
    for axis, size in zip("yx", binned_shape(stack.shape[1:], binning), strict=True):
        if axis in stack.coords:
            first = stack.sizes[axis] // 2 - size // 2 * binning
            places[axis] = stack[axis][first : first + size * binning : binning]
    return places
