"""Picture of a run: bars of its stages, a heat map of series × tilts, and the latest tilt."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from faket_dask.engine.plan import Plan
from faket_dask.engine.stage import Preview
from faket_dask.engine.unit import Unit
from faket_dask.progress.grid import DONE, FAILED, WAITING, ProgressGrid
from faket_dask.progress.run_state import RunState
from faket_dask.report.figures import grey_levels
from faket_dask.report.gallery import average_blocks

COLOURS = {WAITING: "#eceef1", DONE: "#0072b2", FAILED: "#d55e00"}
"""Colours of states, from Okabe and Ito's palette, distinguishable with any colour vision."""

MILESTONE_COLOURS = ("#cfe3f3", "#8fc1e3", "#f2c14e", "#e69f00", "#009e73", "#cc79a7")
"""Colours of the milestones in turn."""

PREVIEW_PX = 320
"""Longest side of a preview, about."""

NAMED_ROWS = 14
"""Largest number of series whose names are written beside the heat map."""

_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.edgecolor": "#9aa1ab",
    "xtick.color": "#3d434c",
    "ytick.color": "#3d434c",
}


def read_preview(plan: Plan[Any], unit: Unit) -> Preview | None:
    """Read the image that a unit made, at reduced size; ``None`` if it made none, or it cannot be read now."""
    try:
        preview = plan.stage(unit.stage).read_preview(plan.spec, unit.item, unit.index)
    except (OSError, ValueError):
        return None
    if preview is None:
        return None
    factor = max(1, round(max(preview.image.shape) / PREVIEW_PX))
    return replace(preview, image=grey_levels(average_blocks(preview.image, factor)))


def draw(state: RunState, preview: Preview | None, *, summary: bool = False) -> bytes:
    """Draw the picture as a PNG.

    Parameters
    ----------
    state
        State of the run, which must have begun.
    preview
        Latest tilt, if there is one.
    summary
        Write the summary above the picture.
    """
    assert state.started is not None
    grid = state.grid
    rows = len(grid.products)
    height = float(np.clip(1.1 + 0.16 * max(rows, 1.1 * len(state.stages)), 2.3, 5.0))
    top = 0.5 if summary else 0.28
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(10.0, height + top), dpi=110)
        FigureCanvasAgg(figure)
        bottom, share = 0.62 / (height + top), (height - 0.62) / (height + top)
        _draw_stages(figure.add_axes((0.075, bottom, 0.16, share)), state)
        _draw_grid(figure.add_axes((0.435, bottom, 0.295, share)), grid, state.started.plan)
        if preview is not None:
            _draw_preview(figure.add_axes((0.75, 0.04, 0.245, bottom + share - 0.04)), preview)
        handles = [Patch(color=colour, label=label) for label, colour in _state_colours(grid).items()]
        figure.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(0.06, 0.0),
            ncols=6,
            frameon=False,
            handlelength=1,
            columnspacing=1.2,
        )
        if summary:
            figure.text(0.005, 0.985, state.summary(), va="top", fontsize=9.5)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _draw_stages(axes: Axes, state: RunState) -> None:
    names = list(state.stages)
    places = np.arange(len(names))
    shares = np.array([stage.done / stage.total for stage in state.stages.values()])
    axes.barh(places, 1.0, color=COLOURS[WAITING], height=0.72)
    axes.barh(places, shares, color=COLOURS[DONE], height=0.72)
    for place, stage in enumerate(state.stages.values()):
        axes.text(1.03, place, f"{stage.done}/{stage.total}", va="center", fontsize=7.5)
    axes.set_yticks(places, names)
    axes.set_xticks([])
    axes.set_xlim(0, 1)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title("units by stage", fontsize=8, loc="left")


def _state_colours(grid: ProgressGrid) -> dict[str, str]:
    milestones = zip(grid.labels[1:-2], itertools.cycle(MILESTONE_COLOURS), strict=False)
    colours = COLOURS | dict(milestones)
    return {label: colours[label] for label in grid.labels}


def _draw_grid(axes: Axes, grid: ProgressGrid, plan: Plan[Any]) -> None:
    colours = list(_state_colours(grid).values())
    states = np.ma.masked_array(grid.states, grid.absent)
    rows, units = grid.states.shape
    axes.set_title(
        f"{rows} {plan.pipeline.product_name} × {units} {plan.pipeline.unit_name}", fontsize=8, loc="left"
    )
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if not states.size:
        axes.set_axis_off()
        return
    axes.imshow(
        states,
        cmap=ListedColormap(colours),
        vmin=-0.5,
        vmax=len(colours) - 0.5,
        aspect="auto",
        interpolation="nearest",
    )
    if rows <= NAMED_ROWS:
        axes.set_yticks(range(rows), [_shorten(str(item)) for item in grid.products], fontsize=7)
        axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    else:
        axes.set_ylabel(plan.pipeline.product_name)
    if units <= 80:
        axes.set_xticks(np.arange(units + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.6)
    labelled = sorted({0, units // 2, units - 1})
    labels = _label_units(plan)
    axes.set_xticks(labelled, [str(unit + 1) if labels is None else labels[unit] for unit in labelled])


def _label_units(plan: Plan[Any]) -> list[str] | None:
    """Return the labels of the products' units, if all products share them."""
    labels = [list(plan.stage(b.stage).unit_labels(plan.spec, b.item)) for b in plan.products]
    return labels[0] if all(other == labels[0] for other in labels) else None


def _draw_preview(axes: Axes, preview: Preview) -> None:
    axes.imshow(preview.image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    axes.set_title(preview.title, fontsize=7.5, loc="left")
    axes.set_anchor("N")
    axes.set_axis_off()


def _shorten(name: str, length: int = 26) -> str:
    return name if len(name) <= length else f"{name[: length // 2 - 1]}…{name[-length // 2 :]}"
