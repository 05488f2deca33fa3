"""Read text files whole within a bound, and find files that other files name."""

from __future__ import annotations

import codecs
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.compression import decompress_text

LARGEST_TEXT = 256 * 2**20
"""Most bytes of a text file: metadata files of the field are far smaller; anything larger was named by mistake."""


def read_text(path: Path, what: str) -> str:
    """Read a text file.

    Parameters
    ----------
    path
        File to read: UTF-8 (of which ASCII is a part), UTF-16 with its mark, or else the code page of western Windows
        (1252), in which microscopes' computers write names; as it is, or compressed by gzip or bzip2.
    what
        Kind of file, for messages.

    Raises
    ------
    InputError
        If the file is absent, unreadable, not text, or too large for a text file.

    Examples
    --------
    >>> read_text(Path("absent.tlt"), "angle file")
    Traceback (most recent call last):
    faket_dask.errors.InputError: angle file absent.tlt cannot be read: No such file or directory; check the path
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_TEXT:
            raise InputError(f"{what} {path} has {size / 2**20:.0f} MiB; it is not a text file of that kind")
        raw = decompress_text(path, path.read_bytes(), LARGEST_TEXT)
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read: {error.strerror or error}; check the path") from None
    text = _decode(raw)
    if "\0" in text:
        raise InputError(f"{what} {path} is binary; a text file is expected")
    return text


def _decode(raw: bytes) -> str:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def file_name(path: str) -> str:
    """Return the last part of a path of any system, as a file has it.

    Examples
    --------
    >>> file_name("X:\\\\frames\\\\a.tif"), file_name("../frames/a.tif"), file_name("a.tif")
    ('a.tif', 'a.tif', 'a.tif')
    """
    return path.replace("\\", "/").rpartition("/")[2]


def find_upwards(path: Path, named: str) -> Path:
    """Find a file that another one names: relative to its folder or, as in RELION's projects, to a folder above.

    Parameters
    ----------
    path
        File that names the other one.
    named
        Relative path as the file has it.

    Raises
    ------
    InputError
        If there is no such file.
    """
    for folder in path.absolute().parents:
        if (folder / named).is_file():
            return folder / named
    raise InputError(f"{path} names {named}, which is neither beside it nor in the folders above")
