"""Batches of patches, read from stores ahead of their use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.kernels.picking.patches import prepare_patch, turn_about_y
from faket_dask.pickers.classes import PickerClasses
from faket_dask.pickers.sampling import PatchPlace
from faket_dask.pickers.training_tomogram import TrainingTomogram

READERS = 2
"""Threads that read patches while the network computes."""

AHEAD = 4
"""Batches that are read ahead of the one in use; a batch of 25 patches of 56³ takes 53 MB."""

T = TypeVar("T")
R = TypeVar("R")


class PatchBatch(NamedTuple):
    """Patches with their labels.

    Parameters
    ----------
    patches
        ``(batch, 1, z, y, x)`` float32, each of mean 0 and standard deviation 1.
    channels
        ``(batch, z, y, x)`` int64: channel of each voxel's class.
    """

    patches: NDArray[np.float32]
    channels: NDArray[np.int64]


def read_batch(
    tomograms: Sequence[TrainingTomogram], classes: PickerClasses, places: Sequence[PatchPlace]
) -> PatchBatch:
    """Read patches and their labels from where they are stored.

    Parameters
    ----------
    tomograms
        Labelled tomograms.
    classes
        Their classes.
    places
        Places of the patches.

    Raises
    ------
    InputError
        If a patch holds NaN or a label of no class.
    """
    patches, channels = [], []
    for place in places:
        tomogram = tomograms[place.tomogram]
        where = f"tomogram {tomogram.name}, patch from voxel {tuple(part.start for part in place.region)}"
        try:
            patches.append(prepare_patch(tomogram.tomogram[place.region], turned=place.turned))
        except ValueError as error:
            raise InputError(f"{where} (z, y, x): {error}; reconstruct it again") from None
        labels = classes.to_channels(np.asarray(tomogram.class_mask[place.region]))
        if labels.min() < 0:
            raise InputError(f"{where} (z, y, x) has a label of no class; mend the mask")
        channels.append(turn_about_y(labels) if place.turned else labels)
    return PatchBatch(np.stack(patches)[:, None], np.stack(channels))


def prefetch(
    function: Callable[[T], R], arguments: Iterable[T], *, readers: int = READERS, ahead: int = AHEAD
) -> Iterator[R]:
    """Yield the results of a function in the order of its arguments, computed ahead in threads.

    Parameters
    ----------
    function
        Function that may be called in any thread.
    arguments
        Its arguments.
    readers
        Number of threads.
    ahead
        Largest number of results that wait for their use.
    """
    left = iter(arguments)
    with ThreadPoolExecutor(readers) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for argument in left:
                waiting.append(pool.submit(function, argument))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
