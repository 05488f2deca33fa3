"""Noise on lazy projections."""

from __future__ import annotations

from dataclasses import dataclass

import dask
import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.graphs.tilts import chunk_tilts, read_tilt_angles, split_tilts
from faket_dask.kernels.noise import NoiseCurves
from faket_dask.kernels.noise.unpaired import ring_power
from faket_dask.methods.arrays import TiltArrays
from faket_dask.methods.noise import NOISE_MODELS, ReferenceTilt, SignalSpectrum
from faket_dask.stages.angle_interpolation import AngleMatch, interpolation_weights
from faket_dask.stages.seeds import noise_field
from faket_dask.stages.synthesis import TiltStatistics, select_statistics, shape_noise, synthesise


@dataclass(frozen=True)
class ReferenceNoise:
    """Noise of a reference's tilts, lazy: compute it once (`dask.compute`) and use it for many series.

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` degrees.
    estimates
        Estimates of each tilt, as arrays of the noise model.
    rings
        Number of rings that spectra are measured in.
    model
        Name of the noise model.
    """

    tilt_angles: NDArray[np.float64]
    estimates: list[TiltArrays]
    rings: int
    model: str


def reference_noise(
    reference: xr.DataArray, rings: int | None = None, model: str = "spectral"
) -> ReferenceNoise:
    """Estimate the noise of a reference, for `add_noise` to give to another series.

    Parameters
    ----------
    reference
        ``(tilt, y, x)`` with the coordinate ``tilt_angle`` in degrees, at the pixel size of the series.
    rings
        Number of rings of equal frequency in which power is averaged: at most, and by default, half the shortest side
        of the reference; no more than half the series' either.
    model
        Name of a noise model that studies references.
    """
    stack = chunk_tilts(reference)
    rings = min(stack.shape[1:]) // 2 if rings is None else rings
    estimates = [dask.delayed(_estimate)(tilt, rings, model) for tilt in split_tilts(stack)]
    return ReferenceNoise(read_tilt_angles(reference), estimates, rings, model)


def _estimate(tilt: NDArray[np.float32], rings: int, model: str) -> TiltArrays:
    return NOISE_MODELS.get(model).estimate(ReferenceTilt.from_image(tilt, rings))


def add_noise(
    noiseless: xr.DataArray,
    curves: NoiseCurves,
    seed: int,
    series: str,
    level: float = 1.0,
    noise: ReferenceNoise | None = None,
    angle_match: AngleMatch = "nearest",
) -> xr.DataArray:
    """Add noise with a reference's statistics to projections.

    Parameters
    ----------
    noiseless
        ``(tilt, y, x)`` projections.
    curves
        Noise statistics, (tilt,), at the angles of `noiseless`.
    seed, series
        Origin of the random numbers: the same two give the same field whatever the level, so that `noisy` (level 1)
        and `content` (level 0.25) differ in nothing but the amount of it.
    level
        Part of the noise level.
    noise
        Noise of a reference, whose spectrum the noise is given; without it the noise is white. Gold beads count as
        signal here: a batch run, which knows where they are, leaves them out.
    angle_match
        Choice of the reference's tilts that stand for an angle of the series.

    Raises
    ------
    InputError
        If there are not as many statistics as tilts, or `noise` is given and `noiseless` has no tilt angles.
    """
    stack = chunk_tilts(noiseless)
    if curves.mean.size != noiseless.sizes["tilt"]:
        raise InputError(f"{curves.mean.size} noise statistics for {noiseless.sizes['tilt']} tilts")
    if noise is not None and "tilt_angle" not in noiseless.coords:
        raise InputError("noiseless has no coordinate tilt_angle, which says where to look in the reference")
    tilts = []
    for tilt, image in enumerate(split_tilts(stack)):
        parts: list[tuple[TiltArrays, float]] = []
        angle = 0.0
        if noise is not None:
            angle = float(noiseless["tilt_angle"][tilt])
            weights = interpolation_weights(noise.tilt_angles, angle, angle_match)
            parts = [(noise.estimates[index], weight) for index, weight in weights]
        noisy = dask.delayed(_noisy)(
            image,
            select_statistics(curves, tilt),
            (seed, series, tilt),
            level,
            angle,
            parts,
            None if noise is None else (noise.model, noise.rings),
            dask_key_name=("noise", da.core.tokenize(stack, curves, seed, series, level, parts), tilt),
        )
        tilts.append(da.from_delayed(noisy, (1, *stack.shape[1:]), dtype=np.float32))
    name = "noisy" if noise is None else NOISE_MODELS.get(noise.model).modality
    return noiseless.copy(data=da.concatenate(tilts)).rename(name)


def _noisy(
    noiseless: NDArray[np.float32],
    statistics: TiltStatistics,
    origin: tuple[int, str, int],
    level: float,
    tilt_angle: float,
    parts: list[tuple[TiltArrays, float]],
    shaped: tuple[str, int] | None,
) -> NDArray[np.float32]:
    field = noise_field(*origin, (noiseless.shape[0], noiseless.shape[1]))
    if shaped is not None:
        model, rings = shaped
        signal = SignalSpectrum(ring_power(noiseless, rings)[0], statistics.signal_scale)
        field = shape_noise(
            NOISE_MODELS.get(model), field, tilt_angle=tilt_angle, reference=parts, signal=signal
        )
    return synthesise(noiseless=noiseless, statistics=statistics, field=field, level=level)[None]
