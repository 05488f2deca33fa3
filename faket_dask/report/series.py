"""Section of a report about one series: pictures, spectra, moments, particles, and times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from faket_dask.dataset.field_of_view import select_particles
from faket_dask.dataset.pairing import Series
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_tilt, read_vector
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.stage import BatchKey
from faket_dask.engine.unit import Item
from faket_dask.geometry import format_tilt_angle
from faket_dask.kernels.noise.spectra import radial_power_spectrum
from faket_dask.modalities import MODALITIES
from faket_dask.pipeline.build import FILLED, PlaceParticles
from faket_dask.pipeline.noise import COMMON_RATIO, EXCESS, FitNoise
from faket_dask.pipeline.reference import MeasureStatistics
from faket_dask.references import open_reference
from faket_dask.references.statistics import ReferenceStatistics
from faket_dask.report.consistency import Consistency, collect_consistency
from faket_dask.report.figures import COLOURS, REFERENCE, Curve, chart
from faket_dask.report.gallery import (
    Overlay,
    Panel,
    Picture,
    choose_tilts,
    collect_panels,
    crop_middle,
    draw_details,
    draw_whole,
    particle_overlays,
)
from faket_dask.report.realism import RealismAtTilt, collect_realism
from faket_dask.specimen.particles import ParticleTable, read_particles

SPECTRUM_PX = 1024
"""Largest side of the middle that spectra are taken of, which changes them little and saves minutes at 3500²."""

MEASURED_TILTS = 21
"""Largest number of tilts that are read back to measure their mean and standard deviation."""

FAR_RATIO = 2.0
"""Power of an unpaired signal over what the reference's tilts share, or its inverse, that is worth a word."""

LEAST_EXCESS = 0.02
"""Variance of the signal over the reference's that a report mentions."""

_DASHES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class PictureRow:
    """Pictures at one tilt angle; `overlay` is the key of the circles that fit them."""

    title: str
    overlay: str
    pictures: list[Picture]


@dataclass(frozen=True)
class ChartBox:
    """Chart as a data URI, with its title."""

    title: str
    uri: str


@dataclass(frozen=True)
class Timing:
    """Finished and all units of one stage, and the computing time of the finished ones."""

    stage: str
    done: int
    total: int
    seconds: float

    @property
    def mean_seconds(self) -> float | None:
        """Computing time per unit."""
        return self.seconds / self.done if self.done else None


@dataclass(frozen=True)
class ClassCount:
    """Particles of one class: in the whole specimen, and centred in the field of view."""

    class_name: str
    total: int
    in_view: int


@dataclass(frozen=True)
class SeriesReport:
    """Contents of the section."""

    series: Series
    pairing: str
    excess: float | None
    common_ratio: float | None
    missing: list[str]
    rows: list[PictureRow]
    overlays: dict[str, list[Overlay]]
    charts: list[ChartBox]
    counts: list[ClassCount]
    filled: dict[str, float]
    timings: list[Timing]
    realism: list[RealismAtTilt]
    consistency: Consistency


def report_series(completed: CompletedUnits, series: Series) -> SeriesReport:
    """Collect everything that is complete of one series, and the reasons for what is missing."""
    spec: DatasetSpec = completed.plan.spec
    acquisition = spec.geometry.acquisition(series.specimen)
    table = None
    if completed.has(PlaceParticles.name, Item(series.specimen)):
        table = read_particles(spec.folder.particles(series.specimen))
    rows: list[PictureRow] = []
    overlays: dict[str, list[Overlay]] = {}
    charts: list[ChartBox] = []
    for number, tilt in enumerate(choose_tilts(acquisition.tilt_angles)):
        panels = collect_panels(completed, series, tilt)
        angle = float(acquisition.tilt_angles[tilt])
        key = f"{series.name}-{tilt}"
        overlays[key] = [] if table is None else particle_overlays(spec, series.specimen, table, angle)
        rows.append(PictureRow(format_tilt_angle(angle), key, draw_whole(panels, spec.geometry.tilt_shape)))
        details = draw_details(panels, spec.geometry.tilt_shape) if number == 0 else []
        if details:
            rows.append(
                PictureRow(f"{format_tilt_angle(angle)}, the middle at full resolution", key, details)
            )
        charts.extend(_spectra(panels, angle, acquisition.pixel_size_A))
    charts.extend(_moments(completed, series))
    realism = collect_realism(completed, series)
    charts.extend(
        ChartBox(f"Distances to the reference at {format_tilt_angle(tilt.tilt_angle)}", tilt.chart())
        for tilt in realism
    )
    batches = list_batches(completed, series)
    return SeriesReport(
        series,
        _pairing(completed, series),
        _excess(completed, series),
        _common_ratio(completed, series),
        [reason for key in batches if (reason := completed.why_missing(*key))],
        rows,
        overlays,
        charts,
        [] if table is None else _counts(completed, series, table),
        _filled(completed, series),
        sum_timings(completed, batches),
        realism,
        collect_consistency(completed, series),
    )


def list_batches(completed: CompletedUnits, series: Series) -> list[BatchKey]:
    """Return the batches of a series, its specimen and its references, in the order of the pipeline."""
    spec: DatasetSpec = completed.plan.spec
    references = spec.blend_weights(series.reference)
    simulated = {open_reference(spec, name).simulated_specimen for name in references}
    owners = {series.name, series.specimen, *references, *simulated}
    keys = [key for key in completed.batches if key.item.owner in owners]
    return [key for stage in completed.plan.stages for key in keys if key.stage == stage.name]


def sum_timings(completed: CompletedUnits, keys: Iterable[BatchKey]) -> list[Timing]:
    """Return units and seconds of some batches by stage, in the order of the pipeline."""
    selected = list(keys)
    rows = []
    for stage in completed.plan.stages:
        batches = [completed.batches[key] for key in selected if key.stage == stage.name]
        if batches:
            done, total = sum(batch.count for batch in batches), sum(len(batch.flags) for batch in batches)
            rows.append(Timing(stage.name, done, total, sum(batch.seconds for batch in batches)))
    return rows


def _pairing(completed: CompletedUnits, series: Series) -> str:
    weights = completed.plan.spec.blend_weights(series.reference)
    if not weights:
        return f"{series.specimen} without a reference"
    if len(weights) == 1:
        return f"{series.specimen} in the style of {next(iter(weights))}"
    blend = ", ".join(f"{weight:.0%} {name}" for name, weight in weights.items())
    return f"{series.specimen} in the style of {series.reference}: {blend}"


def _common_ratio(completed: CompletedUnits, series: Series) -> float | None:
    """Return the power of an unpaired signal over what the reference's tilts share, where that is far from 1."""
    ratio = _find(completed, series, COMMON_RATIO)
    return ratio if ratio is not None and not 1 / FAR_RATIO < ratio < FAR_RATIO else None


def _find(completed: CompletedUnits, series: Series, finding: str) -> float | None:
    """Return a finding of a series' noise fit."""
    fitted = completed.read_markers(FitNoise.name, Item(series.name)).get(0)
    return None if fitted is None else fitted.findings.get(finding)


def _excess(completed: CompletedUnits, series: Series) -> float | None:
    """Return the variance that the signal has over the reference's, where it is worth a word."""
    excess = _find(completed, series, EXCESS)
    return excess if excess is not None and excess > LEAST_EXCESS else None


def _spectra(panels: list[Panel], angle: float, pixel_size_A: float) -> list[ChartBox]:
    curves = []
    lowest = []
    references = 0
    for panel in panels:
        if panel.image is None:
            continue
        frequency, power = radial_power_spectrum(crop_middle(panel.image, SPECTRUM_PX), window=True)
        dash = _DASHES[references % len(_DASHES)]
        if panel.is_reference:
            references += 1
        if panel.kind != "noiseless":
            lowest.append(power.min())
        name = f"reference {panel.name}" if panel.is_reference else panel.name
        curves.append(
            Curve(
                name,
                frequency / pixel_size_A,
                power,
                COLOURS[panel.kind],
                dash if panel.is_reference else "-",
            )
        )
    if not curves:
        return []
    # Without noise the spectrum falls by many decades, in which all that is of interest would be flat.
    bottom = 0.3 * float(min(lowest)) if lowest else None
    uri = chart(curves, "spatial frequency (1/Å)", "power (white noise: 1)", logarithmic=True, bottom=bottom)
    return [ChartBox(f"Radial power spectra at {format_tilt_angle(angle)}", uri)]


def _moments(completed: CompletedUnits, series: Series) -> list[ChartBox]:
    spec: DatasetSpec = completed.plan.spec
    measured = _measured_moments(completed, series)
    tilt_angles = spec.geometry.acquisition(series.specimen).tilt_angles
    charts = []
    for name, title in (("mean", "Mean of each tilt"), ("std", "Standard deviation of each tilt")):
        curves = []
        for number, part in enumerate(spec.blend_weights(series.reference)):
            if completed.has(MeasureStatistics.name, Item(part)):
                angles = open_reference(spec, part).tilt_angles
                order = np.argsort(angles)
                values = ReferenceStatistics(spec.folder).read(part, name)[order]
                dash = _DASHES[number % len(_DASHES)]
                curves.append(Curve(f"reference {part}", angles[order], values, COLOURS[REFERENCE], dash))
        if completed.has(FitNoise.name, Item(series.name)):
            fitted = read_vector(spec.folder.series_tilts(series.name), name)
            curves.append(Curve("noisy", tilt_angles, fitted, COLOURS["noisy"]))
        if measured is not None:
            tilts, values = measured[0], measured[1][name]
            curves.append(Curve("faket", tilt_angles[tilts], values, COLOURS["faket"], "none", True))
        if curves:
            charts.append(ChartBox(title, chart(curves, "tilt angle (°)", f"{name} (reference's units)")))
    return charts


def _measured_moments(
    completed: CompletedUnits, series: Series
) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
    """Read some tilts of `faket`; return their indices, means and standard deviations, or ``None`` without any."""
    spec: DatasetSpec = completed.plan.spec
    batch = completed.batches.get(BatchKey(MODALITIES.get("faket").stage, Item(series.name)))
    done = batch.indices() if batch else []
    if "faket" not in spec.config.outputs.modalities or not done:
        return None
    chosen = np.linspace(0, len(done) - 1, min(len(done), MEASURED_TILTS)).round().astype(int)
    tilts = np.asarray(done)[chosen]
    path = spec.folder.series_tilts(series.name)
    images = (read_tilt(path, "faket", int(tilt)) for tilt in tilts)
    moments = np.array([(i.mean(dtype=np.float64), i.std(dtype=np.float64)) for i in images])
    return tilts, {"mean": moments[:, 0], "std": moments[:, 1]}


def _filled(completed: CompletedUnits, series: Series) -> dict[str, float]:
    """Return the shares of a built specimen's volume that molecules and objects fill, empty for another's."""
    placed = completed.read_markers(PlaceParticles.name, Item(series.specimen)).get(0)
    findings = placed.findings if placed else {}
    return {name: float(findings[name]) for name in FILLED if name in findings}


def _counts(completed: CompletedUnits, series: Series, table: ParticleTable) -> list[ClassCount]:
    inside = select_particles(completed.plan.spec, series.specimen, table).counts()
    total = table.labelled().counts()
    return [ClassCount(name, count, inside.get(name, 0)) for name, count in total.items()]
