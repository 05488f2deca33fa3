"""MRC files: tilt-series (stacks of images) and volumes, read and written block by block.

Files may be larger than memory. Blocks are read with plain reads, not through a memory map: a file that
shrinks or a file server that fails then gives an error, where a memory map would end the process. A handle
keeps no file open, so it can be sent to another process.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.mrc_header import MrcHeader, read_header
from faket_dask.formats.mrc_writing import write_stack, write_volume

__all__ = ["MrcStack", "MrcVolume", "open_stack", "open_volume", "write_stack", "write_volume"]


@dataclass(frozen=True)
class MrcStack:
    """A tilt-series in an MRC file.

    Parameters
    ----------
    header
        Where and how the samples lie.
    pixel_size_A
        Edge of a pixel in Å.
    """

    header: MrcHeader
    pixel_size_A: float

    @property
    def path(self) -> Path:
        """The file."""
        return self.header.path

    @property
    def shape(self) -> tuple[int, int, int]:
        """Tilts, rows (y), columns (x)."""
        return self.header.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of a sample in the file."""
        return self.header.dtype

    def tilt(self, index: int) -> NDArray[np.float32]:
        """Read one tilt, ``(y, x)`` float32.

        Raises
        ------
        InputError
            If the file has gone or has become shorter.
        """
        tilts, rows, columns = self.shape
        if not 0 <= index < tilts:
            raise IndexError(f"{self.path} has {tilts} tilts, there is no tilt {index}")
        return _read(self.header, index, 0, rows).reshape(rows, columns)

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Read a block of rows of every tilt, ``(tilt, stop - start, x)`` float32.

        Raises
        ------
        InputError
            If the file has gone or has become shorter.
        """
        return _read_rows(self.header, start, stop)

    def checksum(self) -> str:
        """SHA-256 of the file, in hexadecimal digits."""
        return _checksum(self.path)


@dataclass(frozen=True)
class MrcVolume:
    """A volume in an MRC file.

    Parameters
    ----------
    header
        Where and how the samples lie.
    voxel_size_A
        Edge of a voxel in Å.
    """

    header: MrcHeader
    voxel_size_A: float

    @property
    def path(self) -> Path:
        """The file."""
        return self.header.path

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels ``(z, y, x)``."""
        return self.header.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of a sample in the file."""
        return self.header.dtype

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Read a block of y slices, ``(z, stop - start, x)`` float32.

        Raises
        ------
        InputError
            If the file has gone or has become shorter.
        """
        return _read_rows(self.header, start, stop)

    def checksum(self) -> str:
        """SHA-256 of the file, in hexadecimal digits."""
        return _checksum(self.path)


def open_stack(path: Path, *, pixel_size_A: float | None = None) -> MrcStack:
    """Open a tilt-series; only the header is read.

    A file with a single section is a series of one tilt.

    Parameters
    ----------
    path
        MRC file (`.mrc`, `.st`, `.ali`, …) of mode 0, 1, 2, 6 or 12.
    pixel_size_A
        Edge of a pixel in Å; taken, with a warning, where the header contradicts it by more than 1 %.

    Raises
    ------
    InputError
        If the file is absent, not an MRC file, of an unsupported mode, truncated, of impossible dimensions, a
        stack of volumes, or has no pixel size or a contradictory one and none is given.
    """
    header = read_header(Path(path))
    return MrcStack(header, header.edge_A(2, pixel_size_A))


def open_volume(path: Path, *, voxel_size_A: float | None = None) -> MrcVolume:
    """Open a volume; only the header is read.

    Parameters
    ----------
    path
        MRC file (`.mrc`, `.rec`, `.map`, …) of mode 0, 1, 2, 6 or 12.
    voxel_size_A
        Edge of a voxel in Å; taken, with a warning, where the header contradicts it by more than 1 %.

    Raises
    ------
    InputError
        As `open_stack`; and if there is a single section.
    """
    header = read_header(Path(path))
    if header.shape[0] == 1:
        raise InputError(
            f"{path} is a single image of {header.shape[1:]} pixels; a volume (z, y, x) is expected"
        )
    return MrcVolume(header, header.edge_A(3, voxel_size_A))


def _read(header: MrcHeader, section: int, start: int, stop: int) -> NDArray[np.float32]:
    _, rows, columns = header.shape
    count = (stop - start) * columns
    offset = header.offset + header.dtype.itemsize * (section * rows + start) * columns
    try:
        values = np.fromfile(header.path, dtype=header.dtype, count=count, offset=offset)
    except OSError as error:
        raise InputError(f"{header.path} cannot be read: {error.strerror or error}") from None
    if values.size < count:
        raise InputError(f"{header.path} has become shorter since it was opened; copy or export it again")
    return values.astype(np.float32)


def _read_rows(header: MrcHeader, start: int, stop: int) -> NDArray[np.float32]:
    sections, rows, columns = header.shape
    if not 0 <= start < stop <= rows:
        raise IndexError(f"{header.path} has {rows} rows, there are no rows {start} to {stop}")
    block = np.empty((sections, stop - start, columns), dtype=np.float32)
    for section in range(sections):
        block[section] = _read(header, section, start, stop).reshape(stop - start, columns)
    return block


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    return digest.hexdigest()
