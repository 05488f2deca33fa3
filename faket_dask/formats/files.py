"""Read text files whole within a bound, and find files that other files name."""

from __future__ import annotations

from pathlib import Path

from faket_dask.errors import InputError

LARGEST_TEXT = 256 * 2**20
"""Most bytes of a text file: metadata files of the field are far smaller; anything larger was named by mistake."""


def read_text(path: Path, what: str) -> str:
    """Read a text file.

    Parameters
    ----------
    path
        File to read, UTF-8 (of which ASCII is a part).
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
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read: {error.strerror}; check the path") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(f"{what} {path}, line {line}: not UTF-8 text; save it as plain text") from None
    if "\0" in text:
        raise InputError(f"{what} {path} is binary; a text file is expected")
    return text


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
