"""Noise statistics of a series, fitted over the tilt angle to those of references."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.field_of_view import mask_beads
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_vector
from faket_dask.errors import InputError
from faket_dask.kernels.artefacts import fill
from faket_dask.kernels.noise import NoiseCurves, fit_curves
from faket_dask.kernels.noise.physical import SignalMoments, find_physical_scales
from faket_dask.kernels.noise.spectra import ring_frequencies
from faket_dask.kernels.noise.unpaired import (
    LOWEST_FREQUENCY,
    fit_spectral_scales,
    ring_power,
    signal_is_distinct,
)
from faket_dask.kernels.similarity.tilt_coherence import LOW_TILT_DEG
from faket_dask.pipeline.matter import find_contrasts, find_intensities, project_matter
from faket_dask.pipeline.series_arrays import MATTER_POWER, SIGNAL_POWER, SIGNAL_STD, SIGNAL_VARIANCE
from faket_dask.pipeline.signal_tilts import SignalTilts
from faket_dask.references import Reference, open_reference
from faket_dask.references.blend import open_blend
from faket_dask.references.common_power import read_common_power
from faket_dask.references.statistics import ReferenceStatistics, count_rings
from faket_dask.specimen.particles import read_particles

_COARSEST_NOISE = 0.25
"""Cycles per pixel above which tilts share next to nothing."""


@dataclass(frozen=True, eq=False)
class SignalSpectra:
    """Signal of a series' tilts.

    Parameters
    ----------
    power
        ``(tilt, 2, rings)`` power off and on the axes of the spectrum, without beads, in units of the variance with
        them.
    variance
        ``(tilt,)`` variance without beads, relative to that with them.
    std
        ``(tilt,)`` standard deviation with beads, in volts times voxels.
    """

    power: NDArray[np.float64]
    variance: NDArray[np.float64]
    std: NDArray[np.float64]

    @property
    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Values by the names of the arrays that they are stored in."""
        return {SIGNAL_POWER: self.power, SIGNAL_VARIANCE: self.variance, SIGNAL_STD: self.std}

    @classmethod
    def read(cls, group: Path) -> SignalSpectra:
        """Read the stored arrays of a series."""
        return cls(*(read_vector(group, name) for name in (SIGNAL_POWER, SIGNAL_VARIANCE, SIGNAL_STD)))

    def at(self, tilt: int) -> SignalMoments:
        """Return the signal of one tilt."""
        return SignalMoments(float(self.std[tilt]), float(self.variance[tilt]), self.power[tilt, 0])


def measure_signal(spec: DatasetSpec, series: str) -> SignalSpectra:
    """Measure the spectra of a series' signal, standardised with its beads and then freed of them.

    Recorded tilts are measured without their beads too; those of the specimen would otherwise dominate a signal that
    the recording does not show.
    """
    specimen = spec.series_by_name[series].specimen
    table = read_particles(spec.folder.particles(specimen))
    rings = count_rings(spec)
    source = SignalTilts.open(spec, series)
    power, variance, deviation = [], [], []
    for tilt, angle in enumerate(spec.geometry.acquisition(series).tilt_angles):
        image = source.read(tilt)
        beads = mask_beads(spec, specimen, table, float(angle))
        bare = fill(image, beads)
        variance.append(bare.var() / max(image.var(dtype=np.float64), 1e-30) if beads.any() else 1.0)
        power.append(ring_power(bare, rings) * variance[-1])
        deviation.append(float(image.std(dtype=np.float64)))
    return SignalSpectra(np.stack(power), np.array(variance), np.array(deviation))


def fit_series_curves(
    spec: DatasetSpec, series: str, order: int, signal: SignalSpectra | None = None
) -> NoiseCurves:
    """Fit the noise statistics of a series' tilts over those of all references or of the series' own.

    Parameters
    ----------
    spec
        Specification of the data set.
    series
        Name of the series.
    order
        Order of the polynomial over the tilt angle.
    signal
        Spectra of the specimen's signal, which unpaired statistics look for in the references.

    Returns
    -------
    curves
        Statistics at the series' tilt angles.
    """
    tilt_angles = spec.geometry.acquisition(series).tilt_angles
    weights = (
        dict.fromkeys(spec.used_references, 1.0)
        if spec.config.noise.fit_over == "all_references"
        else spec.blend_weights(spec.series_by_name[series].reference)
    )
    statistics = ReferenceStatistics(spec.folder)
    fits = []
    for name, weight in weights.items():
        reference = open_reference(spec, name)
        scales = _estimate_scales(spec, series, reference, signal)
        mean, std = (statistics.read(name, key) for key in ("mean", "std"))
        curves = NoiseCurves(*scales, mean, std)
        fits.append((weight, _fit_reference(curves, reference.tilt_angles, order, tilt_angles)))
    total = sum(weight for weight, _ in fits)
    return NoiseCurves(
        *(
            sum(weight / total * getattr(curves, field) for weight, curves in fits)
            for field in ("signal_scale", "noise_scale", "mean", "std")
        )
    )


@dataclass(frozen=True, eq=False)
class PhysicalFit:
    """Noise statistics that physics gives a series' tilts.

    Parameters
    ----------
    curves
        Statistics at the series' tilt angles.
    explained
        ``(tilt, rings)`` power of the reference's tilts that is no noise; see `PhysicalScales`.
    excess
        Largest variance that the signal of a tilt alone has over the reference's, ring by ring, relative to that; 0
        where the reference has room for the whole signal.
    """

    curves: NoiseCurves
    explained: NDArray[np.float64]
    excess: float


def fit_physically(spec: DatasetSpec, series: str, signal: SignalSpectra) -> PhysicalFit:
    """Find the noise statistics that physics gives a series' tilts in the style of its own reference.

    Parameters
    ----------
    spec
        Specification of the data set.
    series
        Name of the series.
    signal
        Its signal.
    """
    angles = spec.geometry.acquisition(series).tilt_angles
    matter = None
    if spec.shares_background:
        matter = project_matter(spec, series, read_vector(spec.folder.series_tilts(series), MATTER_POWER))
    statistics = ReferenceStatistics(spec.folder)
    blend = open_blend(spec, spec.series_by_name[series].reference)
    contrasts, intensities, powers = {}, {}, {}
    for reference, _ in blend.parts:
        contrasts[reference.name] = find_contrasts(spec, reference, angles)
        intensities[reference.name] = find_intensities(spec, reference)
        powers[reference.name] = statistics.read(reference.name, "power")[:, 0]
    values, fits = [], []
    for tilt, angle in enumerate(angles):
        parts = blend.select_tilts(float(angle), spec.config.style.angle_match)
        mean, std = (statistics.blend(parts, name) for name in ("mean", "std"))
        recorded = sum(part.weight * powers[part.reference][part.tilt] for part in parts)
        gain = sum(
            part.weight * contrasts[part.reference][tilt] * intensities[part.reference][part.tilt]
            for part in parts
        )
        shared = None if matter is None else matter[tilt]
        scales = find_physical_scales(np.asarray(recorded), std, signal.at(tilt), gain, shared)
        values.append((scales.signal_scale, scales.noise_scale, mean, scales.std))
        fits.append(scales)
    explained = np.stack([scales.explained for scales in fits])
    return PhysicalFit(NoiseCurves(*np.array(values).T), explained, max(scales.excess for scales in fits))


def compare_common_power(
    spec: DatasetSpec, series: str, signal: SignalSpectra, curves: NoiseCurves
) -> float | None:
    """Return the power that unpaired statistics give a series' signal over what the reference's tilts have in common.

    Parameters
    ----------
    spec
        Specification of the data set.
    series
        Name of the series.
    signal, curves
        Its signal and noise statistics.

    Returns
    -------
    ratio
        1 where the specimen is all that neighbouring tilts of the reference share between 64 and 4 pixels;
        ``None`` where they cannot be compared.
    """
    power = read_common_power(spec, spec.main_reference(spec.series_by_name[series].reference))
    low = np.abs(spec.geometry.acquisition(series).tilt_angles) <= LOW_TILT_DEG
    if power is None or not low.any():
        return None
    frequency = ring_frequencies(power.common.size)
    band = (frequency >= LOWEST_FREQUENCY) & (frequency <= _COARSEST_NOISE)
    given = (curves.signal_scale[low, None] ** 2 * signal.power[low, 0]).mean(axis=0)
    common = float(power.number[band] @ power.common[band])
    return float(power.number[band] @ given[band]) / common if common > 0 else None


def _estimate_scales(
    spec: DatasetSpec, series: str, reference: Reference, signal: SignalSpectra | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the signal and noise scales of a reference's tilts, by the configured statistics."""
    section, statistics = spec.config.noise, ReferenceStatistics(spec.folder)
    if section.given is not None:
        angles, given = reference.tilt_angles, section.given
        return (
            np.interp(angles, given.tilt_angles_deg, given.signal_scale),
            np.interp(angles, given.tilt_angles_deg, given.noise_scale),
        )
    if section.statistics == "paired":
        r, sigma = (statistics.read(reference.name, key) for key in ("signal_scale", "noise_scale"))
        return r, sigma
    assert signal is not None
    if not signal_is_distinct(signal.power):
        raise InputError(
            f"{spec.series_by_name[series].specimen} shows nothing but beads and ice, the spectrum of which is that "
            f"of noise: how strong it is in {reference.name} cannot be found; write `noise: {{statistics: given, "
            "given: …}` with the strengths that series of specimens with particles have in their stores"
        )
    return fit_spectral_scales(
        statistics.read(reference.name, "power"),
        reference.tilt_angles,
        reference.shape,
        signal.power,
        spec.geometry.acquisition(series).tilt_angles,
        signal.variance,
        reference.nyquist_frequency,
    )


def _fit_reference(
    measured: NoiseCurves, angles: NDArray[np.float64], order: int, at: NDArray[np.float64]
) -> NoiseCurves:
    """Fit one reference's curves; with too few tilts for the order, they are constant beyond the outermost tilts.

    A polynomial of the highest order that they determine goes through all of them, and anywhere beyond.
    """
    highest = np.unique(angles).size - 1
    if order > highest:
        order, at = highest, np.clip(at, np.min(angles), np.max(angles))
    return fit_curves([measured], angles, order, at=at)
