"""MRC files: tilt-series (stacks of images) and volumes, read and written block by block.

Files may be larger than memory. Blocks are read with plain reads, not through a memory map: a file that
shrinks or a file server that fails then gives an error, where a memory map would end the process. A handle
keeps no file open, so it can be sent to another process.

Volumes whose file has another order of axes, as maps from crystallography often do, are turned to ``(z, y, x)``;
a stack of images in another order is refused, since its sections are no tilts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.mrc_header import IMAGE_STACK, XYZ_ORDER, MrcHeader, read_header
from faket_dask.formats.mrc_writing import write_stack, write_volume
from faket_dask.geometry import resolve_pixel_size

__all__ = [
    "STACK_SUFFIXES",
    "MrcArray",
    "MrcStack",
    "MrcVolume",
    "open_samples",
    "open_stack",
    "open_volume",
    "write_stack",
    "write_volume",
]

STACK_SUFFIXES = (".mrc", ".st", ".ali", ".mrcs", ".map", ".rec")
"""Endings of the names of MRC files that hold tilt-series."""


@dataclass(frozen=True)
class MrcArray:
    """Array ``(z, y, x)`` in an MRC file, read block by block; its voxel size does not matter, as in a mask.

    Parameters
    ----------
    header
        Place and type of the samples.
    """

    header: MrcHeader

    @property
    def path(self) -> Path:
        """MRC file."""
        return self.header.path

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size along z (or tilts), y and x."""
        return self.header.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of a sample in the file."""
        return self.header.dtype

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Read a block of y slices, ``(z or tilt, stop - start, x)`` float32.

        Raises
        ------
        InputError
            If the file has gone or has become shorter.
        """
        rows = self.shape[1]
        if not 0 <= start < stop <= rows:
            raise IndexError(f"{self.path} has {rows} rows, there are no rows {start} to {stop}")
        return self[:, start:stop, :]

    def __getitem__(self, region: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        """Read a block ``(z, y, x)`` float32 of plain slices without steps.

        Raises
        ------
        InputError
            If the file has gone or has become shorter.
        """
        axes = self.header.zyx_axes
        bounds = [(0, 0)] * 3
        for axis, part, size in zip(axes, region, self.shape, strict=True):
            start, stop, _ = part.indices(size)
            bounds[axis] = (start, max(start, stop))
        (first, last), (top, bottom), (left, right) = bounds
        block = np.empty((last - first, bottom - top, right - left), dtype=np.float32)
        for section in range(first, last if block.size else first):
            block[section - first] = self._read_section(section, top, bottom)[:, left:right]
        return np.ascontiguousarray(block.transpose(axes))

    def checksum(self) -> str:
        """SHA-256 of the file as it is, compressed or not, in hexadecimal digits.

        Raises
        ------
        InputError
            If the file cannot be read.
        """
        try:
            with open(self.path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}") from None

    def _read_section(self, section: int, start: int, stop: int) -> NDArray[np.float32]:
        """Read rows ``start <= row < stop`` of a section as they are stored, ``(row, column)`` float32."""
        header = self.header
        _, rows, columns = header.stored_shape
        count = (stop - start) * columns
        offset = header.offset + header.dtype.itemsize * (section * rows + start) * columns
        try:
            values = np.fromfile(header.data_path, dtype=header.dtype, count=count, offset=offset)
        except OSError as error:
            raise InputError(f"{header.path} cannot be read: {error.strerror or error}") from None
        if values.size < count:
            raise InputError(f"{header.path} has become shorter since it was opened; copy or export it again")
        return values.astype(np.float32).reshape(stop - start, columns)


@dataclass(frozen=True)
class MrcStack(MrcArray):
    """Tilt-series in an MRC file.

    Parameters
    ----------
    header
        Place and type of the samples.
    pixel_size_A
        Edge of a pixel in Å.
    """

    pixel_size_A: float

    def tilt(self, index: int) -> NDArray[np.float32]:
        """Read one tilt, ``(y, x)`` float32.

        Raises
        ------
        InputError
            If the file has gone or has become shorter.
        """
        tilts, rows, _ = self.shape
        if not 0 <= index < tilts:
            raise IndexError(f"{self.path} has {tilts} tilts, there is no tilt {index}")
        return self._read_section(index, 0, rows)


@dataclass(frozen=True)
class MrcVolume(MrcArray):
    """Volume in an MRC file; its axes may be stored in any order.

    Parameters
    ----------
    header
        Place and type of the samples.
    voxel_size_A
        Edge of a voxel in Å.
    """

    voxel_size_A: float


def open_stack(
    path: Path, *, pixel_size_A: float | None = None, stated: tuple[object, float] | None = None
) -> MrcStack:
    """Open a tilt-series; only the header is read.

    A file with a single section is a series of one tilt.

    Parameters
    ----------
    path
        MRC file (`.mrc`, `.st`, `.ali`, …) of mode 0, 1, 2, 6 or 12.
    pixel_size_A
        Edge of a pixel in Å; taken, with a warning, where the header contradicts it by more than 1 %.
    stated
        Another file that states the edge of a pixel, and what it states, in Å; taken where the header has none, and
        warned of where the header contradicts it by more than 1 %.

    Raises
    ------
    InputError
        If the file is absent, not an MRC file, of an unsupported mode, truncated, of impossible dimensions, a
        stack of volumes, of another order of axes, or has no pixel size, or different ones along the axes, and none
        is given.
    """
    header = read_header(Path(path))
    if header.axes != XYZ_ORDER:
        raise InputError(
            f"{path} stores its axes in the order {header.axes} instead of x, y, z (1, 2, 3), so its sections are no "
            "tilts; rewrite it in that order"
        )
    if header.extended.montage:
        raise InputError(
            f"{path} is a montage: its extended header says that several sections are pieces of one image; blend them "
            "first (IMOD: blendmont)"
        )
    return MrcStack(header, resolve_pixel_size(path, header.edges_A[:2], pixel_size_A, other=stated))


def open_volume(path: Path, *, voxel_size_A: float | None = None) -> MrcVolume:
    """Open a volume; only the header is read.

    Parameters
    ----------
    path
        MRC file (`.mrc`, `.rec`, `.map`, …) of mode 0, 1, 2, 6 or 12; its axes may be in any order.
    voxel_size_A
        Edge of a voxel in Å; taken, with a warning, where the header contradicts it by more than 1 %.

    Raises
    ------
    InputError
        If the file is absent, not an MRC file, of an unsupported mode, truncated, of impossible dimensions, a
        single image, a stack of volumes, or has no voxel size, or different ones along the axes, and none
        is given.
    """
    header = _read_volume_header(Path(path))
    edge = resolve_pixel_size(path, header.edges_A, voxel_size_A, quantity="voxel size")
    return MrcVolume(header, edge)


def open_samples(path: Path) -> MrcArray:
    """Open the samples of a volume, such as a label mask, without regard to its voxel size.

    Parameters
    ----------
    path
        MRC file, as for `open_volume`.

    Raises
    ------
    InputError
        As for `open_volume`, but for the voxel size.
    """
    return MrcArray(_read_volume_header(Path(path)))


def _read_volume_header(path: Path) -> MrcHeader:
    header = read_header(path, stacklevel=4)
    if header.stored_shape[0] == 1 and header.space_group == IMAGE_STACK:
        raise InputError(
            f"{path} is a single image of {header.shape[1:]} pixels; a volume (z, y, x) is expected"
        )
    return header
