"""Figure of a comparison: distances over the tilt angle, and mean power spectra."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from faket_dask.atomic import replace_atomically
from faket_dask.comparison.compare import Comparison
from faket_dask.errors import InputError

LABELS = {
    "mae": "mean absolute error",
    "mse": "mean squared error",
    "psnr": "peak signal to noise (dB)",
    "ssim": "structural similarity",
    "log_spectrum": "distance of log spectra",
    "texture_spectrum": "distance of the textures' log spectra",
}


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Draw a panel for each distance, with percentiles and intra-reference distance, and one for the spectra.

    Parameters
    ----------
    comparison
        Comparison to draw.
    path
        File to write: ``.png``, ``.svg`` or ``.pdf``.

    Raises
    ------
    InputError
        If the file has another suffix.
    """
    check_figure_format(path)
    panels = len(comparison.per_tilt) + 1
    columns = min(3, panels)
    figure = Figure(figsize=(4 * columns, 3 * -(-panels // columns)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(-(-panels // columns), columns, squeeze=False).ravel()
    summaries = comparison.summaries()
    for panel, (name, values) in zip(axes, comparison.per_tilt.items(), strict=False):
        panel.plot(
            comparison.tilt_angles, np.where(np.isfinite(values), values, np.nan), ".-", color="#0072b2"
        )
        summary = summaries[name]
        if np.isfinite(summary.p90):
            panel.axhspan(summary.p10, summary.p90, color="#0072b2", alpha=0.12, lw=0)
        if name in comparison.intra_reference:
            panel.plot(
                comparison.tilt_angles,
                comparison.intra_reference[name],
                "--",
                color="#1b1e23",
                label=f"halves of {comparison.names[1]}",
            )
            panel.set_ylim(bottom=0)
            panel.legend(frameon=False, fontsize=8)
        panel.set(
            xlabel="tilt angle (°)",
            ylabel=LABELS.get(name, f"distance of Gram matrices, layer {name.removeprefix('gram_')}"),
        )
    panel = axes[panels - 1]
    for name, spectrum, colour in zip(
        comparison.names, comparison.spectra, ("#1b1e23", "#e69f00"), strict=True
    ):
        panel.semilogy(comparison.frequency, spectrum, color=colour, label=name)
    panel.set(xlabel="frequency (cycles per pixel)", ylabel="power of standardised tilts")
    panel.legend(frameon=False, fontsize=8)
    for unused in axes[panels:]:
        unused.set_visible(False)
    with replace_atomically(path) as temporary:
        figure.savefig(temporary, dpi=120, format=path.suffix[1:])


def check_figure_format(path: Path) -> None:
    """Refuse a file that no figure can be written as.

    Raises
    ------
    InputError
        If it is neither ``.png``, ``.svg`` nor ``.pdf``.
    """
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise InputError(f"{path} is neither .png, .svg nor .pdf, which a figure can be written as")
