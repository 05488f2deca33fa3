"""Extended headers that programs of microscopes write, for tests."""

from pathlib import Path

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE, get_ext_header_dtype


def serialem(angles: np.ndarray, order: str = "<", flags: int = 1) -> tuple[bytes, bytes, int, int]:
    """Return the extended header of SerialEM's layout, its kind, `nint` and `nreal`."""
    columns = {1: 1, 2: 3, 4: 2, 8: 1, 16: 1, 32: 2}
    words = sum(count for bit, count in columns.items() if flags & bit)
    table = np.full((len(angles), words), 7, dtype=f"{order}i2")
    if flags & 1:
        table[:, 0] = np.round(100 * np.asarray(angles))
    return table.tobytes(), b"SERI", 2 * words, flags


def agard(angles: np.ndarray, order: str = "<", kind: bytes = b"AGAR") -> tuple[bytes, bytes, int, int]:
    """Return an extended header of 2 integers and 30 floats a section, for 1024 sections as the Tecnai wrote it."""
    table = np.zeros((1024, 32), dtype=f"{order}f4")
    table[: len(angles), 2] = angles
    table[: len(angles), 3] = 1e-6
    return table.tobytes(), kind, 2, 30


def thermo(
    angles: np.ndarray, order: str = "<", kind: bytes = b"FEI2", axis: float = 0.0
) -> tuple[bytes, bytes, int, int]:
    """Return an extended header of Thermo Fisher's layout."""
    dtype = get_ext_header_dtype(kind, order)
    table = np.zeros(len(angles), dtype=dtype)
    table["Metadata size"] = dtype.itemsize
    table["Bitmask 1"] = 0xFFFFFFFF
    table["Alpha tilt"] = angles
    table["Tilt axis angle"] = axis
    return table.tobytes(), kind, 0, 0


def insert(path: Path, extended: tuple[bytes, bytes, int, int], order: str = "<") -> None:
    """Put an extended header into an MRC file that has none."""
    content, kind, nint, nreal = extended
    raw = bytearray(path.read_bytes())
    header = np.frombuffer(raw, HEADER_DTYPE.newbyteorder(order), count=1)[0]
    header["nsymbt"], header["exttyp"] = len(content), kind
    raw[128:132] = np.array([nint, nreal], f"{order}i2").tobytes()
    path.write_bytes(bytes(raw[:1024]) + content + bytes(raw[1024:]))
