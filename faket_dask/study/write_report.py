"""Report of a study: one page with its figures inside, and a table of all scores."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import jinja2
from dask.utils import format_bytes

from faket_dask._version import __version__
from faket_dask.atomic import write_text
from faket_dask.config.study import Selection, StudyConfig, dump_study
from faket_dask.durations import format_duration
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.events import UnitFailed
from faket_dask.errors import FaketDaskError
from faket_dask.pickers.training_stage import estimate_memory
from faket_dask.report.figures import CLASS_COLOURS
from faket_dask.study.charts import colour_models, draw_classes, draw_confusion, draw_epochs
from faket_dask.study.leaks import PUBLISHED_WARNING
from faket_dask.study.picking_stage import PickParticles
from faket_dask.study.pictures import Slice, draw_slice
from faket_dask.study.results import StudyResults
from faket_dask.study.spec import Role, StudySpec
from faket_dask.study.table import list_comparisons, list_rows, write_table


def write_study_report(completed: CompletedUnits, failures: Sequence[UnitFailed] = ()) -> Path:
    """Write a study's `report.html` and `table.csv` from the scores that are there, atomically.

    Parameters
    ----------
    completed
        Complete units of the study.
    failures
        Units that failed for good in the run just ended.

    Returns
    -------
    path
        Path of the report.
    """
    spec: StudySpec = completed.plan.spec
    results = StudyResults.read(completed)
    entries = list(spec.config.models)
    colours = colour_models(entries)
    tests = {entry: group for entry in entries if (group := results.test_scores(entry))}
    curves = {entry: found for entry in entries if (found := results.collect_histories(entry)) is not None}
    classes = list(dict.fromkeys(name for size in spec.sizes.models.values() for name in size.class_names))
    page = _template().render(
        name=spec.root.name,
        facts=_list_facts(spec),
        units_done=sum(completed.counts().values()),
        units_total=sum(batch.count for batch in completed.plan.batches),
        ended=completed.ended,
        hosts=sorted(completed.hosts),
        failures=failures,
        warning=PUBLISHED_WARNING if spec.config.selection is Selection.PUBLISHED else "",
        rows=list_rows(results, completed),
        comparisons=list_comparisons(results),
        scorer=spec.config.scorer.kind,
        colours=colours,
        class_colours=dict(zip(classes, itertools.cycle(CLASS_COLOURS), strict=False)),
        epochs=draw_epochs(curves, colours) if curves else None,
        classes=draw_classes(tests, colours) if tests else None,
        confusions={entry: draw_confusion(group) for entry, group in tests.items()},
        slices=_draw_slices(completed),
        class_names=classes,
        config=dump_study(spec.config),
        software=f"faket_dask {__version__}",
    )
    write_text(spec.report, page)
    write_table(results, spec.table)
    return spec.report


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(duration=format_duration, figure=_format_figure)
    shared = files("faket_dask.report").joinpath("report.html").read_text(encoding="utf-8")
    text = files("faket_dask.study").joinpath("report.html").read_text(encoding="utf-8")
    style = shared[shared.index("<style>") : shared.index("</style>") + len("</style>")]
    return environment.from_string(text.replace("<style></style>", style))


def _format_figure(value: float) -> str:
    """Return a score with three digits, or a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.3f}".replace("-", "−")


def _list_facts(spec: StudySpec) -> dict[str, str]:
    config: StudyConfig = spec.config
    training = config.training
    memory = max(estimate_memory(model.section) for model in spec.models.values())
    tests = sum(one.role is Role.TEST for one in spec.scored)
    return {
        "Models": ", ".join(config.models),
        "Seeds": ", ".join(map(str, config.seeds)),
        "Tomograms": f"{tests} of the test, {len(spec.scored) - tests} of the validation, voxels of "
        f"{spec.sizes.voxel_size_A:g} Å",
        "Network": f"{training.network}, width {training.width:g}, patches of {training.patch}³",
        "Memory of a training": f"{format_bytes(memory)} per process, planned",
        "Epoch that picks": f"by {config.selection}",
        "Picks": f"{config.picking.clustering}, scorer {config.scorer.kind}",
        "Fingerprint": spec.fingerprint,
    }


def _draw_slices(completed: CompletedUnits) -> list[Slice]:
    """Draw the first test tomogram with the picks of each model's first seed."""
    spec: StudySpec = completed.plan.spec
    slices = []
    for entry in spec.config.models:
        first = next(
            (
                result
                for result in spec.results
                if result.entry == entry
                and result.tomogram.role is Role.TEST
                and completed.has(PickParticles.name, result.item)
            ),
            None,
        )
        if first is not None:
            with suppress(FaketDaskError):  # the scores outlive the data sets, which may be gone by now
                slices.append(draw_slice(spec, first))
    return slices
