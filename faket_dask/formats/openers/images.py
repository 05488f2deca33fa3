"""Folders of single images in MRC files, with one file of their angles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.compression import kind_suffix
from faket_dask.formats.mrc import open_stack
from faket_dask.formats.mrc_header import read_header
from faket_dask.formats.openers.ctf_sources import add_ctf
from faket_dask.formats.openers.listed_tilts import check_count, list_stated, make_series
from faket_dask.formats.openers.series_format import SeriesFormat, SeriesOptions, list_visible_files
from faket_dask.formats.openers.tomograms import list_stacks
from faket_dask.formats.shrec import ALIGNMENT_FILE
from faket_dask.formats.tilt_series import TiltSeries, check_images


def _find(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Return the folder if it holds images of one section each, and nothing about them but their angles."""
    images = list_stacks(files)
    others = (".tomostar", ".star", ".mdoc")
    if len(images) < 2 or any(kind_suffix(file) in others or file.name == ALIGNMENT_FILE for file in files):
        return []
    return [] if any(read_header(image).shape[0] > 1 for image in images) else [folder]


def _open(folder: Path, options: SeriesOptions) -> TiltSeries:
    files = list_visible_files(folder)
    images = sorted(list_stacks(files), key=_natural_key)
    angles = options.tilt_angles
    if angles is None:
        matches = [file for file in files if kind_suffix(file) in (".tlt", ".rawtlt")]
        if len(matches) != 1:
            names = ", ".join(file.name for file in matches) or "none"
            raise InputError(
                f"{folder} holds single images ({images[0].name}, …) and needs one file of their angles, .tlt or "
                f".rawtlt, in the order of their names; it has {names}"
            )
        [angles] = matches
    tilts = [(open_stack(image, pixel_size_A=options.pixel_size_A), 0) for image in images]
    listed = list_stated(angles, options.sign, None)
    check_count(listed, len(tilts), folder)
    series = check_images(folder, make_series(listed, tilts.__getitem__, options.exclusion.find))
    return add_ctf(series, options, None)


def _natural_key(path: Path) -> list[int | str]:
    """Key that sorts names with their numbers counted as numbers: t2 before t10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", path.name)]


SINGLE_IMAGES = SeriesFormat((), _find, _open)
