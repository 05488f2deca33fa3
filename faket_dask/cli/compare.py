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
