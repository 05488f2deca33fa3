"""RELION-5 tables of tomograms or tilt-series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.files import find_upwards
from faket_dask.formats.mrc import MrcStack, open_stack
from faket_dask.formats.openers.ctf_sources import add_ctf
from faket_dask.formats.openers.series_format import SeriesFormat, SeriesOptions
from faket_dask.formats.relion5 import (
    RelionTomogram,
    read_ctf_table,
    read_tomogram_names,
    read_tomograms,
)
from faket_dask.formats.tilt_series import TiltSeries, check_images


def _find(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Return RELION's tables by their own names where the folder has them, any other `.star` otherwise."""
    matches = [file for file in files if file.suffix == ".star"]
    return [file for file in matches if file.name in ("tomograms.star", "tilt_series.star")] or matches


def _open(path: Path, options: SeriesOptions) -> TiltSeries:
    tomogram = _choose_tomogram(path, options)
    geometry = tomogram.geometry
    if options.pixel_size_A is not None:
        geometry = replace(geometry, pixel_size_A=options.pixel_size_A)
    stacks: dict[str, MrcStack] = {}
    for file in tomogram.stacks:
        if file not in stacks:
            stacks[file] = open_stack(find_upwards(path, file), pixel_size_A=geometry.pixel_size_A)
    images = tuple(
        (stacks[file], section) for file, section in zip(tomogram.stacks, tomogram.sections, strict=True)
    )
    unapplied = (f"{path} has deformations of the images (rlnTomoDeformation…), which are not applied",)
    series = TiltSeries(
        geometry,
        images,
        recorded=tomogram.recorded,
        rows=tomogram.rows,
        unapplied=unapplied if tomogram.has_deformations else (),
    )
    own = read_ctf_table(path, tomogram.name) if options.reads_own_ctf else None
    return add_ctf(check_images(path, series), options, own)


def _choose_tomogram(path: Path, options: SeriesOptions) -> RelionTomogram:
    names, name = read_tomogram_names(path), options.tomogram
    if name is None and len(names) != 1:
        raise InputError(
            f"{path} has {len(names)} tomograms; name one by --tomogram, or by the key tomogram of a run file, "
            f"such as {next(iter(names), '')!r}"
        )
    if name is not None and name not in names:
        raise InputError(f"{path} has no tomogram {name!r}; it has {', '.join(names[:6])}")
    return read_tomograms(path, name or names[0], options.exclusion.find, read_ctf=False)[-1]


RELION5 = SeriesFormat((".star",), _find, _open)
