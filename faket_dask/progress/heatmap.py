"""Picture of a run: bars of its stages, a heat map of series × tilts, and the latest tilt."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_tilt
from faket_dask.engine.unit import Unit
from faket_dask.modalities import MODALITIES, Owner
from faket_dask.progress.grid import ProgressGrid, State
from faket_dask.progress.run_state import RunState
from faket_dask.report.figures import grey_levels
from faket_dask.report.gallery import average_blocks
from faket_dask.report.series import format_angle

COLOURS = {
    State.WAITING: "#eceef1",
    State.BUILT: "#cfe3f3",
    State.PROJECTED: "#8fc1e3",
    State.READY: "#f2c14e",
    State.DONE: "#0072b2",
    State.FAILED: "#d55e00",
}
"""Colours of Okabe and Ito's palette, distinguishable with any colour vision; paler for less progress."""

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


@dataclass(frozen=True, eq=False)
class Preview:
    """Tilt at reduced size.

    Parameters
    ----------
    image
        ``(y, x)`` uint8 grey levels.
    title
        Modality, series and tilt angle.
    """

    image: NDArray[np.uint8]
    title: str


def read_preview(spec: DatasetSpec, unit: Unit) -> Preview | None:
    """Read the tilt that a unit of a series made; ``None`` if it cannot be read now."""
    made = set(MODALITIES.select(Owner.SERIES)) & set(spec.config.outputs.modalities)
    modality = next((name for name in reversed(MODALITIES.names) if name in made), None)
    if modality is None:
        return None
    try:
        tilt = read_tilt(spec.layout.series(unit.item), modality, unit.index)
    except (OSError, ValueError):
        return None
    factor = max(1, round(max(tilt.shape) / PREVIEW_PX))
    angle = format_angle(float(spec.acquisition(unit.item).tilt_angles[unit.index]))
    return Preview(grey_levels(average_blocks(tilt, factor)), f"{modality} of {unit.item}, {angle}")


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
    rows = len(grid.series)
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
        handles = [Patch(color=COLOURS[kind], label=kind.label) for kind in State]
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
    axes.barh(places, 1.0, color=COLOURS[State.WAITING], height=0.72)
    axes.barh(places, shares, color=COLOURS[State.DONE], height=0.72)
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
    colours = ListedColormap([COLOURS[kind] for kind in State])
    states = np.ma.masked_array(grid.states, grid.absent)
    axes.imshow(
        states, cmap=colours, vmin=-0.5, vmax=len(State) - 0.5, aspect="auto", interpolation="nearest"
    )
    rows, tilts = grid.states.shape
    if rows <= NAMED_ROWS:
        axes.set_yticks(range(rows), [_short(name) for name in grid.series], fontsize=7)
        axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    else:
        axes.set_ylabel("series")
    if tilts <= 80:
        axes.set_xticks(np.arange(tilts + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    shown = sorted({0, tilts // 2, tilts - 1})
    if all(np.array_equal(angles, grid.tilt_angles[0]) for angles in grid.tilt_angles):
        axes.set_xticks(shown, [format_angle(float(grid.tilt_angles[0][tilt])) for tilt in shown])
    else:
        axes.set_xticks(shown, [str(tilt + 1) for tilt in shown])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(f"{rows} series × {tilts} tilts", fontsize=8, loc="left")


def _draw_preview(axes: Axes, preview: Preview) -> None:
    axes.imshow(preview.image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    axes.set_title(preview.title, fontsize=7.5, loc="left")
    axes.set_anchor("N")
    axes.set_axis_off()


def _short(name: str, length: int = 26) -> str:
    return name if len(name) <= length else f"{name[: length // 2 - 1]}…{name[-length // 2 :]}"
