"""Noise on lazy projections."""

from __future__ import annotations

from dataclasses import dataclass

import dask
import dask.array as da
import numpy as np
import xarray as xr

from faket_dask.errors import InputError
from faket_dask.graphs.tilts import by_tilt
from faket_dask.kernels.noise import NoiseCurves
from faket_dask.kernels.noise.unpaired import ring_power
from faket_dask.stages.angle_interpolation import AngleMatch, interpolation_weights
from faket_dask.stages.seeds import noise_field
from faket_dask.stages.synthesis import (
    RecordedSpectrum,
    TiltStatistics,
    blend_spectra,
    measure_spectrum,
    select_statistics,
    spectral_field,
    synthesise,
)


@dataclass(frozen=True)
class ReferenceSpectra:
    """Spectra of a reference's tilts, lazy: compute them once (`dask.compute`) and use them for many series.

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` degrees.
    spectra
        Of each tilt.
    rings
        That each has.
    """

    tilt_angles: np.ndarray
    spectra: list[RecordedSpectrum]
    rings: int


def reference_spectra(reference: xr.DataArray, rings: int | None = None) -> ReferenceSpectra:
    """What `add_noise` needs of a reference to give its noise to another series.

    Parameters
    ----------
    reference
        ``(tilt, y, x)`` with the coordinate ``tilt_angle`` in degrees, at the pixel size of the series.
    rings
        Of equal frequency in which power is averaged: at most, and by default, half the shortest side of the
        reference; no more than half the series' either.
    """
    stack = by_tilt(reference)
    rings = min(stack.shape[1:]) // 2 if rings is None else rings
    spectra = [dask.delayed(_recorded)(tilt, rings) for tilt in stack.to_delayed()[:, 0, 0]]
    return ReferenceSpectra(np.asarray(reference["tilt_angle"], dtype=np.float64), spectra, rings)


def _recorded(tilt: np.ndarray, rings: int) -> RecordedSpectrum:
    return measure_spectrum(tilt[0], rings)[0]


def add_noise(
    noiseless: xr.DataArray,
    curves: NoiseCurves,
    seed: int,
    series: str,
    level: float = 1.0,
    spectra: ReferenceSpectra | None = None,
    angle_match: AngleMatch = "nearest",
) -> xr.DataArray:
    """Noisy tilts with a reference's statistics.

    Parameters
    ----------
    noiseless
        ``(tilt, y, x)`` projections.
    curves
        Noise statistics, (tilt,), at the angles of `noiseless`.
    seed, series
        Of the noise: the same two give the same field whatever the level, so that `noisy` (level 1) and
        `content` (level 0.25) differ in nothing but the amount of it.
    level
        Part of the noise level.
    spectra
        Of a reference, to shape the noise to; without them it is white. Gold beads count as signal here: that they
        were told apart where the specimen is known is the only difference to a batch run's noise.
    angle_match
        Which of its tilts stand for an angle of the series.

    Raises
    ------
    InputError
        When there are not as many statistics as tilts, or spectra are given and `noiseless` has no tilt angles.
    """
    stack = by_tilt(noiseless)
    if curves.mean.size != noiseless.sizes["tilt"]:
        raise InputError(f"{curves.mean.size} noise statistics for {noiseless.sizes['tilt']} tilts")

    if spectra is not None and "tilt_angle" not in noiseless.coords:
        raise InputError("noiseless has no coordinate tilt_angle, which says where to look in the reference")
    tilts = []
    for tilt, block in enumerate(stack.to_delayed()[:, 0, 0]):
        parts = []
        if spectra is not None:
            angle = float(noiseless["tilt_angle"][tilt])
            shares = interpolation_weights(spectra.tilt_angles, angle, angle_match)
            parts = [(share, spectra.spectra[index]) for index, share in shares]
        noisy = dask.delayed(_noisy)(
            block,
            select_statistics(curves, tilt),
            seed,
            series,
            tilt,
            level,
            parts,
            0 if spectra is None else spectra.rings,
            dask_key_name=("noise", da.core.tokenize(stack, curves, seed, series, level, parts), tilt),
        )
        tilts.append(da.from_delayed(noisy, (1, *stack.shape[1:]), dtype=np.float32))
    name = "noisy" if spectra is None else "spectral"
    return noiseless.copy(data=da.concatenate(tilts)).rename(name)


def _noisy(
    block: np.ndarray,
    statistics: TiltStatistics,
    seed: int,
    series: str,
    tilt: int,
    level: float,
    parts: list[tuple[float, RecordedSpectrum]],
    rings: int,
) -> np.ndarray:
    noiseless = block[0]
    field = noise_field(seed, series, tilt, noiseless.shape)
    if parts:
        signal = ring_power(noiseless, rings)[0]
        field = spectral_field(field, blend_spectra(parts), signal, statistics.signal_scale)
    return synthesise(noiseless, statistics, field, level)[None]
