"""Instance mask of a tomogram, by which SHREC finds the particle at a pick."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.mrc import MrcVolume

_LARGEST = int(np.iinfo(np.uint16).max)


def read_occupancy(volume: MrcVolume) -> NDArray[np.uint16]:
    """Read a mask whole, ``(z, y, x)`` uint16.

    Parameters
    ----------
    volume
        Mask in an MRC file.

    Raises
    ------
    InputError
        If a voxel is no whole number from 0 to 65535.
    """
    mask = np.empty(volume.shape, dtype=np.uint16)
    for z in range(volume.shape[0]):
        layer = volume[z : z + 1, :, :][0]
        with np.errstate(invalid="ignore"):
            mask[z] = layer
        wrong = mask[z] != layer
        if wrong.any():
            y, x = (int(index) for index in np.argwhere(wrong)[0])
            raise InputError(
                f"{volume.path}: the voxel x = {x}, y = {y}, z = {z} is {layer[y, x]:g}, no number of an instance "
                f"(0 to {_LARGEST}); name the occupancy mask"
            )
    return mask


def check_instances(
    path: Path, mask: NDArray[np.uint16], instance: NDArray[np.int64], truth: Path, count: int
) -> None:
    """Refuse a mask that is not of the truth's particles.

    Parameters
    ----------
    path
        File of the mask, for messages.
    mask
        ``(z, y, x)`` instances.
    instance
        ``(count,)`` instance of the mask at the position of each particle, in their order; 0 for none.
    truth
        File of the particles, for messages.
    count
        Number of particles.

    Raises
    ------
    InputError
        If the mask has an instance that the truth does not list, or most particles lie on other instances than theirs.
    """
    largest = int(mask.max(initial=0))
    if largest > count:
        raise InputError(
            f"{path} has the instance {largest}, and {truth} lists {count} particles; name the mask and the list of "
            "one tomogram"
        )
    occupied = instance > 0
    strange = occupied & (instance != np.arange(1, count + 1))
    if not occupied.any() or np.count_nonzero(strange) > np.count_nonzero(occupied) / 2:
        raise InputError(
            f"{np.count_nonzero(occupied & ~strange)} of {count} particles of {truth} lie on their own instance in "
            f"{path}; name the mask and the list of one tomogram, with positions of its frame and in the order of its "
            "instances"
        )
