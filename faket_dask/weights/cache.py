"""The user's cache, and the converted weights in it.

Weights are kept as one ``.npz`` file that also holds their checksum. It appears by a rename, so that of two processes
that store the same weights at once, the later replaces the earlier's file by an equal one, and no reader ever sees
part of a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from faket_dask.errors import InputError
from faket_dask.user_cache import cache_folder, writing_to_cache
from faket_dask.weights.state_dict import (
    StateDict,
    Weights,
    compute_checksum,
    extract_convolutions,
    read_arrays,
)

FOLDER = "weights"
"""Folder of the cache that holds weights."""

RECORD = "sha256"
"""Key of the checksum beside the arrays."""


def stored_path(name: str) -> Path:
    """Return the path of the cached weights of a name, whether they are there or not."""
    return cache_folder() / FOLDER / f"{name}.npz"


def store(name: str, state_dict: StateDict) -> Path:
    """Put weights into the cache, whole or not at all.

    Raises
    ------
    InputError
        If the cache cannot be written to.
    """
    target = stored_path(name)
    with writing_to_cache(FOLDER) as work:
        complete = work / target.name
        arrays: dict[str, Any] = {**state_dict, RECORD: np.array(compute_checksum(state_dict))}
        np.savez(complete, **arrays)
        complete.replace(target)
    return target


def read_stored(name: str) -> Weights | None:
    """Read the weights of a name from the cache; ``None`` if they are not there.

    Raises
    ------
    InputError
        If they are there, but damaged.
    """
    path = stored_path(name)
    if not path.is_file():
        return None
    remedy = f"`faket-dask weights fetch {name}`, or import it, again"
    try:
        arrays = read_arrays(path)
        weights = extract_convolutions(arrays, str(path))
    except InputError as error:
        raise InputError(f"{error}; {remedy}") from None
    checksum, recorded = compute_checksum(weights), str(arrays.get(RECORD))
    if checksum != recorded:
        raise InputError(
            f"{path} is corrupted: its checksum is {checksum}, not the recorded {recorded}; {remedy}"
        )
    return Weights(weights, checksum)
