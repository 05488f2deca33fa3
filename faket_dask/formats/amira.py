"""Read volumes of Amira and Avizo: AmiraMesh files (``.am``) of labels and fields.

A header of text says the size of the lattice ``x y z``, the box from the centre of the first voxel to that of the last,
the type and packing of each array, and the materials that labels stand for, in their order. Arrays follow, x fastest.

Read from the readers ahds 0.2 and ChimeraX, and the label volume of 284³ voxels in the tests of ahds, whose box is
that of 283 voxels of 1.36 Å.
"""

from __future__ import annotations

import re
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.geometry import resolve_pixel_size

SUFFIX = ".am"

LARGEST_HEADER = 2**20
"""Most bytes of a header."""

LARGEST_LATTICE = 2**36
"""Most voxels of a lattice."""

_TYPES = {"byte": "u1", "short": "i2", "ushort": "u2", "int": "i4", "float": "f4", "double": "f8"}
_UNITS_A = {"å": 1.0, "a": 1.0, "angstrom": 1.0, "nm": 10.0, "um": 1e4, "µm": 1e4, "μm": 1e4}
_ARRAY = re.compile(
    r"Lattice\s*\{\s*(\w+)(\[\d+\])?\s+\"?(\w+)\"?\s*\}\s*=?\s*@(\d+)(?:\((\w+)(?:,(\d+))?\))?"
)
_SIZE = re.compile(r"define\s+Lattice\s+(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})")
_BOX = re.compile(r"BoundingBox\s+((?:[-+.\w]+\s+){5}[-+.\w]+)")
_COORDINATES = re.compile(r"Coordinates\s+\"?([^\s\",}]+)")


@dataclass(frozen=True, eq=False)
class AmiraVolume:
    """Lattice of numbers, read in blocks of y.

    Parameters
    ----------
    path
        File.
    voxel_size_A
        Edge of a voxel in Å.
    materials
        Names that labels stand for, from 0, the exterior; none in a field.
    array
        ``(z, y, x)``, mapped from the file, or from a temporary one if it is packed.
    """

    path: Path
    voxel_size_A: float
    materials: tuple[str, ...]
    array: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels ``(z, y, x)``."""
        return self.array.shape

    def rows(self, start: int, stop: int, /) -> NDArray[Any]:
        """Read the slices ``start <= y < stop``."""
        return np.asarray(self.array[:, start:stop])


@dataclass(frozen=True)
class _Header:
    """Header: its text, the order of bytes (empty for text), and where the arrays begin."""

    text: str
    byte_order: str
    data_start: int


def open_amira(path: Path, *, voxel_size_A: float | None = None) -> AmiraVolume:
    """Open a label volume or a field.

    Parameters
    ----------
    path
        AmiraMesh file: binary of either byte order, or text; packed by ``HxByteRLE`` or ``HxZip``, or as it is.
    voxel_size_A
        Edge of a voxel in Å, in place of the header's.

    Returns
    -------
    volume
        The array called ``Labels`` if there is one, the first otherwise.

    Raises
    ------
    InputError
        If the file is absent, damaged or cut, is no lattice of numbers on uniform coordinates, or has voxels that are
        no cubes.
    """
    try:
        with open(path, "rb") as file:
            header = _read_header(file, path)
            array, materials = _read_array(file, header, path)
    except OSError as error:
        raise InputError(
            f"AmiraMesh {path} cannot be read: {error.strerror or error}; check the path"
        ) from None
    edges = _read_edges(header.text, array.shape, path)
    if voxel_size_A is None and edges and max(edges) > 1.01 * min(edges):
        shown = " x ".join(f"{edge:g}" for edge in edges)
        raise InputError(
            f"AmiraMesh {path} has voxels of {shown} Å; resample it to cubes, or give --voxel-size-A"
        )
    edge = resolve_pixel_size(path, edges[:1], voxel_size_A, quantity="voxel size", place="header")
    return AmiraVolume(path, edge, materials, array)


def _read_header(file: BinaryIO, path: Path) -> _Header:
    raw = file.read(LARGEST_HEADER)
    first = raw[:200].split(b"\n", 1)[0].decode("latin-1")
    if not re.match(r"#\s*(AmiraMesh|Avizo|HyperMesh)", first):
        raise InputError(f"{path} is no AmiraMesh: it begins with {first[:40]!r}")
    mark = re.search(rb"\n@\d+[^\n]*\n", raw)
    if mark is None:
        raise InputError(f"AmiraMesh {path} has no array (no line @1); copy it again")
    order = "" if "ASCII" in first else "<" if "LITTLE-ENDIAN" in first else ">"
    return _Header(raw[: mark.start() + 1].decode("utf-8", errors="replace"), order, mark.start() + 1)


def _read_array(file: BinaryIO, header: _Header, path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    size = _SIZE.search(header.text)
    arrays = _ARRAY.findall(header.text)
    if size is None or not arrays:
        raise InputError(f"AmiraMesh {path} has no lattice; only label volumes and fields are read")
    if 'CoordType "uniform"' not in header.text and "CoordType" in header.text:
        raise InputError(f"AmiraMesh {path} has no uniform coordinates; resample it")
    width, height, depth = (int(number) for number in size.groups())
    shape = (depth, height, width)
    if min(shape) < 1 or depth * height * width > LARGEST_LATTICE:
        raise InputError(
            f"AmiraMesh {path} has a lattice of {width} x {height} x {depth} voxels; copy it again"
        )
    labels = [array for array in arrays if array[2] == "Labels"]
    kind, components, name, number, packing, packed = (labels or arrays)[0]
    if kind not in _TYPES or components not in ("", "[1]"):
        raise InputError(
            f"AmiraMesh {path}: {name} is of {kind}{components}; expected one number for each voxel"
        )
    begin = _find_array(file, header, int(number), path)
    dtype = np.dtype(header.byte_order + _TYPES[kind])
    array = _load(file, begin, shape, dtype, header.byte_order, packing, int(packed or 0), path)
    return array, _read_materials(header.text)


def _find_array(file: BinaryIO, header: _Header, number: int, path: Path) -> int:
    """Return where an array begins: the first one, or any in a text file."""
    file.seek(header.data_start)
    line = file.readline(200)
    if line.split()[:1] != [f"@{number}".encode()]:
        raise InputError(
            f"AmiraMesh {path}: array @{number} does not come first in the file; store it in a file of its own"
        )
    return file.tell()


def _load(
    file: BinaryIO,
    begin: int,
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    byte_order: str,
    packing: str,
    packed: int,
    path: Path,
) -> NDArray[Any]:
    count = shape[0] * shape[1] * shape[2]
    file.seek(0, 2)
    available = file.tell() - begin
    needed = count * dtype.itemsize
    if not byte_order:
        return _read_text(file, begin, shape, dtype, path)
    if not packing:
        if available < needed:
            raise InputError(
                f"AmiraMesh {path} is cut: its lattice takes {needed} bytes, and {available} are there; copy it again"
            )
        return np.memmap(path, dtype, "r", begin, shape)
    if packing not in _UNPACKERS or (packing == "HxByteRLE" and dtype.itemsize != 1):
        raise InputError(f"AmiraMesh {path} is packed by {packing}; store it without, or by HxZip")
    if packed > available:
        raise InputError(
            f"AmiraMesh {path} is cut: its array takes {packed} bytes, and {available} are there; copy it again"
        )
    file.seek(begin)
    with tempfile.TemporaryFile() as store:
        written = _UNPACKERS[packing](file.read(packed or available), store, needed)
        if written != needed:
            raise InputError(
                f"AmiraMesh {path} is damaged: its array unpacks to {written} bytes and not {needed}; copy it again"
            )
        store.flush()
        return np.memmap(store, dtype, "r", 0, shape)


def _read_text(
    file: BinaryIO, begin: int, shape: tuple[int, int, int], dtype: np.dtype[Any], path: Path
) -> NDArray[Any]:
    count = shape[0] * shape[1] * shape[2]
    file.seek(begin)
    words = file.read(40 * count + 100).split()[:count]
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        values = np.zeros(0)
    if len(values) != count or not (np.isfinite(values).all() and np.abs(values).max() < 2**53):
        raise InputError(
            f"AmiraMesh {path} is damaged: {count} numbers are expected, and {len(values)} are there; copy it again"
        )
    return values.reshape(shape) if dtype.kind == "f" else np.rint(values).astype(np.int64).reshape(shape)


def _unpack_runs(raw: bytes, store: Any, needed: int) -> int:
    """Undo HxByteRLE: a byte below 128 repeats the next one, one from 128 on precedes so many less 128 as they are."""
    store.truncate(max(1, needed))
    out = np.memmap(store, np.uint8, "r+", 0, (needed,))
    return int(_decode_runs(np.frombuffer(raw, np.uint8), out))


@njit(cache=True, nogil=True)
def _decode_runs(raw: NDArray[np.uint8], out: NDArray[np.uint8]) -> int:
    """Return the number of bytes written; one more than there is room for if there are too many."""
    read, written, room = 0, 0, len(out)
    while read + 1 < len(raw):
        count = int(raw[read])
        read += 1
        literal = count > 127
        count &= 127
        if written + count > room:
            return room + 1
        for _ in range(count):
            if read >= len(raw):
                return written
            out[written] = raw[read]
            written += 1
            if literal:
                read += 1
        if not literal:
            read += 1
    return written


def _unpack_zip(raw: bytes, store: Any, needed: int) -> int:
    unpacker = zlib.decompressobj()
    try:
        piece, written = unpacker.decompress(raw, 2**22), 0
        while piece and written <= needed:
            store.write(piece)
            written += len(piece)
            piece = unpacker.decompress(unpacker.unconsumed_tail, 2**22)
    except zlib.error:
        return 0
    return written


_UNPACKERS: dict[str, Callable[[bytes, Any, int], int]] = {"HxByteRLE": _unpack_runs, "HxZip": _unpack_zip}


def _read_edges(text: str, shape: tuple[int, ...], path: Path) -> list[float]:
    """Return the edges ``(x, y, z)`` of a voxel in Å, along axes of more than one; none if the header has no box."""
    box = _BOX.search(text)
    if box is None:
        return []
    try:
        low_high = [float(word) for word in box[1].replace(",", " ").split()]
    except ValueError:
        low_high = [np.nan] * 6
    unit = _COORDINATES.search(text)
    scale = _UNITS_A.get(unit[1].lower(), 1.0) if unit else 1.0
    steps = zip(low_high[::2], low_high[1::2], shape[::-1], strict=True)
    edges = [scale * (high - low) / (count - 1) for low, high, count in steps if count > 1]
    if not all(np.isfinite(edge) and 0 < edge < 1e6 for edge in edges):
        raise InputError(
            f"AmiraMesh {path}: BoundingBox {box[1][:60]!r} is no box; give --voxel-size-A or copy it again"
        )
    return edges


def _read_materials(text: str) -> tuple[str, ...]:
    """Return the names of the materials in their order, which is that of the labels."""
    begin = re.search(r"\bMaterials\s*\{", text)
    if begin is None:
        return ()
    names, depth = [], 1
    for token in re.finditer(r'"[^"]*"|([A-Za-z_][\w.-]*)\s*\{|[{}]', text[begin.end() :]):
        if token[0] == "}":
            depth -= 1
        elif token[0].endswith("{"):
            if depth == 1 and token[1]:
                names.append(token[1])
            depth += 1
        if depth == 0:
            break
    return tuple(names)
