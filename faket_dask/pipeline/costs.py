"""Sizes that the cost estimates of several stages share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from faket_dask.dataset.geometry import BLOCK_ROWS
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.unit import Item
from faket_dask.pipeline.kernel_rates import KernelRates
from faket_dask.stages.tiling import INTERPRETER_BYTES, task_bytes

__all__ = [
    "INTERPRETER_BYTES",
    "STATISTICS_BYTES_PER_PIXEL",
    "average_units",
    "block_rows",
    "block_voxels",
    "cuda_bytes",
    "estimate_projection_reading",
    "reference_pixels",
    "tilt_pixels",
    "transfer_task_bytes",
]

BLOCK_SHARE = 0.5
"""Time in which one more block of rows of a tilt is found and opened over that of an array."""

STATISTICS_BYTES_PER_PIXEL = 96
"""The tilt, its mask, its artefacts filled, and its transform in double precision."""

CUDA_CONTEXT_BYTES = 2**30
"""Memory that CUDA, cuDNN and the network take of a GPU before it holds any image; an estimate."""


def average_units(units: Mapping[Item, int], estimate: Callable[[Item], float]) -> float:
    """Return the mean seconds of a number of units of each item.

    Parameters
    ----------
    units
        Number of units of each item.
    estimate
        Function of an item that returns the seconds of one of its units.
    """
    return sum(count * estimate(item) for item, count in units.items() if count) / sum(units.values())


def tilt_pixels(spec: DatasetSpec) -> int:
    """Return the pixels of a tilt."""
    rows, columns = spec.geometry.tilt_shape
    return rows * columns


def estimate_projection_reading(spec: DatasetSpec, rates: KernelRates) -> float:
    """Estimate the seconds in which one noiseless tilt is read, which lies in a file per block of rows."""
    return (
        BLOCK_SHARE * spec.geometry.block_count * rates.array_s
        + 4 * tilt_pixels(spec) * rates.load_s_per_byte
    )


def block_rows(spec: DatasetSpec) -> int:
    """Return the rows of the largest block."""
    return min(BLOCK_ROWS, spec.geometry.tilt_shape[0])


def block_voxels(spec: DatasetSpec) -> int:
    """Return the voxels of the largest block of a specimen."""
    depth, _, width = spec.geometry.volume_shape(spec.specimens[0])
    return depth * block_rows(spec) * width


def reference_pixels(spec: DatasetSpec) -> int:
    """Return the pixels of the largest tilt of a recorded reference, or of a simulated one where none is recorded."""
    recorded = (int(np.prod(recording.shape[1:])) for recording in spec.inputs.recordings.values())
    return max(recorded, default=tilt_pixels(spec))


def transfer_task_bytes(spec: DatasetSpec) -> int:
    """Return the peak memory of a worker process that may get any task of the transfer."""
    shapes = [(recording.shape[1], recording.shape[2]) for recording in spec.inputs.recordings.values()]
    style = spec.config.style
    return task_bytes(style, spec.geometry.tilt_shape, shapes, style.tile_px)


def cuda_bytes(memory_bytes: int) -> int:
    """Return the peak memory of a GPU for work that takes a process this much memory on a processor."""
    return CUDA_CONTEXT_BYTES + memory_bytes - INTERPRETER_BYTES
