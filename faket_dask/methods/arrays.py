"""Arrays that a method keeps of each tilt of a reference: their layout, and blends of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TiltArrays = Mapping[str, NDArray[Any]]
"""Arrays of one tilt by name."""


@dataclass(frozen=True)
class TiltArrayLayout:
    """One array that is kept of each tilt.

    Parameters
    ----------
    name
        Name of the array.
    dims
        Names of its dimensions, that of the tilts left out.
    shape
        Size along each of them.
    dtype
        Type of its values.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str


def blend_arrays(parts: Sequence[tuple[TiltArrays, float]]) -> dict[str, NDArray[Any]]:
    """Return the weighted sum of the arrays of several tilts.

    Parameters
    ----------
    parts
        Arrays of each tilt, and its weight; the weights add up to 1.

    Examples
    --------
    >>> one, other = {"power": np.array([1.0, 2.0])}, {"power": np.array([3.0, 4.0])}
    >>> blend_arrays([(one, 0.5), (other, 0.5)])["power"]
    array([2., 3.])
    """
    return {name: np.sum([weight * arrays[name] for arrays, weight in parts], axis=0) for name in parts[0][0]}
