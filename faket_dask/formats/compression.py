"""Files compressed by gzip or bzip2: recognised by their first bytes, whatever their name, and read in bounded memory.

An MRC file is read at places all over it, so a compressed one is written out once into the user's cache, from where
every process of a run reads it. A copy's name says path, size and time of change of the original; a file that changes
gets another copy. A copy that is gone is made again when it is next read.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

from faket_dask.atomic import replace_atomically
from faket_dask.errors import InputError
from faket_dask.user_cache import cache_folder

COMPRESSED_SUFFIXES = (".gz", ".bz2")
"""Endings that the names of compressed files add to their own."""


def _open_gzip(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb"))


def _open_bzip2(path: Path) -> IO[bytes]:
    return cast(IO[bytes], bz2.open(path, "rb"))


def _open_plain(path: Path) -> IO[bytes]:
    return open(path, "rb")


_Opener = Callable[[Path], IO[bytes]]
_OPENERS: tuple[tuple[bytes, _Opener], ...] = ((b"\x1f\x8b", _open_gzip), (b"BZh", _open_bzip2))
_BLOCK_BYTES = 2**20
_UNUSED_DAYS = 30
_DAMAGE = (gzip.BadGzipFile, zlib.error, ValueError)


def strip_compression(path: Path) -> Path:
    """Return a path without the ending that compression added.

    Examples
    --------
    >>> strip_compression(Path("a.mrc.gz")).name, strip_compression(Path("a.st")).name
    ('a.mrc', 'a.st')
    """
    return path.with_suffix("") if path.suffix.lower() in COMPRESSED_SUFFIXES else path


def kind_suffix(path: Path) -> str:
    """Return the ending that tells the kind of a file, in lower case and without that of its compression.

    Examples
    --------
    >>> kind_suffix(Path("a.mrc.gz")), kind_suffix(Path("b.MDOC"))
    ('.mrc', '.mdoc')
    """
    return strip_compression(path).suffix.lower()


def is_compressed(path: Path) -> bool:
    """True if a file begins as those of gzip or bzip2 do.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    return _choose_opener(path) is not None


def read_start(path: Path, size: int) -> bytes:
    """Read the first bytes of a file, decompressed; fewer if it is shorter.

    Parameters
    ----------
    path
        File, compressed or not.
    size
        Number of bytes.

    Raises
    ------
    InputError
        If its compressed data are damaged, or end before.
    OSError
        If it cannot be read.
    """
    opener = _choose_opener(path) or _open_plain
    try:
        with opener(path) as file:
            return bytes(file.read(size))
    except EOFError:
        raise _ended(path) from None
    except _DAMAGE as error:
        raise _damaged(path, error) from None
    except OSError as error:
        if error.errno is None:  # how bz2 reports damage
            raise _damaged(path, error) from None
        raise


def decompress(path: Path, largest: int) -> Path:
    """Return the place of a file's bytes: the file itself, or its decompressed copy in the user's cache.

    Parameters
    ----------
    path
        File, compressed or not.
    largest
        Most bytes that the decompressed file may have.

    Raises
    ------
    InputError
        If its compressed data are damaged, end too early, or are longer than `largest`, or the cache cannot be
        written to.
    OSError
        If it cannot be read.
    """
    opener = _choose_opener(path)
    if opener is None:
        return path
    status = path.stat()
    key = f"{path.absolute()}\0{status.st_size}\0{status.st_mtime_ns}"
    copy = _folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}-{strip_compression(path).name}"
    if copy.is_file():
        with suppress(OSError):
            copy.touch()
        return copy
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        _remove_unused(copy.parent)
        with (
            replace_atomically(copy) as temporary,
            open(temporary, "wb") as target,
            opener(path) as source,
        ):
            _copy(path, source, target, largest)
    except InputError:
        raise
    except OSError as error:
        raise InputError(
            f"{path} is compressed, and {copy.parent}, where it is decompressed to, cannot be written to: "
            f"{error.strerror or error}; decompress the file, or set FAKET_DASK_CACHE to a folder with space"
        ) from None
    return copy


def decompress_text(path: Path, raw: bytes, largest: int) -> bytes:
    """Return the bytes of a text file that may be compressed.

    Parameters
    ----------
    path
        File, for messages.
    raw
        Its bytes.
    largest
        Most bytes that it may have.

    Raises
    ------
    InputError
        If compressed data are damaged, end too early, or are longer than `largest`.
    """
    opener = next((opener for magic, opener in _OPENERS if raw.startswith(magic)), None)
    if opener is None:
        return raw
    text = read_start(path, largest + 1)
    if len(text) > largest:
        raise _too_long(path, largest)
    return text


def _folder() -> Path:
    return cache_folder() / "decompressed"


def _choose_opener(path: Path) -> _Opener | None:
    with open(path, "rb") as file:
        start = file.read(3)
    return next((opener for magic, opener in _OPENERS if start.startswith(magic)), None)


def _copy(path: Path, source: IO[bytes], target: IO[bytes], largest: int) -> None:
    written = 0
    while True:
        try:
            block = source.read(_BLOCK_BYTES)
        except EOFError:
            raise _ended(path) from None
        except (*_DAMAGE, OSError) as error:
            raise _damaged(path, error) from None
        if not block:
            return
        written += len(block)
        if written > largest:
            raise _too_long(path, largest)
        target.write(block)


def _remove_unused(folder: Path) -> None:
    """Remove copies that nothing has opened for a month."""
    oldest = time.time() - _UNUSED_DAYS * 86400
    for copy in folder.iterdir():
        with suppress(OSError):
            if copy.stat().st_mtime < oldest:
                copy.unlink()


def _ended(path: Path) -> InputError:
    return InputError(f"{path} is truncated: its compressed data end too early; copy or download it again")


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} has damaged compressed data ({error}); copy or download it again")


def _too_long(path: Path, largest: int) -> InputError:
    return InputError(
        f"{path} decompresses to more than {largest} bytes, which it should have; it is damaged"
    )
