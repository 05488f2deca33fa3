"""Series described by an `.mdoc` of SerialEM, of a stack beside it or of single images."""

from __future__ import annotations

from collections.abc import Sequence
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
from faket_dask.formats.tilt_series import TiltSeries, check_images


def open_mdoc(path: Path, stack: MrcStack | None, pixel_size_A: float | None) -> TiltSeries:
    """Open the series of an `.mdoc`.

    Parameters
    ----------
    path
        `.mdoc` file.
    stack
        Stack of the series; by default the one of the file's name, or else the images that it names.
    pixel_size_A
        Edge of a pixel in Å, in place of the file's.

    Raises
    ------
    InputError
        If a file is absent or damaged, or sections and images do not fit together.
    """
    mdoc = read_mdoc(path, pixel_size_A=pixel_size_A)
    edge = mdoc.geometry.pixel_size_A
    if stack is None:
        stack = _open_named_stack(path, edge)
    if stack is None:
        images = [open_movie_average(path, frames, edge) for frames in mdoc.frames]
        return check_images(path, TiltSeries(mdoc.geometry, tuple((image, 0) for image in images)))
    if max(mdoc.sections) >= stack.shape[0] or len(mdoc.sections) != stack.shape[0]:
        raise InputError(
            f"{path} has {len(mdoc.sections)} sections up to {max(mdoc.sections)}, {stack.path} has "
            f"{stack.shape[0]} tilts"
        )
    return TiltSeries(mdoc.geometry, tuple((stack, section) for section in mdoc.sections))


def _open_named_stack(path: Path, pixel_size_A: float) -> MrcStack | None:
    """Open the stack that an `.mdoc` has its name from: ``a.mrc`` of ``a.mrc.mdoc``, or of ``a.mdoc``."""
    stack = next((candidate for candidate in list_named_stacks(path) if candidate.is_file()), None)
    return None if stack is None else open_stack(stack, pixel_size_A=pixel_size_A)


def list_named_stacks(path: Path) -> list[Path]:
    """List the stacks that an `.mdoc` may have its name from; the first that is there is read."""
    stem = path.with_suffix("")
    candidates = [stem] if stem.suffix in STACK_SUFFIXES else []
    return candidates + [stem.with_name(stem.name + suffix) for suffix in STACK_SUFFIXES]


def _find(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Return the only `.mdoc` of a folder; several are those of single images or of the stacks beside them."""
    matches = [file for file in files if file.suffix == ".mdoc"]
    return matches if len(matches) == 1 else []


def _open(path: Path, options: SeriesOptions) -> TiltSeries:
    return add_transforms(open_mdoc(path, None, options.pixel_size_A), path, options.transforms)


MDOC = SeriesFormat((".mdoc",), _find, _open)
