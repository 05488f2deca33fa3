"""`faket-dask match`."""

from __future__ import annotations

import shlex
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.progress import Progress

from faket_dask.cli.console import Overwrite, Sign, Threads, check_length, err, resumable, say
from faket_dask.errors import InputError

if TYPE_CHECKING:
    from faket_dask.matching.searched import DatasetTomogram

K = TypeVar("K", bound=Enum)


class AngleSign(Enum):
    """Signs of tilt angles."""

    IMOD = "imod"
    WARP = "warp"


def match(
    tomogram: Annotated[
        Path, typer.Argument(help="Tomogram (MRC), or a data set that has some.", show_default=False)
    ],
    template: Annotated[
        str,
        typer.Argument(
            help="Particle: structure (.pdb, .cif), density map, entry such as pdb:1bxn, or built-in phantom.",
            show_default=False,
        ),
    ],
    to: Annotated[Path, typer.Option(help="Particle table to write, .csv.", show_default=False)],
    step: Annotated[float, typer.Option(help="Angle between orientations in degrees.")] = 10.0,
    tilt_range: Annotated[
        str | None,
        typer.Option(
            help="First and last tilt of an MRC tomogram in degrees: -60,60; tilts are about the y axis.",
            show_default=False,
        ),
    ] = None,
    angles: Annotated[
        Path | None,
        typer.Option(help="Angle file (.tlt, .rawtlt) in place of --tilt-range.", show_default=False),
    ] = None,
    sign: Sign = "imod",
    series: Annotated[
        str | None, typer.Option(help="Series of a data set.", show_default="its first")
    ] = None,
    modality: Annotated[
        str | None,
        typer.Option(help="Modality of a data set's tomogram.", show_default="the first that has tomograms"),
    ] = None,
    contrast: Annotated[str, typer.Option(help="Grey value of particles: dark or bright.")] = "dark",
    defocus_um: Annotated[
        float | None,
        typer.Option(
            "--defocus-um",
            help="Mean defocus in µm, for the contrast transfer of the template; none by default.",
            show_default=False,
        ),
    ] = None,
    phase_flipped: Annotated[
        bool, typer.Option("--phase-flipped", help="The tomogram's tilts have flipped phases.")
    ] = False,
    voxel_size_a: Annotated[
        float | None,
        typer.Option(
            "--voxel-size-A",
            callback=check_length,
            help="Voxel size in Å, in place of the header's.",
            show_default=False,
        ),
    ] = None,
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
    from faket_dask.engine.folder import RunFolder
    from faket_dask.kernels.matching.null_template import Null
    from faket_dask.matching.search import PickRule, search_tomogram
    from faket_dask.matching.searched import MrcTomogram, Searched
    from faket_dask.stages.matching import Contrast, MatchSettings

    searched: Searched
    if RunFolder(tomogram).description.exists():
        if tilt_range is not None or angles is not None or voxel_size_a is not None:
            raise InputError(
                f"--tilt-range, --angles, --voxel-size-A: {tomogram} is a data set, which knows; leave out"
            )
        searched = found = _open_in_dataset(tomogram, series, modality)
        tilts = found.tilt_angles
    else:
        if series is not None or modality is not None:
            raise InputError(f"--series, --modality: for data sets, and {tomogram} is none; leave out")
        tilts = _read_tilts(tilt_range, angles, sign)
        searched = MrcTomogram.open(tomogram, voxel_size_a)
    settings = MatchSettings(
        tilt_angles=tilts,
        step_deg=step,
        contrast=_choose(Contrast, contrast, "--contrast"),
        defocus_um=defocus_um,
        phase_flipped=phase_flipped,
    )
    rule = PickRule(false_peaks, threshold, distance_a, most)
    columns = Progress.get_default_columns()
    with (
        resumable(shlex.join(["faket-dask", *sys.argv[1:]])),
        Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars,
    ):
        bar = bars.add_task(to.name, total=1.0)
        picks = search_tomogram(
            searched,
            template,
            to,
            settings,
            rule,
            null=_choose(Null, null, "--null"),
            name=name,
            device=device,
            threads=threads,
            cluster=cluster,
            advance=lambda share: bars.advance(bar, share),
            inputs=[path for path in (tomogram, angles) if path is not None and path.is_file()],
            overwrite=overwrite,
        )
    say(f"{to}: {len(picks.table)} picks with scores above {picks.threshold:.3f}")


def _open_in_dataset(folder: Path, series: str | None, modality: str | None) -> DatasetTomogram:
    from faket_dask.dataset.spec import DatasetSpec
    from faket_dask.matching.searched import DatasetTomogram

    spec = DatasetSpec.read(folder)
    modalities = spec.config.reconstruction.modalities
    if not modalities and modality is None:
        raise InputError(f"{folder} has no tomograms; make them with `faket-dask reconstruct {folder}`")
    chosen = modalities[0] if modality is None else modality
    first = next(iter(spec.series_by_name))
    return DatasetTomogram(folder.resolve(), first if series is None else series, chosen)


def _read_tilts(tilt_range: str | None, angles: Path | None, sign: str) -> tuple[float, ...]:
    """Return tilt angles with the sign of this project."""
    from faket_dask.formats.openers.listed_tilts import list_stated

    if (tilt_range is None) == (angles is None):
        raise InputError(
            "the missing wedge of an MRC tomogram follows from its tilts: give either --tilt-range, such as -60,60, or "
            "--angles"
        )
    is_stage = _choose(AngleSign, sign, "--sign") is AngleSign.IMOD
    if angles is not None:
        return tuple(list_stated(angles, "imod" if is_stage else "warp", None).tilt_angles.tolist())
    assert tilt_range is not None
    try:
        first, last = (float(text) for text in tilt_range.split(","))
    except ValueError:
        raise InputError(
            f"--tilt-range {tilt_range} is no pair of angles; give the first and the last: -60,60"
        ) from None
    if not -90 < first < last < 90:
        raise InputError(f"--tilt-range {tilt_range}: the angles must increase, between -90 and 90")
    return (-last, -first) if is_stage else (first, last)


def _choose(kinds: type[K], value: str, option: str) -> K:
    try:
        return kinds(value)
    except ValueError:
        known = ", ".join(kind.value for kind in kinds)
        raise InputError(f"{option} is one of {known}, not {value!r}") from None
