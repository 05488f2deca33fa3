"""Folder of the user's cache, where weights and measurements of this machine are kept."""

from __future__ import annotations

import os
from pathlib import Path


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
