"""Series described by an `.mdoc` of SerialEM, of a stack beside it or of single images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from faket_dask.formats.compression import COMPRESSED_SUFFIXES, kind_suffix, strip_compression
from faket_dask.formats.mdoc import Mdoc, read_mdoc
from faket_dask.formats.mrc import STACK_SUFFIXES, MrcStack
from faket_dask.formats.openers.ctf_sources import add_ctf
from faket_dask.formats.openers.listed_tilts import list_mdoc, make_series
from faket_dask.formats.openers.series_format import SeriesFormat, SeriesOptions, open_movie_average
from faket_dask.formats.openers.stack import open_stack_series
from faket_dask.formats.tilt_series import TiltSeries, check_images


def _open(path: Path, options: SeriesOptions) -> TiltSeries:
    mdoc = read_mdoc(path)
    stack = _find_stack(mdoc)
    if stack is not None:
        return open_stack_series(stack, options, mdoc_file=path)
    return _open_images(mdoc, options)


def _open_images(mdoc: Mdoc, options: SeriesOptions) -> TiltSeries:
    """Open the single images of the movies that an `.mdoc` names."""
    edge = options.pixel_size_A
    stated = None if mdoc.pixel_size_A is None else (mdoc.path, mdoc.pixel_size_A)

    def open_image(place: int) -> tuple[MrcStack, int]:
        nonlocal edge, stated
        image = open_movie_average(mdoc.path, mdoc.frames[place], edge, stated)
        edge, stated = image.pixel_size_A, None
        return image, 0

    listed = list_mdoc(mdoc, np.arange(len(mdoc)), None)
    axis = mdoc.tilt_axis_angle()
    series = check_images(mdoc.path, make_series(listed, open_image, options.exclusion.find, axis))
    return add_ctf(series, options, listed.ctf)


def _find_stack(mdoc: Mdoc) -> Path | None:
    candidates = list_named_stacks(mdoc.path, mdoc.image_file)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def list_named_stacks(path: Path, image_file: str | None = None) -> list[Path]:
    """List the stacks that an `.mdoc` may be of, of which the first that is there is read.

    Parameters
    ----------
    path
        `.mdoc` file; its name gives ``a.mrc`` of ``a.mrc.mdoc`` or of ``a.mdoc``.
    image_file
        Name of the stack as the file itself says it, if it does.
    """
    stem = strip_compression(path).with_suffix("")
    names = [stem.name] if kind_suffix(stem) in STACK_SUFFIXES else []
    names += [stem.name + suffix for suffix in STACK_SUFFIXES]
    names += [image_file] if image_file else []
    if kind_suffix(stem) in STACK_SUFFIXES:
        names += [stem.stem + suffix for suffix in STACK_SUFFIXES]
    return [path.with_name(name + packed) for name in names for packed in ("", *COMPRESSED_SUFFIXES)]


def _find(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Return the only `.mdoc` of a folder; several are those of single images or of the stacks beside them."""
    matches = [file for file in files if kind_suffix(file) == ".mdoc"]
    return matches if len(matches) == 1 else []


MDOC = SeriesFormat((".mdoc",), _find, _open)
