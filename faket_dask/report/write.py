"""Report of a run: contents of the data set, pictures and charts of its series, and computing times.

`report.html` is one file with its pictures and charts inside. All series are in its table; the first few are shown in
full, so that the page stays readable for a data set of any size.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import jinja2
from dask.utils import format_time

from faket_dask._version import __version__
from faket_dask.config import BuiltSpecimen, TiltSeriesReference, dump
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.events import UnitFailed
from faket_dask.engine.presence import why_missing
from faket_dask.formats.files import write_text
from faket_dask.modalities import MODALITIES
from faket_dask.pipeline.plan import Plan
from faket_dask.report.figures import CLASS_COLOURS, COLOURS
from faket_dask.report.gallery import PICTURE_PX
from faket_dask.report.realism import write_realism
from faket_dask.report.series import SPECTRUM_PX, format_angle, report_series, series_items, sum_timings

SERIES_IN_FULL = 12
"""Number of series that are shown with pictures and charts, about a megabyte each."""


@dataclass(frozen=True)
class Line:
    """Row of the table of series; `missing` lists reasons why it is incomplete."""

    name: str
    specimen: str
    reference: str
    counts: dict[str, int]
    missing: list[str]


@dataclass(frozen=True)
class ReferenceLine:
    """Row of the table of references."""

    name: str
    kind: str
    description: str


def write_report(completed: CompletedUnits, plan: Plan, failures: Sequence[UnitFailed] = ()) -> Path:
    """Write a data set's `report.html`, and the distances in it as `realism.json`, atomically.

    Parameters
    ----------
    completed
        Completed units. Incomplete series are shown as far as they are complete, and named.
    plan
        Plan of the data set.
    failures
        Units that failed for good in the run just ended; listed with their causes.

    Returns
    -------
    path
        Path of the report.
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
        class_colours=dict(zip(classes, itertools.cycle(CLASS_COLOURS), strict=False)),
        colours=COLOURS,
        references=[_reference_line(completed, name) for name in spec.references],
        timings=sum_timings(completed, completed.done),
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
    environment.filters.update(angle=format_angle, duration=format_time)
    text = files("faket_dask.report").joinpath("report.html").read_text(encoding="utf-8")
    return environment.from_string(text)


def _line(completed: CompletedUnits, name: str) -> Line:
    series = completed.spec.series_by_name[name]
    placed = completed.records.get(("place", series.specimen), {}).get(0)
    counts = dict(placed["findings"]["particles"]) if placed else {}
    missing = [reason for key in series_items(completed, series) if (reason := why_missing(completed, *key))]
    return Line(name, series.specimen, series.reference, counts, missing)


def _facts(spec: DatasetSpec) -> dict[str, str]:
    """Return the properties of the data set, a line of text each."""
    config = spec.config
    rows, columns = spec.tilt_shape
    acquisition = spec.acquisition(spec.specimens[0])
    pixel = acquisition.pixel_size_A
    depth, _, width = spec.volume_shape(spec.specimens[0])
    angles = acquisition.tilt_angles
    varies = config.acquisition.varies or config.microscope.varies
    voxels = f"{width} × {rows} × {depth} voxels, {depth * pixel / 10:.0f} nm thick"
    tilts = f"{angles.size} from {format_angle(angles[0])} to {format_angle(angles[-1])}"
    facts = {
        "Series": f"{len(spec.series)}: {len(spec.specimens)} specimens × "
        f"{len(spec.paired_references)} references, pairing {config.pairing}",
        "Tilts": f"{tilts}, first of several that differ" if varies else tilts,
        "Detector": f"{columns} × {rows} pixels of {pixel:.4g} Å",
        "Specimen": voxels if isinstance(config.specimen, BuiltSpecimen) else f"{voxels}, from files",
        "Kept": ", ".join(MODALITIES.kept(config.outputs.modalities)),
        "Noise": f"{config.noise.statistics} statistics, order {config.noise.order} over the tilt angle",
    }
    if "faket" in config.outputs.modalities:
        facts["Style transfer"] = f"{config.style.transfer.describe()}, {config.style.pooling} pooling"
        facts["VGG-19 weights"] = (
            f"{Path(config.style.weights).name}, sha256 {spec.inputs.weights_checksum[:12]}…"
        )
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
        f"{angles.size} tilts from {format_angle(angles.min())} to {format_angle(angles.max())}, "
        f"{shape[1]} × {shape[0]} pixels of {pixel:g} Å{origin}{_describe_mask(completed, name)}",
    )


def _describe_mask(completed: CompletedUnits, reference: str) -> str:
    """Describe the excluded pixels of a recorded reference."""
    section = completed.spec.references[reference]
    measured = completed.records.get(("measure", reference), {}).get(0)
    if not isinstance(section, TiltSeriesReference) or measured is None:
        return ""
    if section.mask == "none":
        return "; no pixels excluded, as requested"
    excluded = f"{measured['findings']['masked']:.2%} of its pixels excluded"
    if isinstance(section.mask, Path):
        return f"; {excluded} by the mask {section.mask.name}"
    return f"; {excluded} as artefacts and edges"


def _spectrum_note(spec: DatasetSpec) -> str:
    whole = max(spec.tilt_shape) <= SPECTRUM_PX
    return "" if whole else f" (of their middle, {SPECTRUM_PX} pixels wide)"
