"""Images and charts as data URIs, for pages without other files.

Images become grey PNGs, charts SVGs with text as text. Matplotlib is used through its objects alone, so that drawing
neither needs a screen nor leaves figures behind.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from faket_dask.modalities import MODALITIES

REFERENCE = "reference"
"""Key of a reference among the colours."""

COLOURS = {modality.name: modality.colour for modality in MODALITIES} | {REFERENCE: "#1b1e23"}
"""Colours of the modalities and of a reference."""

CLASS_COLOURS = (
    "#ff7f0e",
    "#2ca6ff",
    "#4bd964",
    "#ff4d6d",
    "#ffd60a",
    "#c77dff",
    "#00d1c1",
    "#ff8fd8",
    "#b5e550",
    "#ffb38a",
)
"""Colours of particle classes, bright enough for circles on grey images."""

CLIPPED_PERCENT = 0.5
"""Percentage of pixels that are clipped at either end of the grey scale: hot pixels and beads."""

_TINT = (1.0, 0.6, 0.1)
"""Red, green and blue of highlighted pixels, relative to their grey."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "faket_dask",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa1ab",
    "axes.labelcolor": "#3d434c",
    "xtick.color": "#6b727d",
    "ytick.color": "#6b727d",
    "grid.color": "#e6e9ed",
    "legend.frameon": False,
}
"""Settings of Matplotlib while a figure is drawn and encoded."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Line of a chart: x and y, both ``(n,)``; `dots` draws a dot at every point."""

    name: str
    x: NDArray[np.floating]
    y: NDArray[np.floating]
    colour: str
    dash: str = "-"
    dots: bool = False


def grey_image(image: NDArray[np.floating], highlighted: NDArray[np.bool_] | None = None) -> str:
    """Return an image, ``(y, x)`` of any unit, as a PNG of its grey levels, with highlighted pixels in orange."""
    stream = io.BytesIO()
    levels = grey_levels(image)
    if highlighted is None or not highlighted.any():
        picture = Image.fromarray(levels)
    else:
        # A palette of half the greys, plain and tinted: three channels of noise would triple the file.
        picture = Image.fromarray(levels // 2 + np.uint8(128) * highlighted)
        greys = np.arange(1, 256, 2)[:, None]
        colours = np.concatenate([greys.repeat(3, axis=1), greys * _TINT])
        picture.putpalette(colours.astype(np.uint8).tobytes())
    picture.save(stream, "PNG", optimize=True)
    return _data_uri("image/png", stream.getvalue())


def grey_levels(image: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return the grey levels of an image, with its 0.5th percentile in black and its 99.5th in white.

    Examples
    --------
    >>> grey_levels(np.array([[0.0, 1.0]]))
    array([[  0, 255]], dtype=uint8)
    """
    low, high = np.percentile(image, [CLIPPED_PERCENT, 100 - CLIPPED_PERCENT])
    unit = (image - low) / (high - low) if high > low else np.full_like(image, 0.5)
    return np.round(np.clip(unit, 0, 1) * 255).astype(np.uint8)


def chart(
    curves: Sequence[Curve],
    x_label: str,
    y_label: str,
    *,
    logarithmic: bool = False,
    bottom: float | None = None,
    ticks: Sequence[str] | None = None,
) -> str:
    """Draw curves in one pair of axes, as an SVG.

    Parameters
    ----------
    curves
        Curves in the order of drawing, each named in the legend.
    x_label, y_label
        Labels of the axes, with units.
    logarithmic
        Use logarithmic scales on both axes.
    bottom
        Lower end of the y axis; by default below the lowest point.
    ticks
        Names of the x values 0, 1, 2, ...; by default the axis shows numbers.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.3))
        FigureCanvasAgg(figure)
        # Fixed room for labels and legend: solving for it would take longer than the drawing.
        axes = figure.add_axes((0.125, 0.14, 0.86, 0.70))
        for curve in curves:
            axes.plot(
                curve.x,
                curve.y,
                linestyle=curve.dash,
                color=curve.colour,
                label=curve.name,
                linewidth=1.4,
                marker="o" if curve.dots else None,
                markersize=3.5,
            )
        if logarithmic:
            axes.set_xscale("log")
            axes.set_yscale("log")
        if ticks is not None:
            axes.set_xticks(range(len(ticks)), ticks)
        if bottom is not None:
            axes.set_ylim(bottom=bottom)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid(True, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, fontsize=8, columnspacing=1.2)
        return encode_figure(figure)


def encode_figure(figure: Figure) -> str:
    """Return a figure as an SVG, which is the same for the same drawing."""
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None}, transparent=True)
    return _data_uri("image/svg+xml", stream.getvalue())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
