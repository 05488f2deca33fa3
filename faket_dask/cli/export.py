"""`faket-dask export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faket_dask.cli.console import Folder, explained, say


@explained
def export(
    folder: Folder,
    to: Annotated[
        str,
        typer.Option(help="Formats: mrc, imod, shrec, relion5, copick, warp, portal; several with commas."),
    ] = "mrc",
    target: Annotated[
        Path | None, typer.Option("--folder", help="Where to write.", show_default="DATASET/export")
    ] = None,
    modality: Annotated[list[str], typer.Option(help="Stacks to export; may be repeated.")] = ["faket"],  # noqa: B006
) -> None:
    """Write tilt-series, tomograms, labels and particles in the formats of other programs.

    Example: `faket-dask export demo-dataset --to mrc,relion5,copick --modality faket`
    """
    from faket_dask.dataset.dataset import open_dataset
    from faket_dask.interchange.export import export as write

    formats = [name.strip() for name in to.split(",") if name.strip()]
    for path in write(open_dataset(folder), formats, target or folder / "export", modality):
        say(str(path))
