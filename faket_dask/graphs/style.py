"""Style transfer on lazy stacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr

from faket_dask.config import StyleSection
from faket_dask.errors import InputError
from faket_dask.graphs.tilts import angles_of, by_tilt
from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.kernels.style.gram_matching import ReferenceGrams
from faket_dask.kernels.style.scaling import Scaling, TiltScaling, stack_scaling, tilt_extrema
from faket_dask.stages.angle_interpolation import interpolation_weights, weighted_mean
from faket_dask.stages.networks import load_network, matched_settings_of, settings_of
from faket_dask.stages.process import prepare_process
from faket_dask.stages.tiling import resolve_tile
from faket_dask.stages.transfer import (
    GramTargets,
    matched,
    mixed_style,
    mixed_targets,
    style_of,
    style_targets,
    stylise,
)
from faket_dask.weights import verify


@dataclass(frozen=True)
class Reference:
    """The style of a reference, per tilt and lazy: compute it once (`dask.compute`) and use it for many series.

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` degrees.
    moments
        Per tilt the mean and std, in the reference's units.
    targets
        Per tilt the Gram matrices, layer → (C, C); for the method `matched` the `Style`.
    """

    tilt_angles: np.ndarray
    moments: list[tuple[float, float]]
    targets: list[GramTargets] | list[ReferenceGrams]


def reference_style(
    reference: xr.DataArray, style: StyleSection, valid_mask: xr.DataArray | None = None
) -> Reference:
    """The style of every tilt of a reference stack.

    Parameters
    ----------
    reference
        ``(tilt, y, x)`` with the coordinate ``tilt_angle`` in degrees; any size and number of tilts.
    style
        Settings; those of a run file's section `style`.
        `tile: auto` is settled from this stack alone; for the bytes of a batch run of large images pass the section of
        that data set's resolved configuration.
    valid_mask
        ``(tilt, y, x)`` bool, for the method `matched`: false for beads, bad pixels, and what lies beyond the detector.
        By default the artefacts that are found in the stack are not valid_mask.

    Raises
    ------
    InputError
        When it is no stack or has no tilt angles, or the weights are not here.
    """
    stack, angles = by_tilt(reference), angles_of(reference)
    style = resolve_tile(style, (reference.sizes["y"], reference.sizes["x"]), [])
    checksum = verify(style.weights, style.random_seed)
    tilts = _tilts(stack)
    if style.method == "matched":
        seen = (
            [dask.delayed(_find_valid)(tilt) for tilt in tilts]
            if valid_mask is None
            else _tilts(by_tilt(valid_mask))
        )
        pairs = list(zip(tilts, seen, strict=True))
        moments = [dask.delayed(_moments)(tilt, mask) for tilt, mask in pairs]
        targets = [dask.delayed(_style)(tilt, mask, style, checksum) for tilt, mask in pairs]
    else:
        moments = [dask.delayed(_moments)(tilt) for tilt in tilts]
        scaling = _lazy_scaling(stack, style, recorded=True)
        targets = [dask.delayed(_targets)(tilt, scaling, style, checksum) for tilt in tilts]
    return Reference(angles, moments, targets)


def transfer_style(
    noisy: xr.DataArray, content: xr.DataArray, reference: Reference, style: StyleSection
) -> xr.DataArray:
    """The `faket` series: style transfer from `noisy` that keeps `content`, tilt by tilt.

    The method `matched` has no content term; its result does not depend on `content`.

    Parameters
    ----------
    noisy, content
        ``(tilt, y, x)`` stacks of one series, from `add_noise` with levels 1 and 0.25.
    reference
        From `reference_style`.
    style
        Settings; those of a run file's section `style`.

    Raises
    ------
    InputError
        When the two stacks differ in shape or have no tilt angles, or the weights are not here.
    """
    start, kept, angles = by_tilt(noisy), by_tilt(content), angles_of(noisy)
    if noisy.shape != content.shape:
        raise InputError(f"noisy has the shape {noisy.shape}, content {content.shape}; they must agree")
    style = resolve_tile(style, (noisy.sizes["y"], noisy.sizes["x"]), [])
    checksum = verify(style.weights, style.random_seed)
    scalings = (_lazy_scaling(start, style), _lazy_scaling(kept, style))
    pairs = zip(start.to_delayed()[:, 0, 0], kept.to_delayed()[:, 0, 0], strict=True)
    token = da.core.tokenize(start, kept, reference, style)
    tilts = []
    for tilt, (pair, angle) in enumerate(zip(pairs, angles, strict=True)):
        shares = interpolation_weights(reference.tilt_angles, float(angle), style.angle_match)
        result = dask.delayed(_stylised)(
            *pair,
            scalings,
            [(reference.targets[index], share) for index, share in shares],
            [(reference.moments[index], share) for index, share in shares],
            style,
            checksum,
            dask_key_name=("style", token, tilt),
        )
        tilts.append(da.from_delayed(result, (1, *noisy.shape[1:]), dtype=np.float32))
    return noisy.copy(data=da.concatenate(tilts)).rename("faket")


def _lazy_scaling(stack: da.Array, style: StyleSection, recorded: bool = False) -> Scaling | TiltScaling:
    if style.scaling == "tilt":
        return TiltScaling(recorded)
    extrema = [
        dask.delayed(tilt_extrema)(dask.delayed(tilt)[0], style.clip_percent)
        for tilt in stack.to_delayed()[:, 0, 0]
    ]
    return dask.delayed(stack_scaling)(extrema)


def _targets(
    tilt: np.ndarray, scaling: Scaling | TiltScaling, style: StyleSection, checksum: str
) -> GramTargets:
    prepare_process(style.threads)
    return style_targets(load_network(style, checksum), tilt, scaling, style.style_layers, style.tile_px)


def _tilts(stack: da.Array) -> list[Any]:
    return [dask.delayed(tilt)[0] for tilt in stack.to_delayed()[:, 0, 0]]


def _find_valid(tilt: np.ndarray) -> np.ndarray:
    return ~artefact_mask(tilt)


def _style(tilt: np.ndarray, valid_mask: np.ndarray, style: StyleSection, checksum: str) -> ReferenceGrams:
    prepare_process(style.threads)
    return style_of(load_network(style, checksum), tilt, valid_mask, style.style_layers, style.tile_px)


def _moments(tilt: np.ndarray, valid_mask: np.ndarray | None = None) -> tuple[float, float]:
    if valid_mask is not None:
        tilt = tilt[valid_mask]
    return float(tilt.mean(dtype=np.float64)), float(tilt.std(dtype=np.float64))


def _stylised(
    noisy: np.ndarray,
    content: np.ndarray,
    scalings: tuple[Scaling | TiltScaling, Scaling | TiltScaling],
    targets: list[tuple[Any, float]],
    moments: list[tuple[tuple[float, float], float]],
    style: StyleSection,
    checksum: str,
) -> np.ndarray:
    prepare_process(style.threads)
    shares = [(index, share) for index, (_, share) in enumerate(moments)]
    mean, std = (weighted_mean([values[i] for values, _ in moments], shares) for i in (0, 1))
    network = load_network(style, checksum)
    if style.method == "matched":
        settings = matched_settings_of(style)
        return matched(network, noisy[0], mixed_style(targets), mean, std, settings, style.tile_px)[None]
    image = stylise(
        network,
        noisy[0],
        content[0],
        *scalings,
        mixed_targets(targets),
        mean,
        std,
        settings_of(style),
        style.tile_px,
    )
    return image[None]
