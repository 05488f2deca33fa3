"""The page to look at after a run: what the data set is, how its series look, and how long they took.

`report.html` needs nothing but itself: pictures and charts are inside. All series are in its table; the first
few are shown in full, so that the page stays readable whatever the size of the data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import jinja2

from faket_dask._version import __version__
from faket_dask.atomic import write_text
from faket_dask.config import BuiltSpecimen, TiltSeriesReference, dump
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.events import UnitFailed
from faket_dask.engine.presence import why_missing
from faket_dask.modalities import MODALITIES
from faket_dask.pipeline.plan import Plan
from faket_dask.report.figures import CLASS_COLOURS, COLOURS
from faket_dask.report.gallery import PICTURE_PX
from faket_dask.report.realism import write_realism
from faket_dask.report.series import SPECTRUM_PX, degrees, report_series, series_items, timings

SERIES_IN_FULL = 12
"""Series with pictures and charts, about a megabyte each."""


@dataclass(frozen=True)
class Line:
    """A series in the table of all: what it is made of and whether it is there."""

    name: str
    specimen: str
    reference: str
    counts: dict[str, int]
    lacks: list[str]


@dataclass(frozen=True)
class ReferenceLine:
    """A reference in the table of references."""

    name: str
    kind: str
    description: str


def write_report(completed: CompletedUnits, plan: Plan, failures: Sequence[UnitFailed] = ()) -> Path:
    """Write a data set's `report.html`, and the distances in it as `realism.json`, each whole or not at all.

    Parameters
    ----------
    completed
        What is done. Series that are incomplete are shown as far as they go, and named.
    plan
        Of the data set.
    failures
        Units that failed for good in the run just ended; listed with their causes.

    Returns
    -------
    path
        Of the report.
    """
    spec = plan.spec
    lines = [_line(completed, series.name) for series in spec.series]
    classes = list(dict.fromkeys(name for line in lines for name in line.counts))
    shown = spec.series[:SERIES_IN_FULL]
    page = _template().render(
        name=spec.layout.root.name,
        facts=_facts(spec),
        units_done=sum(completed.counts().values()),
        units_total=sum(batch.count for batch in plan.batches),
        ended=completed.ended,
        hosts=sorted(completed.hosts),
        failures=failures,
        lines=lines,
        classes=classes,
        class_colours=dict(zip(classes, _repeated(CLASS_COLOURS, len(classes)), strict=True)),
        colours=COLOURS,
        references=[_reference_line(completed, name) for name in spec.references],
        timings=timings(completed, completed.done),
        sections=[report_series(completed, series) for series in shown],
        config=dump(spec.config),
        software=f"faket_dask {__version__}",
        picture_px=PICTURE_PX,
        spectrum_note=_spectrum_note(spec),
    )
    write_text(spec.layout.report, page)
    write_realism(completed, spec.layout.realism)
    return spec.layout.report


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(degrees=degrees, duration=_duration)
    text = files("faket_dask.report").joinpath("report.html").read_text(encoding="utf-8")
    return environment.from_string(text)


def _line(completed: CompletedUnits, name: str) -> Line:
    series = completed.spec.series_by_name[name]
    placed = completed.records.get(("place", series.specimen), {}).get(0)
    counts = dict(placed["findings"]["particles"]) if placed else {}
    lacks = [reason for key in series_items(completed, series) if (reason := why_missing(completed, *key))]
    return Line(name, series.specimen, series.reference, counts, lacks)


def _facts(spec: DatasetSpec) -> dict[str, str]:
    """What the data set is, in a few lines."""
    config = spec.config
    rows, columns = spec.tilt_shape
    acquisition = spec.acquisition(spec.specimens[0])
    pixel = acquisition.pixel_size_A
    depth, _, width = spec.volume_shape(spec.specimens[0])
    angles = acquisition.tilt_angles
    drawn = ", first of several that differ" if config.acquisition.varies or config.microscope.varies else ""
    facts = {
        "Series": f"{len(spec.series)}: {len(spec.specimens)} specimens × "
        f"{len(spec.paired_references)} references, pairing {config.pairing}",
        "Tilts": f"{angles.size} from {degrees(angles[0])} to {degrees(angles[-1])}{drawn}",
        "Detector": f"{columns} × {rows} pixels of {pixel:.4g} Å",
        "Specimen": f"{width} × {rows} × {depth} voxels, {depth * pixel / 10:.0f} nm thick"
        + ("" if isinstance(config.specimen, BuiltSpecimen) else ", from files"),
        "Kept": ", ".join(MODALITIES.kept(config.outputs.modalities)),
        "Noise": f"{config.noise.statistics} statistics, order {config.noise.order} over the tilt angle",
    }
    if "faket" in config.outputs.modalities:
        style = config.style
        facts["Style transfer"] = f"{style.transfer.describe()}, {style.pooling} pooling"
        facts["VGG-19 weights"] = f"{Path(style.weights).name}, sha256 {spec.inputs.weights_checksum[:12]}…"
    facts["Seed"] = str(config.dataset.seed)
    facts["Fingerprint"] = spec.fingerprint
    return facts


def _reference_line(completed: CompletedUnits, name: str) -> ReferenceLine:
    spec = completed.spec
    kind = spec.references[name].kind.replace("_", "-")
    if kind == "blend":
        parts = ", ".join(f"{weight:.0%} {part}" for part, weight in spec.parts(name))
        return ReferenceLine(name, kind, parts)
    angles = spec.reference_angles(name)
    recording = spec.inputs.recordings.get(name)
    shape = recording.shape[1:] if recording else spec.tilt_shape
    pixel = recording.pixel_size_A if recording else spec.reference_pixel_size_A(name)
    origin = f", sha256 {recording.checksum[:12]}…" if recording else ""
    return ReferenceLine(
        name,
        kind,
        f"{angles.size} tilts from {degrees(angles.min())} to {degrees(angles.max())}, "
        f"{shape[1]} × {shape[0]} pixels of {pixel:g} Å{origin}{_left_out(completed, name)}",
    )


def _left_out(completed: CompletedUnits, reference: str) -> str:
    """How much of a recorded reference's tilts was left out, and what says so."""
    section = completed.spec.references[reference]
    measured = completed.records.get(("measure", reference), {}).get(0)
    if not isinstance(section, TiltSeriesReference) or measured is None:
        return ""
    if section.mask == "none":
        return "; no pixels left out, as asked"
    what = f"by the mask {section.mask.name}" if isinstance(section.mask, Path) else "as artefacts and edges"
    return f"; {measured['findings']['masked']:.2%} of its pixels left out {what}"


def _spectrum_note(spec: DatasetSpec) -> str:
    whole = max(spec.tilt_shape) <= SPECTRUM_PX
    return "" if whole else f" (of their middle, {SPECTRUM_PX} pixels wide)"


def _repeated(values: Sequence[str], count: int) -> list[str]:
    return [values[index % len(values)] for index in range(count)]


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
