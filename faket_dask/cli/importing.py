"""`faket-dask import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from faket_dask.cli.console import (
    Align,
    Angles,
    CtfFile,
    DefocusUm,
    Exclude,
    ExcludeAngles,
    Overwrite,
    PixelSize,
    Series,
    Sign,
    TomogramName,
    Transforms,
    check_length,
    list_formats,
    say,
)

app = typer.Typer(
    help="Import specimens, tilt-series and particle lists of other programs.", no_args_is_help=True
)


class ImportCommand(TyperCommand):
    """Command whose help lists the importers that are installed."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with a line for each format."""
        from faket_dask.interchange.importers.specimens import IMPORTERS

        self.epilog = list_formats(IMPORTERS.names, IMPORTERS.get)
        super().format_help(ctx, formatter)


@app.command(name="specimen", cls=ImportCommand)
def import_specimen(
    source: Annotated[Path, typer.Argument(help="File or folder of another program, as listed below.")],
    to: Annotated[Path, typer.Option(help="Folder to write to.")],
    importer: Annotated[
        str | None, typer.Option("--from", help="Format, where it is not recognised.", show_default=False)
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Tomogram to take, where there are several.", show_default=False),
    ] = None,
    voxel_size_a: Annotated[
        float | None,
        typer.Option(
            "--voxel-size-A", callback=check_length, help="Voxel size in Å, in place of the header's."
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Convert another program's specimen to density, labels and particles, and print the section for a run file.

    Example: `faket-dask import specimen model_0 --to specimens/shrec-0`
    """
    from faket_dask.interchange.importers.base import SpecimenOptions
    from faket_dask.interchange.importers.specimens import import_specimen as convert

    options = SpecimenOptions(voxel_size_a, name)
    say("specimen:\n  kind: volume\n  volumes:")
    for number, path in enumerate(convert(source, to, options, overwrite, importer)):
        say(f"  {' ' if number else '-'} {path.stem}: {path.resolve()}")


@app.command(name="series")
def import_series(
    source: Series,
    to: Annotated[Path, typer.Option(help="Stack to write, .mrc.", show_default=False)],
    align: Align = False,
    angles: Angles = None,
    sign: Sign = "imod",
    transforms: Transforms = None,
    pixel_size_a: PixelSize = None,
    tomogram: TomogramName = None,
    exclude: Exclude = "",
    exclude_angles: ExcludeAngles = "",
    ctf_file: CtfFile = "files",
    defocus_um: DefocusUm = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a recorded tilt-series as one stack, sorted by angle, with `.rawtlt`, `.mdoc` and what is known of its CTF.

    Example: `faket-dask import series relion-project --tomogram TS_01 --align --to TS_01.mrc`
    """
    from faket_dask.formats.openers import open_tilt_series
    from faket_dask.interchange.importers.series import import_series as convert

    series = open_tilt_series(
        source,
        tilt_angles=angles,
        transforms=transforms,
        pixel_size_A=pixel_size_a,
        tomogram=tomogram,
        sign=sign,
        exclude=exclude,
        exclude_angles=exclude_angles,
        ctf=ctf_file,
        defocus_um=defocus_um,
    )
    inputs = [path for path in (source, angles, transforms) if path is not None]
    inputs += [Path(ctf_file)] if Path(ctf_file).is_file() else []
    for path in convert(series.aligned() if align else series, to, inputs=inputs, overwrite=overwrite):
        say(str(path))


@app.command(name="particles")
def import_particles(
    source: Annotated[
        Path,
        typer.Argument(
            help="SHREC's particle_locations.txt, the CZ portal's .ndjson, Dynamo's .tbl, RELION 5's particles.star "
            "or optimisation_set.star, or the .json of a copick project.",
            show_default=False,
        ),
    ],
    to: Annotated[Path, typer.Option(help="Table to write, .csv.", show_default=False)],
    name: Annotated[
        str | None,
        typer.Option(
            help="Tomogram (RELION, Dynamo) or run (copick) to take of several; class of the points (.ndjson).",
            show_default=False,
        ),
    ] = None,
    voxel_size_a: Annotated[
        float | None,
        typer.Option(
            "--voxel-size-A",
            callback=check_length,
            help="Voxel size in Å, for lists in voxels (.txt, .ndjson, .tbl).",
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="User (person or program) whose picks to take (copick).")
    ] = None,
    session: Annotated[str | None, typer.Option(help="Session of the picks (copick).")] = None,
    object_name: Annotated[
        str | None, typer.Option("--object", help="Object whose picks alone to take (copick).")
    ] = None,
    tomograms: Annotated[
        Path | None, typer.Option(help="tomograms.star, where it is not found (RELION 5).")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Convert a particle list of one tomogram to a table of classes, centres in Å and rotations, for a run file.

    Example: `faket-dask import particles copick.json --name run_0 --user octopi --to particles.csv`
    """
    from faket_dask.interchange.importers.particles import ParticleOptions, list_particle_files
    from faket_dask.interchange.importers.particles import import_particles as convert
    from faket_dask.outputs.claim import claim_outputs

    options = ParticleOptions(name, voxel_size_a, user, session, object_name, tomograms)
    with claim_outputs([to], inputs=list_particle_files(source, options), overwrite=overwrite):
        table = convert(source, options)
        table.write_csv(to)
    say(f"{len(table)} particles: {to}")
