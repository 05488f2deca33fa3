"""RELION-5 tables of tomograms or tilt-series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.files import find_upwards
from faket_dask.formats.mrc import MrcStack, open_stack
from faket_dask.formats.openers.series_format import SeriesFormat, SeriesOptions
from faket_dask.formats.relion5 import RelionTomogram, read_tomograms
from faket_dask.formats.tilt_series import TiltSeries, check_images


def _find(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Return RELION's tables by their own names where the folder has them, any other `.star` otherwise."""
    matches = [file for file in files if file.suffix == ".star"]
    return [file for file in matches if file.name in ("tomograms.star", "tilt_series.star")] or matches


def _open(path: Path, options: SeriesOptions) -> TiltSeries:
    tomogram = _choose_tomogram(path, options.tomogram)
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
    return check_images(path, TiltSeries(geometry, images))


def _choose_tomogram(path: Path, name: str | None) -> RelionTomogram:
    tomograms = {tomogram.name: tomogram for tomogram in read_tomograms(path)}
    if name is None and len(tomograms) != 1:
        raise InputError(
            f"{path} has {len(tomograms)} tomograms; name one by --tomogram, or by the key tomogram of a run file, "
            f"such as {next(iter(tomograms), '')!r}"
        )
    if name is not None and name not in tomograms:
        raise InputError(f"{path} has no tomogram {name!r}; it has {', '.join(list(tomograms)[:6])}")
    return tomograms[name if name is not None else next(iter(tomograms))]


RELION5 = SeriesFormat((".star",), _find, _open)
