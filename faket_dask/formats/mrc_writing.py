"""Write MRC files: strictly to the standard, block by block, whole or not at all.

The statistics in the header are gathered on the way. Nothing in the file depends on the time or the machine: the
same data give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from faket_dask.atomic import replace_atomically
from faket_dask.formats.mrc_header import IMAGE_STACK, VOLUME, new_header

_BLOCK_ROWS = 64


class ArrayLike3D(Protocol):
    """Volume that can be written: an array in memory, in a Zarr store, or in another file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels ``(z, y, x)``."""
        ...

    @property
    def dtype(self) -> Any:
        """Type of a voxel, for `numpy.dtype`."""
        ...

    def __getitem__(self, key: Any, /) -> Any: ...


def write_stack(
    path: Path, tilts: Iterable[NDArray[Any]], shape: tuple[int, int, int], pixel_size_A: float
) -> None:
    """Write a tilt-series tilt by tilt, whole or not at all.

    Parameters
    ----------
    path
        File to write; replaced when the last tilt is written.
    tilts
        Images ``(y, x)``, as many as ``shape`` says, taken one at a time; stored as float32.
    shape
        Tilts, rows, columns.
    pixel_size_A
        Edge of a pixel in Å.

    Raises
    ------
    ValueError
        If the tilts do not have the shape that was announced.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from faket_dask.formats.mrc import open_stack
    >>> tilts = np.zeros((3, 4, 6), dtype=np.float32)
    >>> with TemporaryDirectory() as folder:
    ...     write_stack(Path(folder) / "a.mrc", tilts, tilts.shape, 2.5)
    ...     stack = open_stack(Path(folder) / "a.mrc")
    >>> stack.shape, stack.pixel_size_A
    ((3, 4, 6), 2.5)
    """
    header = new_header(shape, np.dtype(np.float32), _positive(pixel_size_A), IMAGE_STACK)
    statistics = _Statistics()
    with replace_atomically(path) as temporary, open(temporary, "wb") as file:
        file.write(header.tobytes())
        count = 0
        for tilt in tilts:
            image = np.ascontiguousarray(tilt, dtype="<f4")
            if image.shape != shape[1:] or count == shape[0]:
                raise ValueError(f"tilt {count} of shape {image.shape} does not belong to a stack of {shape}")
            file.write(image.data)
            statistics.add(image)
            count += 1
        if count != shape[0]:
            raise ValueError(f"there were {count} tilts, {shape[0]} were announced")
        _finish(file, header, statistics)


def write_volume(path: Path, volume: ArrayLike3D, voxel_size_A: float) -> None:
    """Write a volume block by block, whole or not at all.

    Parameters
    ----------
    path
        File to write; replaced when the last block is written.
    volume
        ``(z, y, x)`` array in memory, of a Zarr store, or anything that is sliced like one; it is read in blocks
        of y. float32, int8, int16 and uint16 are stored as they are, other floats as float32, bool as int8
        and uint8 as uint16 (MRC has no such type).
    voxel_size_A
        Edge of a voxel in Å.

    Raises
    ------
    ValueError
        If the volume does not have three dimensions, or a type that MRC files cannot hold.
    """
    if len(volume.shape) != 3 or min(volume.shape) < 1:
        raise ValueError(f"a volume must be (z, y, x), got shape {tuple(volume.shape)}")
    depth, height, width = (int(size) for size in volume.shape)
    stored = _stored_type(np.dtype(volume.dtype))
    header = new_header((depth, height, width), stored, _positive(voxel_size_A), VOLUME)
    statistics = _Statistics()
    with replace_atomically(path) as temporary, open(temporary, "wb") as file:
        file.write(header.tobytes())
        file.truncate(header.nbytes + stored.itemsize * depth * height * width)
        for start in range(0, height, _BLOCK_ROWS):
            block = np.ascontiguousarray(volume[:, start : start + _BLOCK_ROWS, :], dtype=stored)
            for z in range(depth):
                file.seek(header.nbytes + stored.itemsize * (z * height + start) * width)
                file.write(block[z].data)
            statistics.add(block)
        _finish(file, header, statistics)


class _Statistics:
    """Extrema, mean and standard deviation of blocks (pairwise update of Chan et al., 1979)."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0
        self.least, self.greatest = np.inf, -np.inf

    def add(self, block: NDArray[Any]) -> None:
        values = block.astype(np.float64)
        mean, count = float(values.mean()), values.size
        values -= mean
        difference, total = mean - self.mean, self.count + count
        self.squares += float(np.vdot(values, values)) + difference**2 * self.count * count / total
        self.mean += difference * count / total
        self.count = total
        self.least = min(self.least, float(block.min()))
        self.greatest = max(self.greatest, float(block.max()))


def _finish(file: BinaryIO, header: NDArray[np.void], statistics: _Statistics) -> None:
    header["dmin"], header["dmax"], header["dmean"] = statistics.least, statistics.greatest, statistics.mean
    header["rms"] = np.sqrt(statistics.squares / statistics.count)
    file.seek(0)
    file.write(header.tobytes())


def _stored_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    stored = {"f8": "f4", "f2": "f4", "b1": "i1", "u1": "u2"}.get(dtype.str[1:], dtype.str[1:])
    if stored not in ("f4", "i1", "i2", "u2"):
        raise ValueError(f"MRC files cannot hold {dtype}; convert it to float32, int8, int16 or uint16")
    return np.dtype(f"<{stored}")


def _positive(edge_A: float) -> float:
    if not (np.isfinite(edge_A) and edge_A > 0):
        raise ValueError(f"the edge of a pixel must be positive, got {edge_A} Å")
    return edge_A
