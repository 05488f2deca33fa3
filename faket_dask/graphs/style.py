"""Style transfer on lazy stacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faket_dask.config import StyleSection
from faket_dask.errors import InputError
from faket_dask.graphs.tilts import chunk_tilts, read_tilt_angles, split_tilts
from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.kernels.moments import Moments
from faket_dask.kernels.style.scaling import Scaling, stack_scaling, tilt_extrema
from faket_dask.methods.arrays import TiltArrays
from faket_dask.methods.transfer import TiltImage
from faket_dask.stages.angle_interpolation import interpolation_weights, weighted_mean
from faket_dask.stages.networks import verify_weights
from faket_dask.stages.tiling import resolve_tile
from faket_dask.stages.transfer import measure_style, transfer_tilt


@dataclass(frozen=True)
class ReferenceStyle:
    """Style of a reference per tilt, lazy: compute it once (`dask.compute`) and use it for many series.

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` degrees.
    moments
        Mean and standard deviation of each tilt, in the reference's unit.
    targets
        Style of each tilt, as arrays of the transfer method.
    """

    tilt_angles: NDArray[np.float64]
    moments: list[Moments]
    targets: list[TiltArrays]


def reference_style(
    reference: xr.DataArray, style: StyleSection, valid_mask: xr.DataArray | None = None
) -> ReferenceStyle:
    """Measure the style of every tilt of a reference stack.

    Parameters
    ----------
    reference
        ``(tilt, y, x)`` with the coordinate ``tilt_angle`` in degrees; any size and number of tilts.
    style
        Section `style` of a run file. `tile: auto` is resolved for the sizes at hand; to have the bytes of a data set,
        take the tile of that data set's resolved configuration.
    valid_mask
        ``(tilt, y, x)`` bool, for methods that exclude artefacts: false for beads, bad pixels, and areas outside the
        detector. By default artefacts are looked for in the stack.

    Raises
    ------
    InputError
        If it is no stack or has no tilt angles, or the weights are not here.
    """
    stack, angles = chunk_tilts(reference), read_tilt_angles(reference)
    style = resolve_tile(style, (reference.sizes["y"], reference.sizes["x"]), [])
    checksum = verify_weights(style)
    tilts = split_tilts(stack)
    masks: list[Any] = [None] * len(tilts)
    if style.transfer.masks_artefacts:
        masks = (
            [dask.delayed(_find_valid)(tilt) for tilt in tilts]
            if valid_mask is None
            else split_tilts(chunk_tilts(valid_mask))
        )
    stack_range = _lazy_range(stack, style)
    moments = [dask.delayed(_moments)(tilt, mask) for tilt, mask in zip(tilts, masks, strict=True)]
    targets = [
        dask.delayed(_measure)(tilt, mask, stack_range, style, checksum)
        for tilt, mask in zip(tilts, masks, strict=True)
    ]
    return ReferenceStyle(angles, moments, targets)


def transfer_style(
    noisy: xr.DataArray, content: xr.DataArray, reference: ReferenceStyle, style: StyleSection
) -> xr.DataArray:
    """Transfer style to the `faket` series, from `noisy` and towards the reference, keeping `content`, tilt by tilt.

    The method `matched` has no content term; its result does not depend on `content`.

    Parameters
    ----------
    noisy, content
        ``(tilt, y, x)`` stacks of one series, from `add_noise` with levels 1 and 0.25.
    reference
        Style of the reference, from `reference_style`.
    style
        Section `style` of a run file.

    Raises
    ------
    InputError
        If the two stacks differ in shape or have no tilt angles, or the weights are not here.
    """
    start, kept, angles = chunk_tilts(noisy), chunk_tilts(content), read_tilt_angles(noisy)
    if noisy.shape != content.shape:
        raise InputError(f"noisy has the shape {noisy.shape}, content {content.shape}; they must agree")
    style = resolve_tile(style, (noisy.sizes["y"], noisy.sizes["x"]), [])
    checksum = verify_weights(style)
    ranges = (_lazy_range(start, style), _lazy_range(kept, style))
    token = da.core.tokenize(start, kept, reference, style)
    tilts = []
    for tilt, (pair, angle) in enumerate(
        zip(zip(split_tilts(start), split_tilts(kept), strict=True), angles, strict=True)
    ):
        weights = interpolation_weights(reference.tilt_angles, float(angle), style.angle_match)
        result = dask.delayed(_transfer)(
            *pair,
            ranges,
            [(reference.targets[index], weight) for index, weight in weights],
            [(reference.moments[index], weight) for index, weight in weights],
            style,
            checksum,
            dask_key_name=("style", token, tilt),
        )
        tilts.append(da.from_delayed(result, (1, *noisy.shape[1:]), dtype=np.float32))
    return noisy.copy(data=da.concatenate(tilts)).rename("faket")


def _lazy_range(stack: da.Array, style: StyleSection) -> Scaling | None:
    if not style.transfer.needs_stack_range:
        return None
    clip_percent = style.transfer.clip_percent
    return dask.delayed(stack_scaling)(
        [dask.delayed(tilt_extrema)(tilt, clip_percent) for tilt in split_tilts(stack)]
    )


def _find_valid(tilt: NDArray[np.float32]) -> NDArray[np.bool_]:
    return ~artefact_mask(tilt)


def _moments(tilt: NDArray[np.float32], valid_mask: NDArray[np.bool_] | None) -> Moments:
    if valid_mask is not None:
        tilt = tilt[valid_mask]
    return Moments(float(tilt.mean(dtype=np.float64)), float(tilt.std(dtype=np.float64)))


def _measure(
    tilt: NDArray[np.float32],
    valid_mask: NDArray[np.bool_] | None,
    stack_range: Scaling | None,
    style: StyleSection,
    checksum: str,
) -> TiltArrays:
    return measure_style(
        reference=TiltImage(tilt, stack_range),
        valid_mask=valid_mask,
        style=style,
        weights_checksum=checksum,
    )


def _transfer(
    noisy: NDArray[np.float32],
    content: NDArray[np.float32],
    ranges: tuple[Scaling | None, Scaling | None],
    targets: list[tuple[TiltArrays, float]],
    moments: list[tuple[Moments, float]],
    style: StyleSection,
    checksum: str,
) -> NDArray[np.float32]:
    weights = [(index, weight) for index, (_, weight) in enumerate(moments)]
    mean, std = (weighted_mean([values[i] for values, _ in moments], weights) for i in (0, 1))
    return transfer_tilt(
        content=TiltImage(content, ranges[1]),
        start=TiltImage(noisy, ranges[0]),
        targets=targets,
        moments=Moments(mean, std),
        style=style,
        weights_checksum=checksum,
    )[None]
