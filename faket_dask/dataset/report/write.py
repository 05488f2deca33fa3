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
from faket_dask.config import BuiltSpecimen, TiltSeriesReference, dump
from faket_dask.dataset.blueprint import Blueprint
from faket_dask.dataset.events import UnitFailed
from faket_dask.dataset.ledger import Ledger
from faket_dask.dataset.plan import Plan
from faket_dask.dataset.presence import lack
from faket_dask.dataset.report.figures import CLASS_COLOURS, COLOURS
from faket_dask.dataset.report.gallery import PICTURE_PX
from faket_dask.dataset.report.realism import write_realism
from faket_dask.dataset.report.series import SPECTRUM_PX, degrees, report_series, series_items, timings
from faket_dask.formats.files import write_text

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


def write_report(ledger: Ledger, plan: Plan, failures: Sequence[UnitFailed] = ()) -> Path:
    """Write a data set's `report.html`, and the distances in it as `realism.json`, each whole or not at all.

    Parameters
    ----------
    ledger
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
    blueprint = plan.blueprint
    lines = [_line(ledger, series.name) for series in blueprint.series]
    classes = list(dict.fromkeys(name for line in lines for name in line.counts))
    shown = blueprint.series[:SERIES_IN_FULL]
    page = _template().render(
        name=blueprint.layout.root.name,
        facts=_facts(blueprint),
        units_done=sum(ledger.counts().values()),
        units_total=sum(batch.count for batch in plan.batches),
        ended=ledger.ended,
        hosts=sorted(ledger.hosts),
        failures=failures,
        lines=lines,
        classes=classes,
        class_colours=dict(zip(classes, _repeated(CLASS_COLOURS, len(classes)), strict=True)),
        colours=COLOURS,
        references=[_reference_line(ledger, name) for name in blueprint.references],
        timings=timings(ledger, ledger.done),
        sections=[report_series(ledger, series) for series in shown],
        config=dump(blueprint.config),
        software=f"faket_dask {__version__}",
        picture_px=PICTURE_PX,
        spectrum_note=_spectrum_note(blueprint),
    )
    write_text(blueprint.layout.report, page)
    write_realism(ledger, blueprint.layout.realism)
    return blueprint.layout.report


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(degrees=degrees, duration=_duration)
    text = files("faket_dask.dataset.report").joinpath("report.html").read_text(encoding="utf-8")
    return environment.from_string(text)


def _line(ledger: Ledger, name: str) -> Line:
    series = ledger.blueprint.series_by_name[name]
    placed = ledger.records.get(("place", series.specimen), {}).get(0)
    counts = dict(placed["findings"]["particles"]) if placed else {}
    lacks = [reason for key in series_items(ledger, series) if (reason := lack(ledger, *key))]
    return Line(name, series.specimen, series.reference, counts, lacks)


def _facts(blueprint: Blueprint) -> dict[str, str]:
    """What the data set is, in a few lines."""
    config = blueprint.config
    rows, columns = blueprint.tilt_shape
    acquisition = blueprint.acquisition(blueprint.specimens[0])
    pixel = acquisition.pixel_size_A
    depth, _, width = blueprint.volume_shape(blueprint.specimens[0])
    angles = acquisition.tilt_angles
    drawn = ", first of several that differ" if config.acquisition.varies or config.microscope.varies else ""
    facts = {
        "Series": f"{len(blueprint.series)}: {len(blueprint.specimens)} specimens × "
        f"{len(blueprint.paired_references)} references, pairing {config.pairing}",
        "Tilts": f"{angles.size} from {degrees(angles[0])} to {degrees(angles[-1])}{drawn}",
        "Detector": f"{columns} × {rows} pixels of {pixel:.4g} Å",
        "Specimen": f"{width} × {rows} × {depth} voxels, {depth * pixel / 10:.0f} nm thick"
        + ("" if isinstance(config.specimen, BuiltSpecimen) else ", from files"),
        "Kept": ", ".join(dict.fromkeys(("noiseless", *config.outputs.modalities))),
        "Noise": f"{config.noise.statistics} statistics, order {config.noise.order} over the tilt angle",
    }
    if "faket" in config.outputs.modalities:
        style = config.style
        unit = "" if style.step_unit == "absolute" else " standard deviations"
        steps = (
            f"matched, at most {style.evaluations} evaluations"
            if style.method == "matched"
            else f"{style.iterations} iteration{'s' if style.iterations > 1 else ''}, step {style.step_size:g}{unit}"
        )
        facts["Style transfer"] = f"{steps}, {style.pooling} pooling"
        facts["VGG-19 weights"] = (
            f"{Path(style.weights).name}, sha256 {blueprint.inputs.weights_checksum[:12]}…"
        )
    facts["Seed"] = str(config.dataset.seed)
    facts["Fingerprint"] = blueprint.fingerprint
    return facts


def _reference_line(ledger: Ledger, name: str) -> ReferenceLine:
    blueprint = ledger.blueprint
    kind = blueprint.references[name].kind.replace("_", "-")
    if kind == "blend":
        parts = ", ".join(f"{weight:.0%} {part}" for part, weight in blueprint.parts(name))
        return ReferenceLine(name, kind, parts)
    angles = blueprint.reference_angles(name)
    recording = blueprint.inputs.recordings.get(name)
    shape = recording.shape[1:] if recording else blueprint.tilt_shape
    pixel = recording.pixel_size_A if recording else blueprint.reference_pixel_size_A(name)
    origin = f", sha256 {recording.checksum[:12]}…" if recording else ""
    return ReferenceLine(
        name,
        kind,
        f"{angles.size} tilts from {degrees(angles.min())} to {degrees(angles.max())}, "
        f"{shape[1]} × {shape[0]} pixels of {pixel:g} Å{origin}{_left_out(ledger, name)}",
    )


def _left_out(ledger: Ledger, reference: str) -> str:
    """How much of a recorded reference's tilts was left out, and what says so."""
    section = ledger.blueprint.references[reference]
    measured = ledger.records.get(("measure", reference), {}).get(0)
    if not isinstance(section, TiltSeriesReference) or measured is None:
        return ""
    if section.mask == "none":
        return "; no pixels left out, as asked"
    what = f"by the mask {section.mask.name}" if isinstance(section.mask, Path) else "as artefacts and edges"
    return f"; {measured['findings']['masked']:.2%} of its pixels left out {what}"


def _spectrum_note(blueprint: Blueprint) -> str:
    whole = max(blueprint.tilt_shape) <= SPECTRUM_PX
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
