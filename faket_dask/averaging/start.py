"""First reference of an average."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.mrc import open_volume
from faket_dask.geometry.pixel_size import PIXEL_SIZE_TOLERANCE


class StartKind(Enum):
    """Kinds of a first reference."""

    FEATURELESS = "featureless"
    """Average of each half-set in random orientations."""

    ORIENTATIONS = "orientations"
    """Average of each half-set in the orientations of the particle list, which are then refined only."""

    MAP = "map"
    """Density map, the same for both half-sets."""


@dataclass(frozen=True)
class Start:
    """First reference of an average.

    Parameters
    ----------
    kind
        Kind.
    path
        Density map, if it is one.
    """

    kind: StartKind = StartKind.FEATURELESS
    path: Path | None = None

    @classmethod
    def parse(cls, text: str) -> Start:
        """Return the start of a name, which is that of a kind or of a file.

        Raises
        ------
        InputError
            If there is no such file.

        Examples
        --------
        >>> Start.parse("featureless").kind
        <StartKind.FEATURELESS: 'featureless'>
        """
        if text in (StartKind.FEATURELESS.value, StartKind.ORIENTATIONS.value):
            return cls(StartKind(text))
        if not Path(text).is_file():
            raise InputError(
                f"{text} is neither a file nor one of {StartKind.FEATURELESS.value}, {StartKind.ORIENTATIONS.value}, "
                "which an average can start from (--start)"
            )
        return cls(StartKind.MAP, Path(text))


def read_cube(path: Path, voxel_size_A: float, edge: int) -> NDArray[np.float32]:
    """Read a density map into a cube about its middle, cut or filled with its mean.

    Parameters
    ----------
    path
        MRC file, what is dense positive.
    voxel_size_A
        Edge of the tomogram's voxels in Å.
    edge
        Voxels along an edge of the cube.

    Raises
    ------
    InputError
        If it cannot be read, has voxels of another size, or holds NaN or is even throughout.
    """
    volume = open_volume(path)
    if abs(volume.voxel_size_A / voxel_size_A - 1) > PIXEL_SIZE_TOLERANCE:
        raise InputError(
            f"{path} has voxels of {volume.voxel_size_A:g} Å, and the tomogram of {voxel_size_A:g} Å; resample the map "
            f"to {voxel_size_A:g} Å first"
        )
    first = [max(0, size // 2 - edge // 2) for size in volume.shape]
    last = [min(size, start + edge) for size, start in zip(volume.shape, first, strict=True)]
    layers, rows, columns = (slice(start, stop) for start, stop in zip(first, last, strict=True))
    density = volume[layers, rows, columns]
    if not np.isfinite(density).all():
        raise InputError(f"{path} holds NaN or infinity; replace it, for example by the mean")
    if np.ptp(density) == 0:
        raise InputError(f"{path} is even throughout its middle {edge} voxels; it shows no particle")
    cube = np.full((edge,) * 3, density.mean(), np.float32)
    places = [
        slice(edge // 2 - (size // 2 - start), edge // 2 - (size // 2 - start) + stop - start)
        for size, start, stop in zip(volume.shape, first, last, strict=True)
    ]
    cube[tuple(places)] = density
    return cube - cube.mean()
