"""`faket-dask weights`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from faket_dask.cli.console import out, say

app = typer.Typer(help="VGG-19 weights: list, fetch, import, verify.", no_args_is_help=True)


Name = Annotated[
    str,
    typer.Argument(help="Name of the weights; `faket-dask weights list` names them.", show_default=False),
]


@app.command(name="list")
def weights_list() -> None:
    """List the known weights and which of them are in the cache.

    Example: `faket-dask weights list`
    """
    from faket_dask import weights
    from faket_dask.user_cache import cache_folder

    table = Table("name", "cached", "description")
    for entry in weights.list_weights():
        table.add_row(entry.name, "yes" if entry.present else "no", entry.description)
    out.print(table)
    say(f"cache: {cache_folder()}")


@app.command(name="fetch")
def weights_fetch(name: Name) -> None:
    """Download weights into the cache, for example on a login node with access to the network.

    Example: `faket-dask weights fetch vgg19-normalised`
    """
    from faket_dask import weights

    say(str(weights.fetch(name)))


@app.command(name="import")
def weights_import(
    path: Annotated[Path, typer.Argument(help="Downloaded file.", show_default=False)], name: Name
) -> None:
    """Copy a downloaded file into the cache after checking its checksum.

    Example: `faket-dask weights import vgg19-dcbb9e9d.pth vgg19-imagenet1k-v1`
    """
    from faket_dask import weights

    say(str(weights.import_file(path, name)))


@app.command(name="verify")
def weights_verify(
    name: Annotated[
        str, typer.Argument(help="Name of the weights, or file of a state dict (.pth).", show_default=False)
    ],
) -> None:
    """Check the weights in the cache, or a file, and print their checksum.

    Example: `faket-dask weights verify vgg19-normalised`
    """
    from faket_dask import weights

    say(weights.verify(name))
