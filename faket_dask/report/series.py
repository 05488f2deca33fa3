"""What a report says about one series: its pictures, spectra, moments, particles, and how long it took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from faket_dask.dataset.field_of_view import particles_in_view
from faket_dask.dataset.pairing import Series
from faket_dask.engine.arrays import read_tilt, read_vector
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.presence import why_missing
from faket_dask.kernels.noise.spectra import radial_power_spectrum
from faket_dask.pipeline import STAGES
from faket_dask.pipeline.realism import measured_modalities, realism_item
from faket_dask.references.statistics import statistic
from faket_dask.report.figures import COLOURS, Curve, chart
from faket_dask.report.gallery import (
    Mark,
    Picture,
    Shot,
    detail_pictures,
    marks_at,
    middle_of,
    shots_at,
    shown_tilts,
    whole_pictures,
)
from faket_dask.report.realism import RealismAtTilt, realism_of
from faket_dask.specimen.particles import ParticleTable, read_particles

SPECTRUM_PX = 1024
"""Spectra are taken of the middle of larger tilts, which changes them little and saves minutes at 3500²."""

MEASURED_TILTS = 21
"""Of longer series, this many tilts are read back to measure their mean and standard deviation."""

_DASHES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class PictureRow:
    """Pictures at one tilt angle; `marks` names the list of particle marks that fits them."""

    title: str
    marks: str
    pictures: list[Picture]


@dataclass(frozen=True)
class ChartBox:
    """A chart, as a data URI, with what it shows."""

    title: str
    uri: str


@dataclass(frozen=True)
class Timing:
    """Units of one stage, as far as they are done, and the seconds that they took on their workers."""

    stage: str
    done: int
    total: int
    seconds: float

    @property
    def mean_seconds(self) -> float | None:
        return self.seconds / self.done if self.done else None


@dataclass(frozen=True)
class ClassCount:
    """Particles of one class: in the whole specimen, and with their centre in the field of view."""

    class_name: str
    total: int
    in_view: int


@dataclass(frozen=True)
class SeriesReport:
    """All that is shown of one series."""

    series: Series
    pairing: str
    lacks: list[str]
    rows: list[PictureRow]
    marks: dict[str, list[Mark]]
    charts: list[ChartBox]
    counts: list[ClassCount]
    timings: list[Timing]
    realism: list[RealismAtTilt]


def report_series(completed: CompletedUnits, series: Series) -> SeriesReport:
    """Look at everything that there is of one series; what is missing is named."""
    spec = completed.spec
    acquisition = spec.acquisition(series.specimen)
    table = None
    if why_missing(completed, "place", series.specimen) is None:
        table = read_particles(spec.layout.particles(series.specimen))
    rows: list[PictureRow] = []
    marks: dict[str, list[Mark]] = {}
    charts: list[ChartBox] = []
    for number, tilt in enumerate(shown_tilts(acquisition.tilt_angles)):
        shots = shots_at(completed, series, tilt)
        angle = float(acquisition.tilt_angles[tilt])
        key = f"{series.name}-{tilt}"
        marks[key] = [] if table is None else marks_at(spec, series.specimen, table, angle)
        rows.append(PictureRow(degrees(angle), key, whole_pictures(shots, spec.tilt_shape)))
        detail = detail_pictures(shots, spec.tilt_shape) if number == 0 else []
        if detail:
            rows.append(PictureRow(f"{degrees(angle)}, the middle at full resolution", key, detail))
        charts.extend(_spectra(shots, angle, acquisition.pixel_size_A))
    charts.extend(_moments(completed, series))
    realism = realism_of(completed, series)
    charts.extend(
        ChartBox(f"Distances to the reference at {degrees(found.tilt_angle)}", found.chart())
        for found in realism
    )
    items = series_items(completed, series)
    return SeriesReport(
        series,
        _pairing(completed, series),
        [reason for key in items if (reason := why_missing(completed, *key))],
        rows,
        marks,
        charts,
        [] if table is None else _counts(completed, series, table),
        timings(completed, items),
        realism,
    )


def series_items(completed: CompletedUnits, series: Series) -> list[tuple[str, str]]:
    """Stages and items of all units that a series needs."""
    spec = completed.spec
    parts = [part for part, _ in spec.parts(series.reference)]
    own = [spec.reference_specimen(part) for part in parts]
    compared = [realism_item(series.name, modality) for modality in measured_modalities(spec)]
    items = (*own, *parts, series.specimen, series.name, *compared)
    return [(stage, item) for stage in STAGES for item in items if (stage, item) in completed.done]


def timings(completed: CompletedUnits, keys: Iterable[tuple[str, str]]) -> list[Timing]:
    """Units and seconds by stage, in the order that data flows."""
    chosen = set(keys)
    found = []
    for stage in STAGES:
        items = [item for name, item in chosen if name == stage]
        if items:
            batches = [completed.done[stage, item] for item in items]
            done, total = sum(batch.count for batch in batches), sum(len(batch.flags) for batch in batches)
            found.append(Timing(stage, done, total, sum(batch.seconds for batch in batches)))
    return found


def degrees(angle: float) -> str:
    """A tilt angle as people write it: 0°, +60°, −48.5°."""
    rounded = round(angle, 2) + 0.0
    return f"{rounded:+g}°".replace("-", "\N{MINUS SIGN}") if rounded else "0°"


def _pairing(completed: CompletedUnits, series: Series) -> str:
    parts = completed.spec.parts(series.reference)
    if len(parts) == 1:
        return f"{series.specimen} in the style of {parts[0][0]}"
    blend = ", ".join(f"{weight:.0%} {name}" for name, weight in parts)
    return f"{series.specimen} in the style of {series.reference}: {blend}"


def _spectra(shots: list[Shot], angle: float, pixel_size_A: float) -> list[ChartBox]:
    curves = []
    lowest = []
    references = 0
    for shot in shots:
        if shot.image is None:
            continue
        frequency, power = radial_power_spectrum(middle_of(shot.image, SPECTRUM_PX), window=True)
        dash = _DASHES[references % len(_DASHES)]
        if shot.kind == "reference":
            references += 1
        if shot.kind != "noiseless":
            lowest.append(power.min())
        name = shot.name if shot.kind != "reference" else f"reference {shot.name}"
        curves.append(
            Curve(
                name,
                frequency / pixel_size_A,
                power,
                COLOURS[shot.kind],
                dash if shot.kind == "reference" else "-",
            )
        )
    if not curves:
        return []
    # Without noise the spectrum falls by many decades, in which all that is of interest would be flat.
    bottom = 0.3 * float(min(lowest)) if lowest else None
    uri = chart(curves, "spatial frequency (1/Å)", "power (white noise: 1)", logarithmic=True, bottom=bottom)
    return [ChartBox(f"Radial power spectra at {degrees(angle)}", uri)]


def _moments(completed: CompletedUnits, series: Series) -> list[ChartBox]:
    spec = completed.spec
    measured = _measured_moments(completed, series)
    tilt_angles = spec.acquisition(series.specimen).tilt_angles
    found = []
    for name, title in (("mean", "Mean of each tilt"), ("std", "Standard deviation of each tilt")):
        curves = []
        for number, (part, _) in enumerate(spec.parts(series.reference)):
            if ("measure", part) in completed.done and why_missing(completed, "measure", part) is None:
                angles = spec.reference_angles(part)
                order = np.argsort(angles)
                values = statistic(spec, part, name)[order]
                dash = _DASHES[number % len(_DASHES)]
                curves.append(Curve(f"reference {part}", angles[order], values, COLOURS["reference"], dash))
        if ("levels", series.name) in completed.done and why_missing(
            completed, "levels", series.name
        ) is None:
            fitted = read_vector(spec.layout.series(series.name), name)
            curves.append(Curve("noisy", tilt_angles, fitted, COLOURS["noisy"]))
        if measured is not None:
            tilts, values = measured[0], measured[1][name]
            curves.append(Curve("faket", tilt_angles[tilts], values, COLOURS["faket"], "none", True))
        if curves:
            found.append(ChartBox(title, chart(curves, "tilt angle (°)", f"{name} (reference's units)")))
    return found


def _measured_moments(
    completed: CompletedUnits, series: Series
) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
    """Tilts of `faket` that were read back, with their means and standard deviations."""
    spec = completed.spec
    batch = completed.done.get(("style", series.name))
    done = batch.indices() if batch else []
    if "faket" not in spec.config.outputs.modalities or not done:
        return None
    chosen = np.linspace(0, len(done) - 1, min(len(done), MEASURED_TILTS)).round().astype(int)
    tilts = np.asarray(done)[chosen]
    path = spec.layout.series(series.name)
    images = (read_tilt(path, "faket", int(tilt)) for tilt in tilts)
    moments = np.array([(i.mean(dtype=np.float64), i.std(dtype=np.float64)) for i in images])
    return tilts, {"mean": moments[:, 0], "std": moments[:, 1]}


def _counts(completed: CompletedUnits, series: Series, table: ParticleTable) -> list[ClassCount]:
    inside = particles_in_view(completed.spec, series.specimen, table).counts()
    total = table.labelled().counts()
    return [ClassCount(name, count, inside.get(name, 0)) for name, count in total.items()]
