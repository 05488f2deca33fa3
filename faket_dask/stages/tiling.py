"""Side of the tiles of a style transfer, resolved once from the memory that a task may take."""

from __future__ import annotations

import math
from collections.abc import Sequence

from faket_dask.config import StyleSection
from faket_dask.errors import InputError
from faket_dask.kernels.style.memory import tiled_work, tiles_from_largest

GIB = 2**30

INTERPRETER_BYTES = 1000 * 2**20
"""Memory of a worker process with PyTorch, numba, Dask and a VGG-19 loaded, before it holds any image.

Measured are 780 to 980 MiB: about 450 of them are its own, and of the libraries' files a kernel counts as resident
whatever it has mapped along, which is more where they are cached in large pages.
"""


def resolve_tile(
    style: StyleSection, tilt_shape: tuple[int, int], reference_shapes: Sequence[tuple[int, int]]
) -> StyleSection:
    """Replace `tile: auto` of a section by the largest tile with which every task fits.

    Results depend on the tile (by rounding), so it must not depend on where a task runs: not on the memory of a
    machine, but on the memory that the configuration states for a task.

    Parameters
    ----------
    style
        Section of the run file.
    tilt_shape
        ``(y, x)`` of the tilts that are made.
    reference_shapes
        ``(y, x)`` of the tilts of each reference.

    Raises
    ------
    InputError
        If not even the smallest tile fits.
    """
    if style.tile != "auto":
        return style
    available = style.memory_per_task_GiB * GIB
    least = float("inf")
    alignment = style.style_network.architecture.alignment
    for tile in tiles_from_largest([tilt_shape, *reference_shapes], alignment):
        needed = task_bytes(style, tilt_shape, reference_shapes, tile)
        if needed <= available:
            return style.model_copy(update={"tile": tile or "whole"})
        least = min(least, needed)
    raise InputError(
        f"style.memory_per_task_GiB is {style.memory_per_task_GiB:g}, but a tilt of "
        f"{tilt_shape[0]} x {tilt_shape[1]} pixels takes {least / GIB:.2f} GiB even in the smallest tiles; "
        f"raise it to {math.ceil(10 * least / GIB) / 10:g} or more"
    )


def task_bytes(
    style: StyleSection,
    tilt_shape: tuple[int, int],
    reference_shapes: Sequence[tuple[int, int]],
    tile: int | None,
) -> int:
    """Return the peak memory of a worker process that may get any task of the transfer, interpreter included."""
    architecture, method = style.style_network.architecture, style.transfer
    transfer = method.transfer_bytes(tilt_shape, tile, architecture, style.precision)
    measure = [method.measure_bytes(shape, tile, architecture, style.precision) for shape in reference_shapes]
    return INTERPRETER_BYTES + max(transfer, *measure, 0)


def transfer_work(style: StyleSection, tilt_shape: tuple[int, int]) -> float:
    """Return the work of the transfer of one tilt, in evaluations of the loss of a whole image.

    Parameters
    ----------
    style
        Section of a resolved configuration.
    tilt_shape
        ``(y, x)`` of the tilts that are made.
    """
    method = style.transfer
    work = tiled_work(tilt_shape, style.tile_px, style.style_network.architecture, method.layers)
    return method.evaluations * work
