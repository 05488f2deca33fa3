"""Order in which tilts are recorded, and the exposure that each has had before."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.geometry.angles import check_increasing, parse_angles


def acquisition_order(
    tilt_angles: ArrayLike, scheme: Literal["dose_symmetric", "increasing", "decreasing"]
) -> NDArray[np.int64]:
    """Rank the tilts in time for an acquisition scheme.

    ``dose_symmetric`` starts at the angle nearest to 0 and then takes the sides in turn, first one tilt of the
    positive side, then two of either: 0, +3, -3, -6, +6, +9, -9, … (Hagen et al., J. Struct. Biol. 197, 2017).

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` degrees, strictly increasing.
    scheme
        Order in which the microscope records them.

    Returns
    -------
    order
        ``(tilt,)`` int64, 0 for the tilt that was recorded first.

    Raises
    ------
    InputError
        If the angles are not finite, out of range, unsorted or duplicate.

    Examples
    --------
    >>> acquisition_order([-6, -3, 0, 3, 6], "dose_symmetric")
    array([3, 2, 0, 1, 4])
    """
    angles = parse_angles(tilt_angles)
    check_increasing(angles)
    if scheme == "increasing":
        return np.arange(angles.size)
    if scheme == "decreasing":
        return np.arange(angles.size)[::-1].copy()
    if scheme != "dose_symmetric":
        raise ValueError(f"scheme must be 'dose_symmetric', 'increasing' or 'decreasing', got {scheme!r}")
    first = int(np.argmin(np.abs(angles)))
    sides = [list(range(first + 1, angles.size)), list(range(first - 1, -1, -1))]
    sequence, take, side = [first], 1, 0
    while any(sides):
        sequence += sides[side][:take]
        del sides[side][:take]
        take, side = 2, 1 - side
    order = np.empty(angles.size, dtype=np.int64)
    order[sequence] = np.arange(angles.size)
    return order


def exposure_before(order: NDArray[np.int64], exposure_e_per_A2: ArrayLike) -> NDArray[np.float64]:
    """Compute the exposure that the specimen had received before each tilt.

    Parameters
    ----------
    order
        ``(tilt,)`` rank of each tilt in time, 0 for the first.
    exposure_e_per_A2
        Exposure of each tilt alone in e/Å²: one number, or ``(tilt,)``.

    Returns
    -------
    exposure_before
        ``(tilt,)`` float64, e/Å²; 0 for the tilt that was recorded first.

    Examples
    --------
    >>> exposure_before(np.array([2, 0, 1]), 3.0)
    array([6., 0., 3.])
    """
    sequence = np.argsort(order)
    exposure = np.broadcast_to(np.asarray(exposure_e_per_A2, dtype=np.float64), order.shape)[sequence]
    before = np.empty(order.shape, dtype=np.float64)
    before[sequence] = np.cumsum(exposure) - exposure
    return before


def select_exposures(
    order: NDArray[np.int64] | None,
    exposure_e_per_A2: NDArray[np.float64] | None,
    tilts: NDArray[np.intp],
    left_out_exposure_e_per_A2: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.int64] | None, NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Select tilts of a recorded series, whose specimen had been exposed in the other ones too.

    Parameters
    ----------
    order
        ``(tilt,)`` rank of each recorded tilt in time, if known.
    exposure_e_per_A2
        ``(tilt,)`` exposure of each tilt alone in e/Å², if known.
    tilts
        ``(selected,)`` indices of tilts.
    left_out_exposure_e_per_A2
        ``(tilt,)`` exposure before each tilt in others that were left out before; ``None`` for none.

    Returns
    -------
    order, exposure_e_per_A2, left_out_exposure_e_per_A2
        ``(selected,)`` rank in time and exposure of the selected tilts, and the exposure that the specimen had
        received before each of them in tilts that are not selected; ``None`` where not known, or none.

    Examples
    --------
    >>> select_exposures(np.array([2, 0, 1]), np.array([3.0, 3.0, 3.0]), np.array([0, 1]))
    (array([1, 0]), array([3., 3.]), array([3., 0.]))
    """
    selected = None if exposure_e_per_A2 is None else exposure_e_per_A2[tilts]
    earlier = None if left_out_exposure_e_per_A2 is None else left_out_exposure_e_per_A2[tilts]
    if order is None:
        return None, selected, earlier
    rank = np.argsort(np.argsort(order[tilts]))
    if exposure_e_per_A2 is None or selected is None:
        return rank, selected, earlier
    left_out = exposure_before(order, exposure_e_per_A2)[tilts] - exposure_before(rank, selected)
    if not (left_out > 1e-9).any():
        return rank, selected, earlier
    return rank, selected, left_out if earlier is None else earlier + left_out


def add_earlier_exposure(
    left_out_e_per_A2: NDArray[np.float64] | None, earlier_e_per_A2: float, tilts: int
) -> NDArray[np.float64] | None:
    """Add an exposure of the specimen before the whole series to those in tilts that are left out.

    Parameters
    ----------
    left_out_e_per_A2
        ``(tilt,)`` exposure before each tilt in others that are left out; ``None`` for none.
    earlier_e_per_A2
        Exposure before the first tilt in time.
    tilts
        Number of tilts.

    Examples
    --------
    >>> add_earlier_exposure(None, 2.5, 3)
    array([2.5, 2.5, 2.5])
    """
    if not earlier_e_per_A2 > 1e-9:
        return left_out_e_per_A2
    return (np.zeros(tilts) if left_out_e_per_A2 is None else left_out_e_per_A2) + earlier_e_per_A2
