"""`faket-dask export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from faket_dask.cli.console import Folder, Overwrite, list_formats, say
from faket_dask.errors import InputError


class ExportCommand(TyperCommand):
    """Command whose help lists the exporters that are installed."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with a line for each format."""
        from faket_dask.interchange.exporters import exporter_names, load_exporter

        self.epilog = list_formats(exporter_names(), load_exporter)
        super().format_help(ctx, formatter)


def export(
    folder: Folder,
    to: Annotated[str, typer.Option(help="Formats, as listed below; several with commas.")] = "mrc",
    target: Annotated[
        Path | None, typer.Option("--folder", help="Folder to write to.", show_default="DATASET/export")
    ] = None,
    modality: Annotated[
        list[str] | None,
        typer.Option(
            help="Stacks to export: faket, noisy, …; may be repeated.",
            show_default="faket, or else the first that is kept",
        ),
    ] = None,
    root: Annotated[
        str | None,
        typer.Option(
            help="Folder or URL to which a copick project will be moved, for its configuration.",
            show_default="FOLDER/copick",
        ),
    ] = None,
    alignment: Annotated[
        str,
        typer.Option(
            help="Of benchmark images with errors: nominal, as a microscope tells it, or true angles and displacements."
        ),
    ] = "nominal",
    overwrite: Overwrite = False,
) -> None:
    """Write tilt-series, tomograms, labels and particles in the formats of other programs.

    Example: `faket-dask export demo-dataset --to mrc,relion5,copick --modality faket`
    """
    from faket_dask.dataset.dataset import open_dataset
    from faket_dask.interchange.export import export as write
    from faket_dask.interchange.exporters.source import SeriesAlignment

    formats = [name.strip() for name in to.split(",") if name.strip()]
    to_folder = target or folder / "export"
    if alignment not in list(SeriesAlignment):
        raise InputError(f"--alignment is {alignment!r}; it is one of {', '.join(SeriesAlignment)}")
    written = write(
        open_dataset(folder),
        formats,
        to_folder,
        modality,
        root,
        overwrite=overwrite,
        alignment=SeriesAlignment(alignment),
    )
    for path in written:
        say(str(path))
