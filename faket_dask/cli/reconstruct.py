"""`faket-dask reconstruct`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from faket_dask.cli.console import (
    FAILED,
    Align,
    Angles,
    CtfFile,
    DefocusUm,
    Exclude,
    ExcludeAngles,
    Overwrite,
    PixelSize,
    Sign,
    Threads,
    TomogramName,
    Transforms,
    Where,
    check_length,
    err,
    resumable,
    resumable_bar,
    say,
)
from faket_dask.errors import InputError

TOMOGRAM_SUFFIX = "_faket_rec.mrc"
"""End of the default name of a tomogram, apart from etomo's ``_rec.mrc`` and AreTomo's ``.mrc``."""


def reconstruct(
    source: Annotated[
        Path,
        typer.Argument(
            help="Data set, stack, .mdoc, .star, .tomostar, .xml, .aln, or a folder with one.",
            show_default=False,
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            help="Tomogram to write, .mrc or .zarr; those of a data set stay in it.",
            show_default="NAME_faket_rec.mrc",
        ),
    ] = None,
    modality: Annotated[
        list[str] | None,
        typer.Option(
            help="Stacks of a data set to reconstruct: faket, noisy, …; may be repeated.",
            show_default="faket, or else the first that is kept",
        ),
    ] = None,
    filter_: Annotated[
        str,
        typer.Option(
            "--filter",
            help="Weighting: ramp, crowther (ramp up to the Crowther frequency), hann (ramp and Hann window), "
            "exact, or shrec (as in SHREC 2021).",
        ),
    ] = "hann",
    binning: Annotated[int, typer.Option(min=1, help="Binning of the tilts, before filtering.")] = 1,
    post_binning: Annotated[
        int,
        typer.Option(
            min=1, help="Binning of the tomogram, after back-projection; multiplies with --binning."
        ),
    ] = 1,
    tilt_stride: Annotated[int, typer.Option(min=1, help="Use every n-th tilt, counted from 0°.")] = 1,
    thickness_a: Annotated[
        float | None,
        typer.Option(
            "--thickness-A",
            callback=check_length,
            help="Thickness of the tomogram in Å; needed for a stack.",
            show_default="that of the specimen",
        ),
    ] = None,
    erase_beads: Annotated[
        bool,
        typer.Option(
            "--erase-beads", help="Replace gold beads by their surroundings first: no streaks of them."
        ),
    ] = False,
    ctf: Annotated[
        str,
        typer.Option(
            help="Correction of the CTF, with the defocus of each column of a tilted image: none, phase_flip, wiener."
        ),
    ] = "none",
    wiener_snr: Annotated[
        float | None,
        typer.Option(
            "--wiener-snr",
            help="For wiener: power of the signal before the lens over that of noise, at all frequencies alike.",
            show_default="10",
        ),
    ] = None,
    dose_weighting: Annotated[
        bool,
        typer.Option(
            "--dose-weighting",
            help="Weight each frequency of a tilt by the signal that radiation has left there.",
        ),
    ] = False,
    halves: Annotated[
        list[str] | None,
        typer.Option(
            help="Further tomograms of half of the tilts each: tilts (odd and even ones), dose (first and second half "
            "in time); may be repeated.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
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
    threads: Threads = 1,
    imod: Annotated[
        bool, typer.Option("--imod", help="Use IMOD's tilt from the PATH (untested against IMOD).")
    ] = False,
    cluster: Where = "local",
    overwrite: Overwrite = False,
) -> None:
    """Reconstruct tomograms by weighted back-projection; after an interruption, the same command continues.

    Example: `faket-dask reconstruct demo-dataset --modality faket --binning 2`

    For a stack: `faket-dask reconstruct TS_01.st --align --thickness-A 2000 --to tomograms/TS_01.mrc`
    """
    from faket_dask.config import parse_reconstruction
    from faket_dask.engine.folder import RunFolder
    from faket_dask.formats.openers import open_tilt_series

    section = parse_reconstruction(
        filter=filter_,
        binning=binning,
        post_binning=post_binning,
        tilt_stride=tilt_stride,
        thickness_A=thickness_a,
        erase_beads=erase_beads,
        ctf=ctf,
        **({} if wiener_snr is None else {"wiener_snr": wiener_snr}),
        dose_weighting=dose_weighting,
        halves=halves or [],
        device=device,
        modalities=modality or [],
    )
    command = shlex.join(["faket-dask", *sys.argv[1:]])
    if RunFolder(source).description.exists():
        from faket_dask.progress import ProgressDisplay
        from faket_dask.workflow.reconstruct import reconstruct_dataset

        recorded: dict[str, object] = {"--to": to, "--align": align, "--angles": angles, "--imod": imod}
        recorded |= {"--transforms": transforms, "--pixel-size-A": pixel_size_a, "--tomogram": tomogram}
        recorded |= {"--exclude": exclude, "--exclude-angles": exclude_angles}
        recorded |= {"--ctf-file": ctf_file != "files", "--defocus-um": defocus_um is not None}
        _refuse(recorded, f"for recorded series, and {source} is a data set")
        with resumable(command), ProgressDisplay(err) as display:
            dataset = reconstruct_dataset(
                source, section, watch=display, cluster=cluster, overwrite=overwrite
            )
        if dataset.failures:
            for failure in dataset.failures:
                say(f"  {failure.unit}: {failure.cause}", err=True)
            raise typer.Exit(FAILED)
        say(f"tomograms of {len(dataset.series)} series in {dataset.folder}")
        return
    if cluster != "local":
        raise InputError(f"--cluster is for data sets, and {source} is none; a stack has --threads")
    needs_ctf = section.ctf_method is not None or section.dose_weighting
    if not needs_ctf:
        told: dict[str, object] = {"--ctf-file": ctf_file != "files", "--defocus-um": defocus_um is not None}
        _refuse(told, "for --ctf phase_flip or wiener, and for --dose-weighting")
    series = open_tilt_series(
        source,
        tilt_angles=angles,
        transforms=transforms,
        pixel_size_A=pixel_size_a,
        tomogram=tomogram,
        sign=sign,
        exclude=exclude,
        exclude_angles=exclude_angles,
        ctf=ctf_file if needs_ctf else "none",
        defocus_um=defocus_um,
    )
    target = to if to is not None else Path(f"{source.resolve().name.split('.')[0]}{TOMOGRAM_SUFFIX}")
    files = [path for path in (source, angles, transforms) if path is not None]
    files += [Path(ctf_file)] if Path(ctf_file).is_file() else []
    if align:
        series = series.aligned()
    if imod:
        from faket_dask.workflow.reconstruct import reconstruct_with_imod

        options = {
            "--filter": filter_ != "hann",
            "--binning": binning > 1,
            "--post-binning": post_binning > 1,
            "--erase-beads": erase_beads,
            "--ctf": ctf != "none",
            "--wiener-snr": wiener_snr,
            "--dose-weighting": dose_weighting,
            "--halves": halves,
        }
        _refuse(
            options | {"--tilt-stride": tilt_stride > 1, "--device": device != "cpu"}, "not for IMOD's tilt"
        )

        if thickness_a is None:
            raise InputError("the thickness of the tomogram is not known; add --thickness-A")
        reconstruct_with_imod(series, target, thickness_a, inputs=files, overwrite=overwrite)
    else:
        from faket_dask.workflow.external_stack import reconstruct_series

        with resumable_bar(target.name) as advance:
            reconstruct_series(
                series,
                target,
                section,
                threads,
                advance,
                inputs=files,
                overwrite=overwrite,
            )
    say(str(target))


def _refuse(options: Mapping[str, object], why: str) -> None:
    """Raise an error that names the options that were used and do not apply."""
    used = [name for name, value in options.items() if value]
    if used:
        raise InputError(f"{', '.join(used)}: {why}; leave out")
