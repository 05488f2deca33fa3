"""Headers of MRC files: read leniently, written to the standard.

Many real files break the standard (MRC2014; Cheng et al., J. Struct. Biol. 192, 2015) in ways that do not keep
their data from being read: a missing version, a wrong machine stamp, a volume marked as a stack of images. Every
header with one meaning is accepted, with one warning a file. `nstart` and `origin` are ignored, since programs
disagree about their meaning. Sizes are checked against the size of the file before anything is allocated.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from mrcfile.utils import mode_from_dtype
from numpy.typing import NDArray

from faket_dask.errors import InputError

LITTLE_ENDIAN = (0x44, 0x44, 0, 0)
VERSION = 20141
IMAGE_STACK, VOLUME = 0, 1
XYZ_ORDER = (1, 2, 3)
"""Axis numbers of columns, rows and sections in a file whose sections lie along z and rows along y."""

_IMOD_FLAGS, _IMOD_STAMP = 152, 1146047817
_MODES = {0: "int8", 1: "int16", 2: "float32", 6: "uint16", 12: "float16"}


@dataclass(frozen=True)
class MrcHeader:
    """Fields of an MRC header that are needed to read its data.

    Parameters
    ----------
    path
        MRC file.
    stored_shape
        Sections, rows, columns.
    axes
        Axis of the columns, the rows and the sections: 1 is x, 2 is y, 3 is z.
    dtype
        Type and byte order of a sample.
    offset
        Bytes before the first sample.
    edges_A
        Edges of a voxel along x, y, z in Å, as the header has them; not finite or not positive where it has none.
    space_group
        `IMAGE_STACK`, `VOLUME`, or the number of a crystal's.
    """

    path: Path
    stored_shape: tuple[int, int, int]
    axes: tuple[int, int, int]
    dtype: np.dtype[np.generic]
    offset: int
    edges_A: tuple[float, float, float]
    space_group: int

    @property
    def zyx_axes(self) -> tuple[int, int, int]:
        """Position of z, y and x in `stored_shape`."""
        sections_rows_columns = self.axes[::-1]
        z, y, x = (sections_rows_columns.index(axis) for axis in (3, 2, 1))
        return z, y, x

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size along z (or the tilts of a stack), y and x."""
        z, y, x = (self.stored_shape[position] for position in self.zyx_axes)
        return z, y, x


def read_header(path: Path, *, stacklevel: int = 3) -> MrcHeader:
    """Read the header of an MRC file and check it against the file's size.

    Parameters
    ----------
    path
        MRC file of mode 0, 1, 2, 6 or 12 (int8, int16, float32, uint16, float16), either byte order. Bytes that
        IMOD wrote are uint8 unless its flags say otherwise.
    stacklevel
        Frame that the warning is attributed to, as for `warnings.warn`.

    Raises
    ------
    InputError
        If the file is absent, not an MRC file, of another mode, truncated, has impossible dimensions, or an order of
        axes that is none.
    """
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            raw = file.read(HEADER_DTYPE.itemsize)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check the path") from None
    if len(raw) < HEADER_DTYPE.itemsize:
        raise InputError(f"{path} has {size} bytes and is not an MRC file, whose header alone takes 1024")
    order, axes, complaints = _interpret(path, raw)
    header = np.frombuffer(raw, HEADER_DTYPE.newbyteorder(order))[0]
    mode = int(header["mode"])
    if mode not in _MODES:
        raise InputError(
            f"{path} has the MRC mode {mode}; modes {', '.join(f'{m} ({t})' for m, t in _MODES.items())} can be "
            "read: convert it (IMOD: newstack -mode 2)"
        )
    shape = (int(header["nz"]), int(header["ny"]), int(header["nx"]))
    offset = HEADER_DTYPE.itemsize + int(header["nsymbt"])
    if 401 <= int(header["ispg"]) <= 630:
        raise InputError(f"{path} is a stack of volumes; write one file for each volume")
    if min(shape) < 1 or offset < HEADER_DTYPE.itemsize:
        raise InputError(
            f"{path} has impossible dimensions, {shape[2]} x {shape[1]} x {shape[0]} with an extended header of "
            f"{int(header['nsymbt'])} bytes; it is not an MRC file or is damaged"
        )
    dtype = np.dtype(_MODES[mode]).newbyteorder(order)
    if mode == 0:
        stamp, flags = np.frombuffer(raw, f"{order}i4", count=2, offset=_IMOD_FLAGS)
        if stamp == _IMOD_STAMP and not flags & 1:
            dtype = np.dtype(np.uint8)  # IMOD's bytes are 0 … 255 unless this flag says otherwise
    expected = offset + dtype.itemsize * shape[0] * shape[1] * shape[2]
    if size < expected:
        raise InputError(
            f"{path} is truncated: {shape[2]} x {shape[1]} x {shape[0]} samples of {dtype.name} need {expected} "
            f"bytes, the file has {size}; copy or export it again"
        )
    if size > expected:
        complaints.append(f"{size - expected} bytes after the data")
    if complaints:
        warnings.warn(
            f"{path} breaks the MRC standard and is read nevertheless: {', '.join(complaints)}",
            stacklevel=stacklevel,
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        edges = [
            float(np.float64(header["cella"][axis]) / np.float64(header[f"m{axis}"]))
            for axis in ("x", "y", "z")
        ]
    return MrcHeader(path, shape, axes, dtype, offset, (edges[0], edges[1], edges[2]), int(header["ispg"]))


def new_header(
    shape: tuple[int, int, int], dtype: np.dtype[np.generic], edge_A: float, space_group: int
) -> NDArray[np.void]:
    """Make a header that meets the standard, but for the statistics of the data.

    Parameters
    ----------
    shape
        Sections, rows, columns.
    dtype
        float32, float16, int8, int16 or uint16.
    edge_A
        Edge of a voxel in Å.
    space_group
        `IMAGE_STACK` or `VOLUME`.
    """
    header = np.zeros((), dtype=HEADER_DTYPE.newbyteorder("<"))
    header["mode"] = mode_from_dtype(dtype)
    for number, (axis, size) in enumerate(zip("xyz", reversed(shape), strict=True), start=1):
        header[f"n{axis}"] = size
        header[f"m{axis}"] = 1 if axis == "z" and space_group == IMAGE_STACK else size
        header["cella"][axis] = int(header[f"m{axis}"]) * edge_A
        header[("mapc", "mapr", "maps")[number - 1]] = number
    header["cellb"] = (90, 90, 90)
    header["ispg"] = space_group
    header["nversion"] = VERSION
    header["map"] = b"MAP "
    header["machst"] = LITTLE_ENDIAN
    header["nlabl"] = 1
    header["label"][0] = b"faket_dask"
    return header


def _interpret(path: Path, raw: bytes) -> tuple[Literal["<", ">"], tuple[int, int, int], list[str]]:
    """Find the byte order in which a header makes sense, its order of axes, and how it breaks the standard."""
    orders: tuple[Literal["<", ">"], ...] = ("<", ">")
    headers = {order: np.frombuffer(raw, HEADER_DTYPE.newbyteorder(order))[0] for order in orders}
    complaints = []
    stamp = bytes(headers["<"]["machst"][:2])
    known = stamp in (b"\x44\x44", b"\x44\x41", b"\x11\x11")
    if not known:
        complaints.append(f"unknown machine stamp {stamp.hex()}")
    order, other = orders[::-1] if stamp == b"\x11\x11" else orders
    if int(headers[order]["mode"]) not in _MODES and int(headers[other]["mode"]) in _MODES:
        order = other
        if known:
            complaints.append("machine stamp of the other byte order")
    header = headers[order]
    if bytes(header["map"])[:3] != b"MAP":
        complaints.append("no MAP identifier")
        if not known and not all(0 < int(header[n]) < 2**20 for n in ("nx", "ny", "nz")):
            raise InputError(f"{path} is not an MRC file")
    if int(header["nversion"]) not in (20140, VERSION):
        complaints.append(f"version {int(header['nversion'])}")
    axes = (int(header["mapc"]), int(header["mapr"]), int(header["maps"]))
    if axes == (0, 0, 0):
        axes = XYZ_ORDER
        complaints.append("no axis order")
    elif sorted(axes) != sorted(XYZ_ORDER):
        raise InputError(
            f"{path} has the order of axes {axes}; it must name x, y and z (1, 2, 3), each once: set MAPC, MAPR and "
            "MAPS in the header"
        )
    return order, axes, complaints
