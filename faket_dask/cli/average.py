"""`faket-dask average`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faket_dask.cli.console import Overwrite, Sign, Threads, check_length, resumable_bar, say
from faket_dask.cli.tomogram import (
    GreyValue,
    Modality,
    SeriesName,
    TiltAngles,
    TiltRange,
    TomogramPath,
    VoxelSize,
    choose,
    open_tomogram,
)

if TYPE_CHECKING:
    from faket_dask.averaging.run import Averaged


def average(
    tomogram: TomogramPath,
    particles: Annotated[
        Path,
        typer.Argument(
            help="Particles: table .csv, as `match` writes it, SHREC's .txt, the CZ portal's .ndjson, Dynamo's .tbl or "
            "RELION 5's .star.",
            show_default=False,
        ),
    ],
    box_a: Annotated[
        float,
        typer.Option(
            "--box-A", callback=check_length, help="Edge of a particle's box in Å.", show_default=False
        ),
    ],
    limit_a: Annotated[
        float,
        typer.Option(
            "--limit-A",
            callback=check_length,
            help="Finest detail in Å that the alignment may see.",
            show_default=False,
        ),
    ],
    to: Annotated[Path, typer.Option(help="Folder to write.", show_default=False)],
    tilt_range: TiltRange = None,
    angles: TiltAngles = None,
    sign: Sign = "imod",
    series: SeriesName = None,
    modality: Modality = None,
    contrast: GreyValue = "dark",
    voxel_size_a: VoxelSize = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Class of a particle table to take; tomogram of a list that has several.", show_default="all"
        ),
    ] = None,
    start: Annotated[
        str,
        typer.Option(
            help="First reference: featureless (random orientations), orientations (those of the particles), or a "
            "density map (.mrc)."
        ),
    ] = "featureless",
    against: Annotated[
        Path | None,
        typer.Option(
            help="Density map of the known structure (.mrc), with the tomogram's voxel size, to compare with and with "
            "its mirror image.",
            show_default=False,
        ),
    ] = None,
    radius_a: Annotated[
        float | None,
        typer.Option(
            "--radius-A",
            callback=check_length,
            help="Radius of the mask in Å.",
            show_default="0.4 of the box",
        ),
    ] = None,
    shift_a: Annotated[
        float | None,
        typer.Option(
            "--shift-A",
            help="Largest shift off a pick in Å.",
            show_default="a twelfth of the box",
        ),
    ] = None,
    step: Annotated[float, typer.Option(help="Angle between orientations in degrees.")] = 20.0,
    rounds: Annotated[int, typer.Option(help="Rounds that search all orientations.")] = 6,
    local_rounds: Annotated[
        int, typer.Option(help="Rounds near the orientation found, each with half of the step.")
    ] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the half-sets.")] = 0,
    threads: Threads = 1,
    overwrite: Overwrite = False,
) -> None:
    """Average the particles of a tomogram in two half-sets; after an interruption, the same command continues.

    Example: `faket-dask average tomogram.mrc picks.csv --tilt-range=-60,60 --box-A 500 --limit-A 60 --to average`
    """
    from faket_dask.averaging.particles import read_picks
    from faket_dask.averaging.run import average_particles
    from faket_dask.averaging.start import Start
    from faket_dask.stages.averaging import AverageSettings
    from faket_dask.stages.matching import Contrast

    source, tilts = open_tomogram(tomogram, series, modality, voxel_size_a, tilt_range, angles, sign)
    settings = AverageSettings(
        box_A=box_a,
        limit_A=limit_a,
        tilt_angles=tilts,
        radius_A=radius_a,
        shift_A=shift_a,
        step_deg=step,
        rounds=rounds,
        local_rounds=local_rounds,
        contrast=choose(Contrast, contrast, "--contrast"),
        seed=seed,
    )
    table = read_picks(particles, source.voxel_size_A, name)
    with resumable_bar(to.name) as advance:
        averaged = average_particles(
            source,
            table,
            to,
            settings,
            Start.parse(start),
            against=against,
            threads=threads,
            advance=advance,
            inputs=[path for path in (tomogram, particles, angles) if path is not None and path.is_file()],
            overwrite=overwrite,
        )
    for line in _describe(averaged, to, limit_a):
        say(line)


def _describe(averaged: Averaged, to: Path, limit_A: float) -> list[str]:
    resolved, hands = averaged.halves.resolved_A(), averaged.hands
    agreement = (
        f"nothing beyond the {limit_A:g} Å that the alignment sees"
        if resolved is None
        else f"what is coarser than {resolved:.1f} Å (0.143; the alignment sees {limit_A:g} Å)"
    )
    lines = [f"{to}: {averaged.particles} particles; the half averages agree in {agreement}"]
    if hands is not None:
        lines.append(
            f"hand: {hands.hand.value}; beyond {limit_A:g} Å the average agrees with the structure to "
            f"{hands.beyond:.2f}, with its mirror image to {hands.mirrored_beyond:.2f} (chance {hands.error:.2f})"
        )
    return lines
