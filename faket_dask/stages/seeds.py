"""Random numbers that depend on what they are for, never on who draws them or when."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def generator(seed: int, item: str, purpose: str, index: int = 0) -> np.random.Generator:
    """Generator of one purpose of one item.

    Parameters
    ----------
    seed
        Seed of the data set.
    item
        Identifier of a specimen, reference or series.
    purpose
        What the numbers are for, for example ``"noise"``.
    index
        Tilt or other index within the item.

    Notes
    -----
    The four are hashed into the entropy, so neither the number of items nor the order or the number of
    workers changes any of the streams, and streams of different purposes are independent.
    """
    digest = hashlib.sha256(f"{seed}/{item}/{purpose}/{index}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))


def noise_field(seed: int, series: str, tilt: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The standard normal field, ``(y, x)``, that `noisy`, `content` and `baseline` of one tilt share."""
    return generator(seed, series, "noise", tilt).standard_normal(shape, dtype=np.float32)
