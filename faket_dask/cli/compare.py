"""`faket-dask compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from faket_dask.cli.console import Overwrite, out, say

if TYPE_CHECKING:
    from faket_dask.comparison.compare import OpenedSeries


def compare(
    first: Annotated[
        Path, typer.Argument(help="Stack, project, or series/NAME.zarr/MODALITY of a data set.")
    ],
    second: Annotated[Path, typer.Argument(help="Series to compare with, of the same kinds.")],
    csv: Annotated[Path | None, typer.Option(help="Also write a table with a row for each tilt.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw it, as .png, .svg or .pdf.")] = None,
    realism: Annotated[
        bool,
        typer.Option(
            "--realism",
            help="Also compare texture statistics, which do not depend on the specimen: spectra and Gram matrices, "
            "without beads and shading; beside them the distance between halves of the second series' tilts.",
        ),
    ] = False,
    consistency: Annotated[
        bool,
        typer.Option(
            "--consistency",
            help="Also compare them in three dimensions: coherence of neighbouring aligned tilts by wavelength, and "
            "how well a classifier tells their tomograms apart, beside the halves of the second.",
        ),
    ] = False,
    weights: Annotated[
        str, typer.Option(help="VGG-19 weights for --realism; `faket-dask weights list` names them.")
    ] = "vgg19-normalised",
    exclude: Annotated[
        str, typer.Option(help="Tilts of the first series to leave out, counted from 1: 3,7-9.")
    ] = "",
    exclude_angles: Annotated[
        str,
        typer.Option(help="Tilts of the first series to leave out, by their angles in its files: -60,58.5."),
    ] = "",
    exclude_second: Annotated[str, typer.Option(help="As --exclude, of the second series.")] = "",
    exclude_angles_second: Annotated[
        str, typer.Option(help="As --exclude-angles, of the second series.")
    ] = "",
    overwrite: Overwrite = False,
) -> None:
    """Compare two tilt-series, each scaled to [0, 1]: pixelwise errors, similarity, spectra, and texture statistics.

    Example: `faket-dask compare a/series/x__y.zarr/faket recorded.mrc --realism --csv distances.csv`
    """
    from faket_dask.comparison.compare import list_inputs, open_for_comparison
    from faket_dask.comparison.figure import check_figure_format
    from faket_dask.outputs.claim import claim_outputs

    if figure is not None:
        check_figure_format(figure)
    targets = [path for path in (csv, figure) if path is not None]
    both = (
        open_for_comparison(first, exclude, exclude_angles),
        open_for_comparison(second, exclude_second, exclude_angles_second),
    )
    inputs = [*list_inputs(both[0], first), *list_inputs(both[1], second)]
    with claim_outputs(targets, inputs=inputs, overwrite=overwrite):
        _compare(both, csv, figure, weights if realism else None)
        if consistency:
            _compare_consistency(both)


def _compare(
    both: tuple[OpenedSeries, OpenedSeries], csv: Path | None, figure: Path | None, weights: str | None
) -> None:
    """Compare two series, by texture statistics of a network with these weights, too, if there are any."""
    from faket_dask.comparison.compare import compare as measure
    from faket_dask.comparison.figure import draw_comparison

    if weights is not None:
        from faket_dask.config import StyleSection
        from faket_dask.stages.networks import load_network
        from faket_dask.weights import verify

        comparison = measure(*both, load_network(StyleSection(weights=weights), verify(weights)))
    else:
        comparison = measure(*both)
    table = Table("distance", "mean", "10 %", "90 %", *(["intra-reference"] if weights is not None else []))
    for name, summary in comparison.summaries().items():
        values = [summary.mean, summary.p10, summary.p90]
        if name in comparison.intra_reference:
            values.append(float(comparison.intra_reference[name].mean()))
        table.add_row(name, *(f"{value:.4g}" for value in values))
    out.print(table)
    say(f"distance of the mean log spectra: {comparison.mean_log_spectrum:.4g}")
    if csv is not None:
        comparison.write_csv(csv)
    if figure is not None:
        draw_comparison(comparison, figure)


def _compare_consistency(both: tuple[OpenedSeries, OpenedSeries]) -> None:
    """Compare two series in three dimensions and print what was found."""
    from faket_dask.comparison.consistency import compare_consistency

    comparison = compare_consistency(*both)
    steps = [
        "no neighbours" if coherence is None else f"{coherence['step_deg']:.2g}° apart"
        for coherence in comparison.coherences
    ]
    table = Table(
        "coherence at",
        *(f"{name} ({step})" for name, step in zip(comparison.names, steps, strict=True)),
        title="Share of their power that neighbouring tilts have in common (noise alone: 0)",
    )
    for length_A, *values in comparison.list_rows():
        table.add_row(f"{length_A:.0f} Å", *("" if value is None else f"{value:.2f}" for value in values))
    out.print(table)
    verdict = comparison.discrimination
    if verdict is None:
        say("tomograms are not compared: that takes 11 tilts of 128 x 128 pixels, and places without beads")
        return
    say(
        f"patches of tomograms told apart by their ring powers: {verdict.accuracy:.2f} (guess: 0.5; halves of "
        f"{comparison.names[1]}: {verdict.floor:.2f})"
    )
