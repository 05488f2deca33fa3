"""`faket-dask check-hand`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faket_dask.cli.console import Overwrite, Threads, check_length, resumable_bar, say
from faket_dask.cli.tomogram import (
    AngleSign,
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

if TYPE_CHECKING:
    from faket_dask.matching.hand import HandCheck

REFUTED = 3
"""Exit status where the tomogram is of the other hand."""


def check_hand(
    tomogram: TomogramPath,
    template: Annotated[
        str,
        typer.Argument(
            help="Particle of known hand: structure (.pdb, .cif), density map, entry such as pdb:4v4r, or built-in "
            "phantom.",
            show_default=False,
        ),
    ],
    to: Annotated[Path, typer.Option(help="File to write, .json.", show_default=False)],
    step: Annotated[float, typer.Option(help="Angle between orientations in degrees.")] = 15.0,
    tilt_range: TiltRange = None,
    angles: TiltAngles = None,
    sign: Annotated[
        str,
        typer.Option(
            help="Sign of the angles that the tomogram was reconstructed with: imod (also SerialEM, RELION), or warp."
        ),
    ] = "imod",
    series: SeriesName = None,
    modality: Modality = None,
    contrast: GreyValue = "dark",
    defocus_um: TemplateDefocus = None,
    phase_flipped: PhaseFlipped = False,
    voxel_size_a: VoxelSize = None,
    distance_a: Annotated[
        float | None,
        typer.Option(
            "--distance-A",
            callback=check_length,
            help="Least distance of two places in Å.",
            show_default="radius of the particle",
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Number of places to compare, the best ones.")] = 100,
    device: Annotated[str, typer.Option(help="cpu or cuda (untested).")] = "cpu",
    threads: Threads = 1,
    overwrite: Overwrite = False,
) -> None:
    """Tell the hand of a tomogram from a known particle: exit status 3 if it is the wrong one.

    Example: `faket-dask check-hand tomogram.mrc pdb:4v4r --tilt-range=-60,60 --to hand.json`
    """
    from faket_dask.matching import hand
    from faket_dask.stages.matching import Contrast, MatchSettings

    made_with = choose(AngleSign, sign, "--sign")
    searched, tilts = open_tomogram(tomogram, series, modality, voxel_size_a, tilt_range, angles, sign)
    settings = MatchSettings(
        tilt_angles=tilts,
        step_deg=step,
        contrast=choose(Contrast, contrast, "--contrast"),
        defocus_um=defocus_um,
        phase_flipped=phase_flipped,
    )
    with resumable_bar(to.name) as advance:
        check = hand.check_hand(
            searched,
            template,
            to,
            settings,
            most=most,
            distance_A=distance_a,
            device=device,
            threads=threads,
            advance=advance,
            inputs=[path for path in (tomogram, angles) if path is not None and path.is_file()],
            overwrite=overwrite,
        )
    for line in _describe(check, made_with):
        say(line)
    if check.verdict is hand.HandVerdict.MIRRORED:
        raise typer.Exit(REFUTED)


def _describe(check: HandCheck, sign: AngleSign) -> list[str]:
    from faket_dask.matching.hand import HandVerdict

    low, high = check.interval()
    meaning = {
        HandVerdict.RIGHT: f"the hand is right: the angles have the sign of --sign {sign.value}",
        HandVerdict.MIRRORED: "the tomogram is mirrored: if it was reconstructed with "
        f"--sign {sign.value}, its angles have that of --sign {sign.opposite.value}",
        HandVerdict.UNDECIDED: "the hand is undecided: take more places (--most), a smaller --step, smaller voxels, or "
        "a particle that differs more from its mirror image",
    }
    return [
        f"the particle scores higher than its mirror image in {check.wins} of the {len(check.score)} best places: "
        f"{100 * check.share:.0f} % (95 % interval {100 * low:.0f} to {100 * high:.0f} %)",
        meaning[check.verdict],
    ]
