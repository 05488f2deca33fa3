"""Random numbers that depend on their purpose, never on who draws them or when."""

from __future__ import annotations

import hashlib
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Purpose(StrEnum):
    """Purposes of random numbers; their values are hashed, so that none may change."""

    NOISE = "noise"
    COUNTS = "counts"
    PLACEMENT = "placement"
    PAIRING = "pairing"
    SPLIT = "split"
    ACQUISITION = "acquisition"
    ERRORS = "errors"
    SENSOR = "sensor"
    DEFOCUS = "defocus"
    BACKGROUND = "background"
    WEIGHTS = "weights"
    OBJECT_ORDER = "object order"
    PATCHES = "patches"


def generator(seed: int, stream: str, purpose: Purpose, index: int = 0) -> np.random.Generator:
    """Return the generator of one purpose of one stream.

    Parameters
    ----------
    seed
        Seed of the data set.
    stream
        Identifier of a specimen, reference or series.
    purpose
        Purpose of the numbers.
    index
        Tilt or other index within the stream.

    Notes
    -----
    The four are hashed into the entropy, so neither the number of items nor the order or the number of workers changes
    any of the streams, and streams of different purposes are independent.

    Examples
    --------
    >>> a, b = (generator(7, "specimen-000", Purpose.NOISE, tilt) for tilt in (0, 0))
    >>> a.integers(1000) == b.integers(1000)
    np.True_
    """
    digest = hashlib.sha256(f"{seed}/{stream}/{purpose}/{index}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))


def noise_field(seed: int, series: str, tilt: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Draw the standard normal field, ``(y, x)``, that `noisy`, `content` and `baseline` of one tilt share.

    Examples
    --------
    >>> noise_field(7, "specimen-000__a", 0, (2, 3)).shape
    (2, 3)
    """
    return generator(seed, series, Purpose.NOISE, tilt).standard_normal(shape, dtype=np.float32)
