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

from faket_dask._version import __version__
from faket_dask.atomic import write_text
from faket_dask.config import BuiltSpecimen, TiltSeriesReference, dump
from faket_dask.config.acquisition import ends
from faket_dask.config.signal import DrawnCtf
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.durations import format_duration
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.events import UnitFailed
from faket_dask.engine.plan import Plan
from faket_dask.engine.unit import Item
from faket_dask.geometry import format_tilt_angle
from faket_dask.modalities import MODALITIES
from faket_dask.pipeline.build import PlaceParticles
from faket_dask.pipeline.reference import MeasureStatistics
from faket_dask.references import open_reference
from faket_dask.report.figures import CLASS_COLOURS, COLOURS
from faket_dask.report.gallery import PICTURE_PX
from faket_dask.report.realism import write_realism
from faket_dask.report.series import SPECTRUM_PX, list_batches, report_series, sum_timings

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


def write_report(
    completed: CompletedUnits, plan: Plan[DatasetSpec], failures: Sequence[UnitFailed] = ()
) -> Path:
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
        name=spec.folder.root.name,
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
        timings=sum_timings(completed, completed.batches),
        sections=[report_series(completed, series) for series in shown],
        config=dump(spec.config),
        software=f"faket_dask {__version__}",
        picture_px=PICTURE_PX,
        spectrum_note=_spectrum_note(spec),
    )
    write_text(spec.folder.report, page)
    write_realism(completed, spec.folder.realism)
    return spec.folder.report


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(angle=format_tilt_angle, duration=format_duration)
    text = files("faket_dask.report").joinpath("report.html").read_text(encoding="utf-8")
    return environment.from_string(text)


def _line(completed: CompletedUnits, name: str) -> Line:
    series = completed.plan.spec.series_by_name[name]
    placed = completed.read_markers(PlaceParticles.name, Item(series.specimen)).get(0)
    counts = dict(placed.findings["particles"]) if placed else {}
    missing = [reason for key in list_batches(completed, series) if (reason := completed.why_missing(*key))]
    return Line(name, series.specimen, series.reference, counts, missing)


def _facts(spec: DatasetSpec) -> dict[str, str]:
    """Return the properties of the data set, a line of text each."""
    config = spec.config
    rows, columns = spec.geometry.tilt_shape
    acquisition = spec.geometry.acquisition(spec.specimens[0])
    pixel = acquisition.pixel_size_A
    depth, _, width = spec.geometry.volume_shape(spec.specimens[0])
    angles = acquisition.tilt_angles
    varies = config.acquisition.varies or config.microscope.varies
    voxels = f"{width} × {rows} × {depth} voxels, {depth * pixel / 10:.0f} nm thick"
    tilts = f"{angles.size} from {format_tilt_angle(angles[0])} to {format_tilt_angle(angles[-1])}"
    facts = {
        "Series": f"{len(spec.series)}: {len(spec.specimens)} specimens × "
        f"{len(spec.paired_references)} references, pairing {config.pairing}"
        if spec.paired_references
        else f"{len(spec.series)} specimens without references",
        "Tilts": f"{tilts}, first of several that differ" if varies else tilts,
        "Detector": f"{columns} × {rows} pixels of {pixel:.4g} Å",
        "Specimen": voxels if isinstance(config.specimen, BuiltSpecimen) else f"{voxels}, from files",
        "Kept": ", ".join(MODALITIES.kept(config.outputs.modalities)),
    }
    if spec.makes_series:
        facts["Signal"] = _describe_signal(spec)
        facts["Noise"] = _describe_noise(spec)
    if "faket" in config.outputs.modalities:
        style = config.style
        facts["Style transfer"] = f"{style.transfer.describe()}, {style.pooling} pooling"
        facts["VGG-19 weights"] = f"{Path(style.weights).name}, sha256 {spec.inputs.weights_checksum[:12]}…"
    facts["Seed"] = str(config.dataset.seed)
    facts["Fingerprint"] = spec.fingerprint
    return facts


def _describe_signal(spec: DatasetSpec) -> str:
    """Describe what the signal of synthetic tilts has passed through, and what it holds beside the specimen."""
    ctf = spec.config.signal.ctf
    if isinstance(ctf, DrawnCtf):
        low, high = ends(ctf.defocus_um)
        transfer = (
            f"contrast transfer at {low:g} µm"
            if low == high
            else f"contrast transfer at {low:g} … {high:g} µm"
        )
    else:
        transfer = (
            "contrast transfer of the reference"
            if spec.config.signal.is_transferred
            else "no contrast transfer"
        )
    matter = "the matter that the reference's tilts share" if spec.shares_background else "nothing"
    return f"{transfer}; beside the specimen, tilts share {matter}"


def _describe_noise(spec: DatasetSpec) -> str:
    section = spec.config.noise
    if section.statistics != "physical":
        return f"{section.statistics} statistics, order {section.order} over the tilt angle"
    intensity = "the mean" if section.intensity == "mean" else "the intensity that counts the noise"
    factor = "" if section.contrast_factor == 1 else f", times {section.contrast_factor:g}"
    return f"physical statistics, contrast a share of {intensity} of each tilt{factor}"


def _reference_line(completed: CompletedUnits, name: str) -> ReferenceLine:
    spec: DatasetSpec = completed.plan.spec
    kind = spec.references[name].kind.replace("_", "-")
    if kind == "blend":
        parts = ", ".join(f"{weight:.0%} {part}" for part, weight in spec.blend_weights(name).items())
        return ReferenceLine(name, kind, parts)
    reference, recording = open_reference(spec, name), spec.inputs.recordings.get(name)
    angles = reference.tilt_angles
    shape = recording.shape[1:] if recording else reference.shape
    pixel = recording.pixel_size_A if recording else reference.pixel_size_A
    origin = f", sha256 {recording.checksum[:12]}…" if recording else ""
    return ReferenceLine(
        name,
        kind,
        f"{angles.size} tilts from {format_tilt_angle(angles.min())} to {format_tilt_angle(angles.max())}, "
        f"{shape[1]} × {shape[0]} pixels of {pixel:g} Å{_describe_exclusion(spec, name)}{origin}"
        f"{_describe_mask(completed, name)}",
    )


def _describe_exclusion(spec: DatasetSpec, reference: str) -> str:
    """Describe the tilts of a recorded reference that the run file leaves out."""
    section = spec.references[reference]
    if not isinstance(section, TiltSeriesReference):
        return ""
    views = ", ".join(map(str, section.exclude))
    angles = ", ".join(format_tilt_angle(angle) for angle in section.exclude_angles)
    parts = [*([f"views {views}"] if views else []), *([f"angles {angles}"] if angles else [])]
    return f", without {' and '.join(parts)}" if parts else ""


def _describe_mask(completed: CompletedUnits, reference: str) -> str:
    """Describe the excluded pixels of a recorded reference."""
    section = completed.plan.spec.references[reference]
    measured = completed.read_markers(MeasureStatistics.name, Item(reference)).get(0)
    if not isinstance(section, TiltSeriesReference) or measured is None:
        return ""
    if section.mask == "none":
        return "; no pixels excluded, as requested"
    excluded = f"{measured.findings['excluded']:.2%} of its pixels excluded"
    if isinstance(section.mask, Path):
        return f"; {excluded} by the mask {section.mask.name}"
    return f"; {excluded} as artefacts and edges"


def _spectrum_note(spec: DatasetSpec) -> str:
    whole = max(spec.geometry.tilt_shape) <= SPECTRUM_PX
    return "" if whole else f" (of their middle, {SPECTRUM_PX} pixels wide)"
