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
from faket_dask.progress.grid import ProgressGrid
from faket_dask.progress.run_state import RunState
from faket_dask.report.figures import grey_levels
from faket_dask.report.gallery import average_blocks

WAITING_COLOUR, DONE_COLOUR, FAILED_COLOUR = "#eceef1", "#0072b2", "#d55e00"
"""Colours of Okabe and Ito's palette, distinguishable with any colour vision."""

MILESTONE_COLOURS = ("#cfe3f3", "#8fc1e3", "#f2c14e")
"""Colours of milestones in order, paler for less progress; reused when there are more milestones."""

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
    """Read the image that a unit made, at reduced size; ``None`` if it cannot be read now."""
    try:
        preview = plan.stage(unit.stage).read_preview(plan.spec, unit.item, unit.index)
    except (OSError, ValueError):
        return None
    if preview is None:
        return None
    factor = max(1, round(max(preview.image.shape) / PREVIEW_PX))
    return replace(preview, image=grey_levels(average_blocks(preview.image, factor)))


def state_colours(grid: ProgressGrid) -> list[str]:
    """Return the colour of each state of a grid."""
    milestones = itertools.islice(itertools.cycle(MILESTONE_COLOURS), len(grid.labels) - 3)
    return [WAITING_COLOUR, *milestones, DONE_COLOUR, FAILED_COLOUR]


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
    grid = state.grid
    rows = len(grid.names)
    height = float(np.clip(1.1 + 0.16 * max(rows, 1.1 * len(state.stages)), 2.3, 5.0))
    top = 0.5 if summary else 0.28
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(10.0, height + top), dpi=110)
        FigureCanvasAgg(figure)
        bottom, share = 0.62 / (height + top), (height - 0.62) / (height + top)
        _draw_stages(figure.add_axes((0.075, bottom, 0.16, share)), state)
        _draw_grid(figure.add_axes((0.435, bottom, 0.295, share)), grid)
        if preview is not None:
            _draw_preview(figure.add_axes((0.75, 0.04, 0.245, bottom + share - 0.04)), preview)
        handles = [
            Patch(color=colour, label=label)
            for colour, label in zip(state_colours(grid), grid.labels, strict=True)
        ]
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
    axes.barh(places, 1.0, color=WAITING_COLOUR, height=0.72)
    axes.barh(places, shares, color=DONE_COLOUR, height=0.72)
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


def _draw_grid(axes: Axes, grid: ProgressGrid) -> None:
    colours = ListedColormap(state_colours(grid))
    states = np.ma.masked_array(grid.states, grid.absent)
    axes.imshow(
        states, cmap=colours, vmin=-0.5, vmax=len(grid.labels) - 0.5, aspect="auto", interpolation="nearest"
    )
    rows, tilts = grid.states.shape
    if rows <= NAMED_ROWS:
        axes.set_yticks(range(rows), [_short(name) for name in grid.names], fontsize=7)
        axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    else:
        axes.set_ylabel(grid.product_name)
    if tilts <= 80:
        axes.set_xticks(np.arange(tilts + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    shown = sorted({0, tilts // 2, tilts - 1})
    if tilts and all(labels == grid.unit_labels[0] for labels in grid.unit_labels):
        axes.set_xticks(shown, [grid.unit_labels[0][tilt] for tilt in shown])
    else:
        axes.set_xticks(shown, [str(tilt + 1) for tilt in shown])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(f"{rows} {grid.product_name} × {tilts} {grid.unit_name}", fontsize=8, loc="left")


def _draw_preview(axes: Axes, preview: Preview) -> None:
    axes.imshow(preview.image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    axes.set_title(preview.title, fontsize=7.5, loc="left")
    axes.set_anchor("N")
    axes.set_axis_off()


def _short(name: str, length: int = 26) -> str:
    return name if len(name) <= length else f"{name[: length // 2 - 1]}…{name[-length // 2 :]}"
