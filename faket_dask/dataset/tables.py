"""What notebooks show of a plan and of a data set: plain HTML tables, which code hosts show, too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from faket_dask.cluster.requirements import GIB

if TYPE_CHECKING:
    from faket_dask.dataset.handle import Dataset
    from faket_dask.dataset.plan import Plan

ROWS_SHOWN = 10


def plan_table(plan: Plan) -> str:
    """Units of work by stage, and what they cost."""
    blueprint = plan.blueprint
    requirements = plan.requirements()
    body = [
        (
            stage.stage,
            stage.units,
            f"{stage.bytes_per_task / GIB:.2f} GiB",
            f"{stage.seconds_per_task:.2g} s",
            f"{stage.bytes_written / GIB:.3f} GiB",
        )
        for stage in requirements.stages
    ]
    total = (
        "all",
        requirements.units,
        f"{requirements.bytes_per_task / GIB:.2f} GiB",
        f"{requirements.core_seconds:.0f} s on one core",
        f"{requirements.bytes_written / GIB:.3f} GiB",
    )
    return _table(
        f"{len(blueprint.series)} series of {blueprint.stack_text} (tilts x y x x)",
        ("stage", "units", "memory per task", "time per task", "written"),
        [*body, total],
    )


def dataset_table(dataset: Dataset) -> str:
    """The series of a data set, and what failed when it was made."""
    blueprint = dataset.blueprint
    kept = ", ".join(dict.fromkeys(("noiseless", *blueprint.config.outputs.modalities)))
    shown = [(s.name, s.specimen, s.reference) for s in blueprint.series[:ROWS_SHOWN]]
    more = len(blueprint.series) - len(shown)
    table = _table(
        f"{dataset.folder.name}: {len(blueprint.series)} series of {blueprint.stack_text} "
        f"(tilts x y x x); {kept}",
        ("series", "specimen", "reference"),
        [*shown, *([(f"and {more} more", "", "")] if more else [])],
    )
    failures = [f"<b>failed</b> {escape(f'{f.unit}: {f.cause}')}" for f in dataset.failures[:ROWS_SHOWN]]
    return "<br>".join([table, *failures])


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    return f"<p>{escape(caption)}</p><table><thead><tr>{_cells('th', head)}</tr></thead><tbody>{body}</tbody></table>"


def _cells(tag: str, values: Sequence[object]) -> str:
    return "".join(f"<{tag}>{escape(str(value))}</{tag}>" for value in values)
