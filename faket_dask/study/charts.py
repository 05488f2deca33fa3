"""Charts of a study's report: F1 over epochs, F1 by class, confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from faket_dask.report.figures import CLASS_COLOURS, STYLE, encode_figure
from faket_dask.study.results import ModelScore
from faket_dask.study.statistics import bootstrap_curves, bootstrap_mean

CONFUSION_PERCENTS = (10.0, 50.0, 90.0)
"""Percentiles of a confusion matrix over seeds and tomograms."""

_CELL = 0.62
"""Edge of a cell of a confusion matrix in inches."""


def colour_models(entries: Sequence[str]) -> dict[str, str]:
    """Return a colour for each model."""
    return {entry: CLASS_COLOURS[number % len(CLASS_COLOURS)] for number, entry in enumerate(entries)}


def draw_epochs(curves: Mapping[str, NDArray[np.float64]], colours: Mapping[str, str]) -> str:
    """Draw the mean voxel F1 of the validation over epochs, with bootstrap intervals of 68 % and 95 % over seeds.

    Parameters
    ----------
    curves
        ``(seed, epoch)`` of each model.
    colours
        Colour of each model.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _open_figure(5.2, 3.3)
        for entry, values in curves.items():
            epochs = np.arange(1, values.shape[1] + 1)
            axes.plot(epochs, values.mean(axis=0), color=colours[entry], label=entry, linewidth=1.4)
            if len(values) > 1:
                inner_low, inner_high, outer_low, outer_high = bootstrap_curves(values)
                axes.fill_between(
                    epochs, outer_low, outer_high, color=colours[entry], alpha=0.12, linewidth=0
                )
                axes.fill_between(
                    epochs, inner_low, inner_high, color=colours[entry], alpha=0.25, linewidth=0
                )
        axes.set_xlabel("epoch")
        axes.set_ylabel("mean voxel F1 in validation")
        axes.set_ylim(bottom=0)
        _add_legend(axes)
        return encode_figure(figure)


def draw_classes(scores: Mapping[str, Sequence[ModelScore]], colours: Mapping[str, str]) -> str:
    """Draw the mean F1 of each class in the test, with bootstrap intervals of 95 %.

    Parameters
    ----------
    scores
        Scores of each model.
    colours
        Colour of each model.
    """
    classes = list(dict.fromkeys(name for group in scores.values() for one in group for name in one.class_f1))
    width = 0.8 / max(1, len(scores))
    with matplotlib.rc_context(STYLE):
        figure, axes = _open_figure(max(5.2, 0.35 * len(classes) * len(scores) + 1), 3.3)
        for number, (entry, group) in enumerate(scores.items()):
            places = np.arange(len(classes)) + (number - (len(scores) - 1) / 2) * width
            means, errors = [], []
            for name in classes:
                values = np.array([[one.class_f1[name]] for one in group if name in one.class_f1])
                mean = float(values.mean()) if values.size else 0.0
                _, outer = bootstrap_mean(values) if values.size else (None, (0.0, 0.0))
                means.append(mean)
                errors.append((max(0.0, mean - outer[0]), max(0.0, outer[1] - mean)))
            axes.bar(
                places,
                means,
                width,
                yerr=np.array(errors).T,
                color=colours[entry],
                label=entry,
                error_kw={"linewidth": 1, "ecolor": "#3d434c"},
            )
        axes.set_xticks(range(len(classes)), classes, rotation=30 if len(classes) > 6 else 0)
        axes.set_ylabel("F1 in the test")
        axes.set_ylim(0, 1)
        _add_legend(axes)
        return encode_figure(figure)


def draw_confusion(scores: Sequence[ModelScore]) -> str:
    """Draw the confusion matrix of a model: median share of each true class, with 10th and 90th percentile.

    Parameters
    ----------
    scores
        Scores of one model, of all seeds and tomograms of the test.
    """
    names = scores[0].class_names
    low, middle, high = confusion_percentiles([score.confusion for score in scores])
    edge = _CELL * len(names)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(edge + 1.4, edge + 1.4))
        FigureCanvasAgg(figure)
        axes = figure.add_axes(
            (1.2 / (edge + 1.4), 1.2 / (edge + 1.4), edge / (edge + 1.4), edge / (edge + 1.4))
        )
        axes.imshow(middle, cmap="Blues", vmin=0, vmax=1)
        for row in range(len(names)):
            for column in range(len(names)):
                dark = middle[row, column] > 0.5
                axes.text(
                    column,
                    row,
                    f"{middle[row, column]:.2f}\n{low[row, column]:.2f}–{high[row, column]:.2f}",
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if dark else "#1b1e23",
                )
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("picked as")
        axes.set_ylabel("true class")
        return encode_figure(figure)


def confusion_percentiles(matrices: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Compute percentiles of the shares of each true class.

    Parameters
    ----------
    matrices
        Confusion matrices of one shape.

    Returns
    -------
    percentiles
        ``(3, class, class)``: 10th, 50th and 90th percentile of the rows, each divided by its sum.

    Examples
    --------
    >>> confusion_percentiles([np.array([[0, 0], [1, 3]])])[1]
    array([[0.  , 0.  ],
           [0.25, 0.75]])
    """
    counts = np.array(matrices, dtype=np.float64)
    shares = counts / np.maximum(counts.sum(axis=2, keepdims=True), 1)
    return np.percentile(shares, CONFUSION_PERCENTS, axis=0)


def _open_figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.65 / width, 0.17, 1 - 0.75 / width, 0.68))
    axes.grid(True, axis="y", linewidth=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def _add_legend(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=4, fontsize=8, columnspacing=1.2)
