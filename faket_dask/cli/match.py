"""`faket-dask match`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faket_dask.cli.console import Overwrite, Sign, Threads, check_length, resumable_bar, say
from faket_dask.cli.tomogram import (
    GreyValue,
    Modality,
    PhaseFlipped,
    SeriesName,
    TemplateDefocus,
    TiltAngles,
    TiltRange,
    TomogramPath,
    VoxelSize,
    choose,
    open_tomogram,
)


def match(
    tomogram: TomogramPath,
    template: Annotated[
        str,
        typer.Argument(
            help="Particle: structure (.pdb, .cif), density map, entry such as pdb:1bxn, or built-in phantom.",
            show_default=False,
        ),
    ],
    to: Annotated[Path, typer.Option(help="Particle table to write, .csv.", show_default=False)],
    step: Annotated[float, typer.Option(help="Angle between orientations in degrees.")] = 10.0,
    tilt_range: TiltRange = None,
    angles: TiltAngles = None,
    sign: Sign = "imod",
    series: SeriesName = None,
    modality: Modality = None,
    contrast: GreyValue = "dark",
    defocus_um: TemplateDefocus = None,
    phase_flipped: PhaseFlipped = False,
    voxel_size_a: VoxelSize = None,
    name: Annotated[str, typer.Option(help="Class of the picks in the table.")] = "particle",
    null: Annotated[
        str,
        typer.Option(
            help="Search that sets the threshold: inverted (opposite contrast, takes no time), scrambled (random "
            "phases) or mirrored."
        ),
    ] = "inverted",
    false_peaks: Annotated[
        int, typer.Option(min=0, help="Peaks of that search that may lie above the threshold.")
    ] = 1,
    threshold: Annotated[
        float | None,
        typer.Option(help="Score that picks are above, in place of such a search.", show_default=False),
    ] = None,
    distance_a: Annotated[
        float | None,
        typer.Option(
            "--distance-A",
            callback=check_length,
            help="Least distance of two picks in Å.",
            show_default="radius of the particle",
        ),
    ] = None,
    most: Annotated[
        int | None, typer.Option(min=1, help="Largest number of picks.", show_default="all")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda (untested).")] = "cpu",
    threads: Threads = 1,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Where workers run, in place of threads: local, a batch system or a profile.",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Find a known particle in a tomogram by template matching; after an interruption, the same command continues.

    Example: `faket-dask match tomogram.mrc pdb:4v4r --tilt-range -60,60 --step 15 --to picks.csv`
    """
    from faket_dask.kernels.matching.null_template import Null
    from faket_dask.matching.search import PickRule, search_tomogram
    from faket_dask.stages.matching import Contrast, MatchSettings

    searched, tilts = open_tomogram(tomogram, series, modality, voxel_size_a, tilt_range, angles, sign)
    settings = MatchSettings(
        tilt_angles=tilts,
        step_deg=step,
        contrast=choose(Contrast, contrast, "--contrast"),
        defocus_um=defocus_um,
        phase_flipped=phase_flipped,
    )
    rule = PickRule(false_peaks, threshold, distance_a, most)
    with resumable_bar(to.name) as advance:
        picks = search_tomogram(
            searched,
            template,
            to,
            settings,
            rule,
            null=choose(Null, null, "--null"),
            name=name,
            device=device,
            threads=threads,
            cluster=cluster,
            advance=advance,
            inputs=[path for path in (tomogram, angles) if path is not None and path.is_file()],
            overwrite=overwrite,
        )
    say(f"{to}: {len(picks.table)} picks with scores above {picks.threshold:.3f}")
