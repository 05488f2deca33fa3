"""`faket-dask structures`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from faket_dask.cli.console import out, say

app = typer.Typer(help="Structures of the PDB and EMDB: list, fetch, verify.", no_args_is_help=True)

Names = Annotated[
    list[str],
    typer.Argument(help="Entries, such as pdb:1bxn or emdb:3228.", show_default=False),
]


@app.command(name="list")
def structures_list() -> None:
    """List the entries in the cache, and where they came from.

    Example: `faket-dask structures list`
    """
    from faket_dask import structures
    from faket_dask.user_cache import cache_folder

    table = Table("entry", "file", "fetched from")
    for entry, stored in structures.list_entries():
        table.add_row(str(entry), stored.path.name, stored.address)
    out.print(table)
    say(f"cache: {cache_folder()}")


@app.command(name="fetch")
def structures_fetch(names: Names) -> None:
    """Download entries into the cache, for nodes without access to the network.

    A run fetches what it names before it starts. `FAKET_DASK_MIRROR` names a folder or an address to take them from.

    Example: `faket-dask structures fetch pdb:1bxn emdb:3228`
    """
    from faket_dask import structures

    for entry in [structures.parse_entry(name) for name in names]:
        say(str(structures.fetch(entry).path))


@app.command(name="verify")
def structures_verify(names: Names) -> None:
    """Compare entries in the cache with the checksums recorded when they were fetched, and print these.

    Example: `faket-dask structures verify pdb:1bxn`
    """
    from faket_dask import structures

    for entry in [structures.parse_entry(name) for name in names]:
        say(f"{structures.locate(entry).sha256}  {entry}")
