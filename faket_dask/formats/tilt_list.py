"""Tilts as the file that lists them names them: numbers, places in the file, and angles with the file's sign."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.geometry.angles import SMALLEST_STEP_DEG
from faket_dask.kernels.tilt_angles import RANGE_TEXT, find_impossible_angles


@dataclass(frozen=True, eq=False)
class TiltList:
    """All tilts of a recorded series, in the order of the file that lists them.

    Parameters
    ----------
    source
        File that gives the angles, or the name of the argument that does.
    angles
        ``(tilt,)`` degrees as the file has them.
    is_stage
        True if the angles have the sign of the stage (SerialEM, IMOD, RELION), False if they have this project's.
    numbers
        ``(tilt,)`` numbers by which users call the tilts, from 1: sections of a stack, or places in the file.
    places
        ``(tilt,)`` place of each tilt in the file, such as ``line 3``.
    stack
        Stack whose sections the numbers are; ``None`` where tilts are single images.
    """

    source: Path | str
    angles: NDArray[np.float64]
    is_stage: bool
    numbers: tuple[int, ...]
    places: tuple[str, ...]
    stack: Path | None = None

    @classmethod
    def in_order(
        cls,
        source: Path | str,
        angles: NDArray[np.float64],
        *,
        is_stage: bool,
        place: str,
        stack: Path | None = None,
    ) -> TiltList:
        """List tilts whose numbers are their places in the file.

        Parameters
        ----------
        source, angles, is_stage, stack
            As for the class.
        place
            Word for a place in the file: ``line``, ``row``, …

        Examples
        --------
        >>> tilts = TiltList.in_order("a.tlt", np.array([-3.0, 0.0]), is_stage=True, place="line")
        >>> tilts.describe(1)
        'tilt 2 of a.tlt (counted from 1), stage angle 0°'
        """
        numbers = tuple(range(1, angles.size + 1))
        places = tuple(f"{place} {number}" for number in numbers)
        return cls(source, angles, is_stage, numbers, places, stack)

    def __len__(self) -> int:
        return self.angles.size

    @property
    def tilt_angles(self) -> NDArray[np.float64]:
        """``(tilt,)`` degrees with this project's sign."""
        return self.angles * (-1 if self.is_stage else 1)

    def describe(self, tilt: int) -> str:
        """Name a tilt as its files do: number, file and angle.

        Parameters
        ----------
        tilt
            Position in the list.
        """
        kind = "stage angle" if self.is_stage else "tilt angle"
        return f"{self._name(tilt)} (counted from 1), {kind} {self.angles[tilt] + 0.0:g}°"

    def describe_several(self, tilts: Sequence[int]) -> str:
        """Name several tilts by their numbers and angles, the first ten in full."""
        noun = "view" if self.stack else "tilt"
        names = [f"{self.numbers[tilt]} ({self.angles[tilt] + 0.0:g}°)" for tilt in tilts[:10]]
        more = f" and {len(tilts) - 10} more" if len(tilts) > 10 else ""
        return f"{noun}{'s' if len(tilts) > 1 else ''} {', '.join(names)}{more}, counted from 1"

    def choose(self, left_out: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return the positions of the tilts that are used, in the order of increasing tilt angle.

        Parameters
        ----------
        left_out
            ``(tilt,)`` True for tilts to leave out.

        Raises
        ------
        InputError
            If none is left, an angle cannot be one, or two tilts have the same.
        """
        used = np.nonzero(~left_out)[0]
        if not used.size:
            raise InputError(f"all {len(self)} tilts of {self.stack or self.source} are left out; keep some")
        for tilt in used:
            if find_impossible_angles(self.angles[tilt]):
                raise InputError(
                    f"{self.source}, {self.places[tilt]}: {self.angles[tilt]:g} is no tilt angle; {RANGE_TEXT}: "
                    "correct it, or leave the tilt out"
                )
        angles = self.tilt_angles
        order = used[np.argsort(angles[used], kind="stable")]
        close = np.nonzero(np.diff(angles[order]) < SMALLEST_STEP_DEG)[0]
        if close.size:
            a, b = sorted((int(order[close[0]]), int(order[close[0] + 1])))
            raise InputError(
                f"{self.source}: {self.places[a]} and {self.places[b]} have the same angle, "
                f"{self.angles[a] + 0.0:g}° ({'views' if self.stack else 'tilts'} {self.numbers[a]} and "
                f"{self.numbers[b]} of {self.stack or self.source}, counted from 1); leave one of them out: "
                f"{suggest_exclusion([self.numbers[b]])}"
            )
        return order

    def _name(self, tilt: int) -> str:
        if self.stack is None:
            return f"tilt {self.numbers[tilt]} of {self.source}"
        return f"view {self.numbers[tilt]} of {self.stack}"


FindLeftOut = Callable[[TiltList], NDArray[np.bool_]]
"""Function of all tilts of a series that returns ``(tilt,)`` True for those to leave out."""


def suggest_exclusion(numbers: Sequence[int]) -> str:
    """Say how to leave out tilts, by their numbers.

    Examples
    --------
    >>> suggest_exclusion([3, 7])
    '--exclude 3,7, or `exclude: [3, 7]` in a run file'
    """
    words = [str(number) for number in numbers]
    return f"--exclude {','.join(words)}, or `exclude: [{', '.join(words)}]` in a run file"


def keep_all(tilts: TiltList) -> NDArray[np.bool_]:
    """Leave out no tilt."""
    return np.zeros(len(tilts), dtype=np.bool_)


def warn_rejected(tilts: TiltList, rejected: NDArray[np.bool_], reason: str) -> None:
    """Warn of tilts that are left out because a file of the series rejects them.

    Parameters
    ----------
    tilts
        All tilts of the series.
    rejected
        ``(tilt,)`` True for rejected ones; nothing is said where there are none.
    reason
        File, and its way to reject a tilt.
    """
    positions = np.nonzero(rejected)[0].tolist()
    if positions:
        warnings.warn(
            f"leaving out {len(positions)} of {len(tilts)} tilts, which {reason} rejects: "
            f"{tilts.describe_several(positions)}",
            stacklevel=3,
        )
