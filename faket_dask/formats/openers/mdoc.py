"""Series described by an `.mdoc` of SerialEM, of a stack beside it or of single images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.mdoc import read_mdoc
from faket_dask.formats.mrc import STACK_SUFFIXES, MrcStack, open_stack
from faket_dask.formats.openers.series_format import (
    SeriesFormat,
    SeriesOptions,
    add_transforms,
    open_movie_average,
)
from faket_dask.formats.tilt_list import FindLeftOut
from faket_dask.formats.tilt_series import TiltSeries, check_images


def open_mdoc(
    path: Path,
    stack: MrcStack | None,
    pixel_size_A: float | None,
    find_left_out: FindLeftOut,
) -> TiltSeries:
    """Open the series of an `.mdoc`.

    Parameters
    ----------
    path
        `.mdoc` file.
    stack
        Stack of the series; by default the one of the file's name, or else the images that it names.
    pixel_size_A
        Edge of a pixel in Å, in place of the file's.
    find_left_out
        Function of all tilts that returns which of them are left out.

    Raises
    ------
    InputError
        If a file is absent or damaged, or sections and images do not fit together.
    """
    mdoc = read_mdoc(path, pixel_size_A=pixel_size_A, find_left_out=find_left_out)
    edge = mdoc.geometry.pixel_size_A
    if stack is None:
        stack = _open_named_stack(path, edge)
    if stack is None:
        averages = [open_movie_average(path, frames, edge) for frames in mdoc.frames]
        series = TiltSeries(mdoc.geometry, tuple((image, 0) for image in averages))
        return check_images(path, replace(series, recorded=mdoc.recorded, rows=mdoc.rows))
    sections, last = len(mdoc.recorded), max(mdoc.recorded.numbers)
    if last > stack.shape[0] or sections != stack.shape[0]:
        raise InputError(
            f"{path} has {sections} sections up to {last - 1}, {stack.path} has {stack.shape[0]} tilts"
        )
    images = tuple((stack, section) for section in mdoc.sections)
    recorded = replace(mdoc.recorded, stack=stack.path)
    return TiltSeries(mdoc.geometry, images, recorded=recorded, rows=mdoc.rows)


def _open_named_stack(path: Path, pixel_size_A: float) -> MrcStack | None:
    """Open the stack that an `.mdoc` has its name from: ``a.mrc`` of ``a.mrc.mdoc``, or of ``a.mdoc``."""
    stem = path.with_suffix("")
    candidates = [stem] if stem.suffix in STACK_SUFFIXES else []
    candidates += [stem.with_name(stem.name + suffix) for suffix in STACK_SUFFIXES]
    stack = next((candidate for candidate in candidates if candidate.is_file()), None)
    return None if stack is None else open_stack(stack, pixel_size_A=pixel_size_A)


def _find(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Return the only `.mdoc` of a folder; several are those of single images or of the stacks beside them."""
    matches = [file for file in files if file.suffix == ".mdoc"]
    return matches if len(matches) == 1 else []


def _open(path: Path, options: SeriesOptions) -> TiltSeries:
    return add_transforms(
        open_mdoc(path, None, options.pixel_size_A, options.exclusion.find), path, options.transforms
    )


MDOC = SeriesFormat((".mdoc",), _find, _open)
