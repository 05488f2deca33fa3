"""`faket-dask import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faket_dask.cli.console import PixelSize, Sign, TomogramName, explained, say

app = typer.Typer(
    help="Bring in what other programs made: specimens, tilt-series, particle lists.", no_args_is_help=True
)


@app.command(name="specimen")
@explained
def import_specimen(
    model: Annotated[Path, typer.Argument(help="SHREC folder model_N.")],
    to: Annotated[Path, typer.Option(help="Folder to write to.")],
    voxel_size_a: Annotated[
        float | None, typer.Option("--voxel-size-A", help="In place of the header's.")
    ] = None,
) -> None:
    """Turn a SHREC model into density, labels and particle table, and print what to write into a run file.

    Example: `faket-dask import specimen model_0 --to specimens/shrec-0`
    """
    from faket_dask.interchange.importers import import_specimen as bring

    say("specimen:\n  kind: volume\n  volumes:")
    for number, path in enumerate(bring(model, to, voxel_size_a)):
        say(f"  {' ' if number else '-'} {path.stem}: {path.resolve()}")


@app.command(name="series")
@explained
def import_series(
    source: Annotated[Path, typer.Argument(help="Stack, .mdoc, .star, .tomostar, or a folder with one.")],
    to: Annotated[Path, typer.Option(help="File to write, .mrc.")],
    align: Annotated[
        bool, typer.Option(help="Align, by the .xf beside the stack or as the project says.")
    ] = False,
    sign: Sign = "imod",
    pixel_size_a: PixelSize = None,
    tomogram: TomogramName = None,
) -> None:
    """Write a recorded tilt-series as one stack, sorted by angle, with `.rawtlt` and `.mdoc`.

    Example: `faket-dask import series relion-project --tomogram TS_01 --align --to TS_01.mrc`
    """
    from faket_dask.formats.openers import open_tilt_series
    from faket_dask.interchange.importers import import_series as bring

    series = open_tilt_series(source, pixel_size_A=pixel_size_a, tomogram=tomogram, sign=sign)
    for path in bring(series.aligned() if align else series, to):
        say(str(path))


@app.command(name="particles")
@explained
def import_particles(
    source: Annotated[
        Path, typer.Argument(help="particle_locations.txt, .ndjson, particles.star or copick.json.")
    ],
    to: Annotated[Path, typer.Option(help="Table to write, .csv.")],
    name: Annotated[str | None, typer.Option(help="Which tomogram or run; the class of an .ndjson.")] = None,
    voxel_size_a: Annotated[
        float | None, typer.Option("--voxel-size-A", help="For lists that count in voxels.")
    ] = None,
) -> None:
    """Turn a particle list of one tomogram into a table for a run file.

    Example: `faket-dask import particles copick.json --name run_0 --to particles.csv`
    """
    from faket_dask.interchange.importers import import_particles as bring

    table = bring(source, name=name, voxel_size_A=voxel_size_a)
    table.write_csv(to)
    say(f"{len(table)} particles: {to}")
