"""Tilts that a user leaves out of a recorded series, by number or by angle."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.tilt_list import TiltList

T = TypeVar("T")

TOLERANCE_DEG = 0.5
"""Largest distance between an angle that a user gives and that of the tilt that is meant."""

_RANGE = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?")
_LARGEST_VIEW = 100_000


@dataclass(frozen=True)
class Exclusion:
    """Tilts to leave out.

    Parameters
    ----------
    views
        Numbers of tilts, from 1, as IMOD counts views.
    angles
        Angles in degrees, with the sign of the series' own files.
    """

    views: frozenset[int] = frozenset()
    angles: tuple[float, ...] = ()

    @classmethod
    def parse(cls, views: Sequence[int | str] | str = (), angles: Sequence[float] | str = ()) -> Exclusion:
        """Read the numbers and angles that a user gives.

        Parameters
        ----------
        views
            Numbers and ranges of numbers, from 1, both ends included: ``[3, "7-9"]`` or ``"3,7-9"``.
        angles
            Degrees: ``[-60, 58.5]`` or ``"-60,58.5"``.

        Raises
        ------
        InputError
            For anything else.

        Examples
        --------
        >>> sorted(Exclusion.parse("3,7-9").views)
        [3, 7, 8, 9]
        """
        words = [word for item in _list(views) for word in str(item).split(",")]
        numbers = (number for word in words for number in _parse_range(word))
        return cls(frozenset(numbers), tuple(_parse_angle(word) for word in _list(angles)))

    def __bool__(self) -> bool:
        return bool(self.views or self.angles)

    def find(self, tilts: TiltList) -> NDArray[np.bool_]:
        """Find the tilts to leave out.

        Parameters
        ----------
        tilts
            All tilts of the series.

        Returns
        -------
        mask
            ``(tilt,)`` True for a tilt to leave out.

        Raises
        ------
        InputError
            If a number or angle is none of the series, or an angle that of two tilts.
        """
        absent = sorted(self.views - set(tilts.numbers))
        if absent:
            lowest, highest = min(tilts.numbers), max(tilts.numbers)
            gaps = "" if len(tilts) == highest - lowest + 1 else ", not each of them"
            raise InputError(
                f"exclude: there is no tilt {absent[0]} in {tilts.stack or tilts.source}, which has {len(tilts)}, "
                f"numbers {lowest} to {highest}{gaps} (counted from 1)"
            )
        mask = np.isin(tilts.numbers, sorted(self.views))
        for angle in self.angles:
            distance = np.abs(tilts.angles - angle)
            nearest = np.nonzero(distance <= min(TOLERANCE_DEG, np.nanmin(distance) + 1e-9))[0].tolist()
            if not nearest:
                raise InputError(
                    f"exclude_angles: no tilt of {tilts.source} is within {TOLERANCE_DEG:g}° of {angle:g}°; its angles "
                    f"go from {tilts.angles.min() + 0.0:g}° to {tilts.angles.max() + 0.0:g}°, with the file's own sign"
                )
            if len(nearest) > 1:
                raise InputError(
                    f"exclude_angles: {angle:g}° may be any of {tilts.describe_several(nearest)}, of {tilts.source}; "
                    "exclude by number"
                )
            mask[nearest[0]] = True
        return mask


def _list(items: Sequence[T] | str) -> Sequence[T | str]:
    """Split a text, of which an empty one holds nothing."""
    if isinstance(items, str):
        return items.split(",") if items.strip() else ()
    return items


def _parse_range(word: str) -> range:
    match = _RANGE.fullmatch(word)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last <= _LARGEST_VIEW:
        raise InputError(
            f"exclude: {word.strip()[:40]!r} is no tilt; give numbers from 1 and ranges of them, such as 3,7-9"
        )
    return range(first, last + 1)


def _parse_angle(word: float | str) -> float:
    try:
        angle = float(word)
    except (TypeError, ValueError):
        angle = np.nan
    if not abs(angle) <= 90:
        raise InputError(
            f"exclude_angles: {str(word).strip()[:40]!r} is no tilt angle; give degrees from -90 to 90, such as "
            "-60,58.5"
        )
    return angle
