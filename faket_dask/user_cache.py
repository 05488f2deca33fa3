"""Folder of the user's cache, where weights, structures, recordings and measurements of this machine are kept."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faket_dask.errors import InputError


def cache_folder() -> Path:
    """Return the cache folder: ``$FAKET_DASK_CACHE``, or ``faket_dask`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.

    Workers must see it under the same path.
    """
    own = os.environ.get("FAKET_DASK_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    users = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification has relative paths ignored.
    return (users if users.is_absolute() else Path("~/.cache").expanduser()) / "faket_dask"


def hash_file(path: Path) -> str:
    """Compute the SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing_to_cache(kind: str) -> Iterator[Path]:
    """Create a folder in the cache for work on files, and remove it afterwards.

    A file that is complete is renamed into the folder of its kind, so that no reader ever sees part of one.

    Parameters
    ----------
    kind
        Folder of the cache that the files belong to.

    Raises
    ------
    InputError
        If the cache, or the file system that it is on, refuses a write in the block.
    """
    folder = cache_folder() / kind
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=folder) as work:
            yield Path(work)
    except OSError as error:
        raise InputError(
            f"the cache {folder} cannot be written to ({error.strerror or error}); make room, or set "
            "FAKET_DASK_CACHE to another folder"
        ) from None
