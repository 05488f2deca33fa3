"""Stacks in MRC files, with their angles in a file beside them or from the user."""

from __future__ import annotations

from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.mrc import STACK_SUFFIXES, open_stack
from faket_dask.formats.openers.mdoc import open_mdoc
from faket_dask.formats.openers.series_format import (
    SeriesFormat,
    SeriesOptions,
    add_transforms,
    find_beside,
    find_by_suffix,
    sort_images,
)
from faket_dask.formats.shrec import ALIGNMENT_FILE
from faket_dask.formats.tilt_series import TiltSeries

ANGLE_SUFFIXES = (".tlt", ".rawtlt", ".mdoc")
"""Endings of the files of a stack's name that its angles are read from; the first goes before the others."""


class MissingAnglesError(InputError):
    """Stack whose tilt angles neither the user nor a file beside it gives."""


def open_stack_series(path: Path, options: SeriesOptions) -> TiltSeries:
    """Open a stack, with the angles that the user gives or that a file of its name has.

    Raises
    ------
    MissingAnglesError
        If there are no angles.
    InputError
        If a file is absent or damaged, or angles and transforms do not fit the stack.
    """
    stack = open_stack(path, pixel_size_A=options.pixel_size_A)
    angles = options.tilt_angles
    if angles is None:
        shrec = path.with_name(ALIGNMENT_FILE)
        angles = find_beside(path, ANGLE_SUFFIXES) or (shrec if shrec.is_file() else None)
        if angles is None:
            raise MissingAnglesError(
                f"no tilt angles for {path}: write `tilt_angles` (a list or a file), or put "
                f"{path.stem}.tlt beside it"
            )
    if isinstance(angles, Path) and angles.suffix == ".mdoc":
        series = open_mdoc(angles, stack, options.pixel_size_A)
    else:
        images = [(stack, section) for section in range(stack.shape[0])]
        series = sort_images(path, images, angles, options.sign)
    return add_transforms(series, path, options.transforms)


STACK = SeriesFormat(STACK_SUFFIXES, find_by_suffix(*STACK_SUFFIXES), open_stack_series)
