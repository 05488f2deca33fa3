"""Numbers and lengths of a recipe: one value, or a range from which each specimen draws."""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BeforeValidator, ConfigDict, Field

from faket_dask.documents.section import refuse_bool
from faket_dask.errors import InputError

MOST_OBJECTS = 1_000_000
"""Most objects in a specimen, unlabelled ones included."""

LARGEST_AMOUNT = 1e9
"""Largest length in Å, and largest number of particles per µm³."""

_Whole = Annotated[int, Field(ge=0, le=MOST_OBJECTS)]
Count = Annotated[_Whole | tuple[_Whole, _Whole], BeforeValidator(refuse_bool)]
"""Number of objects, or (smallest, largest), both included."""

_Real = Annotated[float, Field(ge=0, le=LARGEST_AMOUNT)]
Amount = Annotated[_Real | tuple[_Real, _Real], BeforeValidator(refuse_bool)]
"""Length, or (smallest, largest)."""

SECTION = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Rules for reading a dataclass from the run file: unknown keys and infinite numbers are errors."""


@dataclass(frozen=True)
class PerVolume:
    """Number of objects by the volume, rounded up, so that a small volume has one.

    Parameters
    ----------
    per_um3
        Objects per cubic micrometre of the volume, one number or (smallest, largest).
    """

    __pydantic_config__ = SECTION

    per_um3: Amount


Number = Annotated[_Whole | tuple[_Whole, _Whole] | PerVolume, BeforeValidator(refuse_bool)]
"""Number of objects, (smallest, largest), or so many by the volume."""


def check_amount(value: Amount, what: str, smallest: float = 0.0) -> tuple[float, float]:
    """Return the ends of an amount.

    Raises
    ------
    InputError
        If it is not finite, less than `smallest`, or its ends are in the wrong order.

    Examples
    --------
    >>> check_amount(3.0, "length"), check_amount((1.0, 2.0), "length")
    ((3.0, 3.0), (1.0, 2.0))
    """
    low, high = value if isinstance(value, tuple) else (value, value)
    if not (math.isfinite(low) and math.isfinite(high) and smallest <= low <= high):
        raise InputError(f"{what} is {value}; give one number, or (smallest, largest), from {smallest:g} up")
    return low, high


def check_count(value: Count, what: str) -> tuple[int, int]:
    """Return the ends of a count.

    Raises
    ------
    InputError
        As for `check_amount`, and if it is not whole.

    Examples
    --------
    >>> check_count((2, 5), "count")
    (2, 5)
    """
    low, high = check_amount(value, what)
    if low != int(low) or high != int(high):
        raise InputError(f"{what} is {value}; counts are whole numbers")
    return int(low), int(high)


def check_number(value: Number, what: str) -> None:
    """Check a number of objects, given as such or by the volume.

    Raises
    ------
    InputError
        As for `check_count`.
    """
    if isinstance(value, PerVolume):
        check_amount(value.per_um3, f"{what}: per_um3")
    else:
        check_count(value, what)


def number_range(value: Number, volume_um3: float) -> tuple[int, int]:
    """Return the fewest and the most objects in a volume in µm³.

    Examples
    --------
    >>> number_range((2, 5), 0.05), number_range(PerVolume((100.0, 250.0)), 0.05)
    ((2, 5), (5, 13))
    """
    if isinstance(value, PerVolume):
        low, high = check_amount(value.per_um3, "per_um3")
        return math.ceil(low * volume_um3 - 1e-9), math.ceil(high * volume_um3 - 1e-9)
    return check_count(value, "count")


def largest(value: Amount) -> float:
    """Return the upper end of a value or a range.

    Examples
    --------
    >>> largest(3.0), largest((2.0, 5.0))
    (3.0, 5.0)
    """
    return float(value[1] if isinstance(value, tuple) else value)


def draw_count(value: Count, rng: np.random.Generator) -> int:
    """Draw one whole number uniformly from a count or a range, both ends included.

    Examples
    --------
    >>> draw_count(3, np.random.default_rng(0))
    3
    """
    return int(rng.integers(*check_count(value, "count"), endpoint=True))


def draw(value: Amount, rng: np.random.Generator) -> float:
    """Draw one number uniformly from a value or a range."""
    low, high = value if isinstance(value, tuple) else (value, value)
    return float(rng.uniform(low, high))
