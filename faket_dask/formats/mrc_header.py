"""Headers of MRC files: read leniently, written to the standard.

Many real files break the standard (MRC2014; Cheng et al., J. Struct. Biol. 192, 2015) in ways that do not keep
their data from being read: a missing version, a wrong machine stamp, a volume marked as a stack of images. Every
header with one meaning is accepted, with one warning a file. `nstart` and `origin` are ignored, since programs
disagree about their meaning. Sizes are checked against the size of the file before anything is allocated. Files may be
compressed by gzip or bzip2.

Integers are signed or unsigned as the mode says, bytes as IMOD's flag does where there is one. Where the extremes in
the header are not those of a sample of the data so, but are in the other sign, that one is taken, with a warning.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from mrcfile.utils import mode_from_dtype
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.compression import decompress, is_compressed, read_start
from faket_dask.formats.foreign_files import name_foreign_file
from faket_dask.formats.mrc_extended_header import (
    NOTHING_RECORDED,
    ExtendedHeader,
    bytes_needed,
    parse_extended_header,
)
from faket_dask.outputs.record import LABEL

LITTLE_ENDIAN = (0x44, 0x44, 0, 0)
VERSION = 20141
IMAGE_STACK, VOLUME = 0, 1
XYZ_ORDER = (1, 2, 3)
"""Axis numbers of columns, rows and sections in a file whose sections lie along z and rows along y."""

_IMOD_FLAGS, _IMOD_STAMP = 152, 1146047817
_CREATOR, _NINT_NREAL = 96, 128
_MODES = {0: "int8", 1: "int16", 2: "float32", 6: "uint16", 12: "float16"}
_OTHER_TYPES = {
    **{"int8": ("uint8",), "uint8": ("int8",), "int16": ("uint16", "float16")},
    **{"uint16": ("int16", "float16"), "float16": ("int16", "uint16")},
}
_SAMPLE_SIZE = 2**16
_MOST_TRAILING_BYTES = 2**30


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
    labels
        Titles, among which programs say what they have done.
    extended
        Facts about sections.
    compressed
        True if the file is compressed by gzip or bzip2.
    """

    path: Path
    stored_shape: tuple[int, int, int]
    axes: tuple[int, int, int]
    dtype: np.dtype[np.generic]
    offset: int
    edges_A: tuple[float, float, float]
    space_group: int
    labels: tuple[str, ...] = ()
    extended: ExtendedHeader = NOTHING_RECORDED
    compressed: bool = False

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

    @property
    def data_path(self) -> Path:
        """File to read samples from: the file, or its decompressed copy, which is made anew if it is gone.

        Raises
        ------
        InputError
            If a compressed file cannot be decompressed.
        OSError
            If it cannot be read.
        """
        return decompress(self.path, _largest_size(self)) if self.compressed else self.path


def read_header(path: Path, *, stacklevel: int = 3) -> MrcHeader:
    """Read the header of an MRC file and check it against the file's size.

    Parameters
    ----------
    path
        MRC file of mode 0, 1, 2, 6 or 12 (int8, int16, float32, uint16, float16), either byte order, as it is or
        compressed by gzip or bzip2. Bytes that IMOD wrote are uint8 unless its flags say otherwise.
    stacklevel
        Frame that the warning is attributed to, as for `warnings.warn`.

    Raises
    ------
    InputError
        If the file is absent, not an MRC file, of another mode, truncated, has impossible dimensions, or an order of
        axes that is none.
    """
    try:
        raw = read_start(path, HEADER_DTYPE.itemsize)
        header, order, complaints = _parse(path, raw)
        data_path = header.data_path
        size = data_path.stat().st_size
        expected = header.offset + _data_size(header)
        if size < expected:
            columns, rows, sections = header.stored_shape[::-1]
            raise InputError(
                f"{path} is truncated: {columns} x {rows} x {sections} samples of {header.dtype.name} need {expected} "
                f"bytes, the file has {size}; copy or export it again"
            )
        if size > expected:
            complaints.append(f"{size - expected} bytes after the data")
        if complaints:
            warnings.warn(
                f"{path} breaks the MRC standard and is read nevertheless: {', '.join(complaints)}",
                stacklevel=stacklevel,
            )
        dtype, contradiction = _resolve_type(header, data_path, raw, order)
        if contradiction:
            warnings.warn(f"{path} {contradiction}", stacklevel=stacklevel)
        return replace(header, dtype=dtype, extended=_read_extended_header(header, data_path, raw, order))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}; check the path") from None


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
    header["label"][0] = LABEL
    return header


def _parse(path: Path, raw: bytes) -> tuple[MrcHeader, Literal["<", ">"], list[str]]:
    """Parse a header but for its extended part; return its byte order and how it breaks the standard, too."""
    if len(raw) < HEADER_DTYPE.itemsize:
        foreign = name_foreign_file(path, raw)
        raise InputError(
            f"{path} {foreign}"
            if foreign
            else f"{path} has {len(raw)} bytes and is not an MRC file, whose header alone takes 1024"
        )
    order, axes, complaints = _interpret(path, raw)
    header = np.frombuffer(raw, HEADER_DTYPE.newbyteorder(order))[0]
    mode = int(header["mode"])
    shape = (int(header["nz"]), int(header["ny"]), int(header["nx"]))
    offset = HEADER_DTYPE.itemsize + int(header["nsymbt"])
    impossible = min(shape) < 1 or offset < HEADER_DTYPE.itemsize
    if (mode not in _MODES or impossible) and (foreign := name_foreign_file(path, raw)):
        raise InputError(f"{path} {foreign}")
    if mode not in _MODES:
        raise InputError(
            f"{path} has the MRC mode {mode}; modes {', '.join(f'{m} ({t})' for m, t in _MODES.items())} can be "
            "read: convert it (IMOD: newstack -mode 2)"
        )
    if 401 <= int(header["ispg"]) <= 630:
        raise InputError(f"{path} is a stack of volumes; write one file for each volume")
    if impossible:
        raise InputError(
            f"{path} has impossible dimensions, {shape[2]} x {shape[1]} x {shape[0]} with an extended header of "
            f"{int(header['nsymbt'])} bytes; it is not an MRC file or is damaged"
        )
    dtype = np.dtype(_MODES[mode]).newbyteorder(order)
    if mode == 0:
        stamp, flags = np.frombuffer(raw, f"{order}i4", count=2, offset=_IMOD_FLAGS)
        if stamp == _IMOD_STAMP and not flags & 1:
            dtype = np.dtype(np.uint8)  # IMOD's bytes are 0 … 255 unless this flag says otherwise
    with np.errstate(divide="ignore", invalid="ignore"):
        edges = [
            float(np.float64(header["cella"][axis]) / np.float64(header[f"m{axis}"]))
            for axis in ("x", "y", "z")
        ]
    count = min(max(int(header["nlabl"]), 0), len(header["label"]))
    labels = tuple(bytes(label).decode("latin-1").rstrip("\0 ") for label in header["label"][:count])
    parsed = MrcHeader(
        path,
        shape,
        axes,
        dtype,
        offset,
        (edges[0], edges[1], edges[2]),
        int(header["ispg"]),
        labels,
        compressed=is_compressed(path),
    )
    return parsed, order, complaints


def _data_size(header: MrcHeader) -> int:
    sections, rows, columns = header.stored_shape
    return header.dtype.itemsize * sections * rows * columns


def _largest_size(header: MrcHeader) -> int:
    return header.offset + _data_size(header) + _MOST_TRAILING_BYTES


def _read_extended_header(header: MrcHeader, data_path: Path, raw: bytes, order: str) -> ExtendedHeader:
    size = header.offset - HEADER_DTYPE.itemsize
    sections = header.stored_shape[0]
    if not size:
        return NOTHING_RECORDED
    with open(data_path, "rb") as file:
        file.seek(HEADER_DTYPE.itemsize)
        extended = file.read(min(size, bytes_needed(sections)))
    creator = np.frombuffer(raw, f"{order}i2", 1, _CREATOR)[0]
    nint, nreal = np.frombuffer(raw, f"{order}i2", 2, _NINT_NREAL)
    kind = bytes(np.frombuffer(raw, HEADER_DTYPE)[0]["exttyp"]).ljust(4, b"\0")
    return parse_extended_header(
        extended,
        kind=kind,
        nint=int(nint),
        nreal=int(nreal),
        creator=int(creator),
        order=order,
        sections=sections,
    )


def _resolve_type(
    header: MrcHeader, data_path: Path, raw: bytes, order: str
) -> tuple[np.dtype[np.generic], str | None]:
    """Choose the type of integers where the recorded extremes contradict the mode.

    Returns
    -------
    dtype, contradiction
        Type of a sample, and the contradiction in words, if there is one.
    """
    stated = header.dtype
    fields = np.frombuffer(raw, HEADER_DTYPE.newbyteorder(order))[0]
    low, high, mean = (float(fields[name]) for name in ("dmin", "dmax", "dmean"))
    if stated.itemsize > 2 or not (np.isfinite([low, high]).all() and low < high):
        return stated, None
    sample = _read_sample(header, data_path)
    if _agrees(sample.view(stated), low, high):
        return stated, None
    said = f"records values of {low:g} to {high:g}, which are not those of its data as {stated.name}"
    others = [np.dtype(name).newbyteorder(stated.byteorder) for name in _OTHER_TYPES[stated.name]]
    agreeing = next((other for other in others if _agrees(sample.view(other), low, high)), None)
    if agreeing is None:
        return stated, None if _holds(stated, low, high) else f"{said}; its mode is believed"
    if agreeing.kind == "f" or stated.kind == "f":
        return (
            stated,
            f"{said} but as {agreeing.name}; its mode is believed: correct it if the images are noise",
        )
    with np.errstate(over="ignore"):
        means = [float(sample.view(dtype).mean(dtype=np.float64)) for dtype in (stated, agreeing)]
    if low < mean < high and abs(means[1] - mean) > abs(means[0] - mean):
        return stated, f"{said}; its mode is believed"
    return agreeing, f"{said}, but as {agreeing.name}, and is read so"


def _read_sample(header: MrcHeader, data_path: Path) -> NDArray[np.generic]:
    """Read samples from the middle of the data."""
    size = header.dtype.itemsize
    samples = _data_size(header) // size
    start = header.offset + max(0, samples // 2 - _SAMPLE_SIZE // 2) * size
    return np.fromfile(data_path, dtype=header.dtype, count=min(_SAMPLE_SIZE, samples), offset=start)


def _agrees(sample: NDArray[np.generic], low: float, high: float) -> bool:
    values = sample.astype(np.float64)
    slack = 0.5 if sample.dtype.kind in "iu" else 1e-3 * (high - low)
    return _holds(sample.dtype, low, high) and bool(
        ((low - slack <= values) & (values <= high + slack)).all()
    )


def _holds(dtype: np.dtype[Any], low: float, high: float) -> bool:
    limits: Any = np.finfo(dtype.name) if dtype.kind == "f" else np.iinfo(dtype.name)
    return bool(float(limits.min) <= low and high <= float(limits.max))


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
            raise InputError(f"{path} {name_foreign_file(path, raw) or 'is not an MRC file'}")
    if int(header["nversion"]) not in (0, 20140, VERSION):  # 0: files older than MRC2014
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
