"""`faket-dask data`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from faket_dask.cli.console import out, say

app = typer.Typer(help="Recorded tilt-series from the package index: list, fetch.", no_args_is_help=True)


@app.command(name="list")
def data_list() -> None:
    """List the known recordings and which of them are in the cache.

    Example: `faket-dask data list`
    """
    from faket_dask import recordings
    from faket_dask.user_cache import cache_folder

    table = Table("name", "cached", "description")
    for recording in recordings.list_recordings():
        table.add_row(recording.name, "yes" if recording.folder.is_dir() else "no", recording.description)
    out.print(table)
    say(f"cache: {cache_folder()}")


@app.command(name="fetch")
def data_fetch(
    name: Annotated[
        str,
        typer.Argument(help="Name of a recording; `faket-dask data list` names them.", show_default=False),
    ],
) -> None:
    """Download a recorded tilt-series into the cache; run files name its files as `data:NAME/FILE`.

    Example: `faket-dask data fetch empiar10499-00254`
    """
    from faket_dask import recordings

    say(str(recordings.fetch(name)))
