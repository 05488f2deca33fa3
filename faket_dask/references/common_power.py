"""Power that neighbouring tilts of a reference have in common, as a share of their variance."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.kernels.similarity.tilt_coherence import CommonPower, measure_common_power, pair_neighbours
from faket_dask.references.base import Reference

COMMON_POWER = "common_power"
"""Array of the power that neighbouring tilts have in common, in units of their variances."""

COMMON_ROWS = ("common", "total", "null", "standard_error", "number")
"""Its rows, as in `CommonPower`."""

WIDEST_STEP_DEG = 5.0
"""Angle between neighbouring tilts beyond which a slab leaves them nothing in common."""


def list_neighbours(name: str, tilt_angles: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return the pairs of neighbouring tilts whose common power can be measured.

    Parameters
    ----------
    name
        Name of the reference, for messages.
    tilt_angles
        ``(tilt,)`` degrees.

    Raises
    ------
    InputError
        If there are none.
    """
    pairs = pair_neighbours(tilt_angles)
    if not pairs or abs(tilt_angles[pairs[0][0]] - tilt_angles[pairs[0][1]]) > WIDEST_STEP_DEG:
        raise InputError(
            f"{name}: no two of its {tilt_angles.size} tilts at less than 30° lie within {WIDEST_STEP_DEG:g}° of each "
            "other, so what tilts have in common cannot be measured"
        )
    return pairs


def measure_relative_power(reference: Reference, deviations: NDArray[np.float64], rings: int) -> CommonPower:
    """Measure the power that neighbouring tilts of a reference have in common, in units of their variances.

    Parameters
    ----------
    reference
        Reference; its tilts are read aligned.
    deviations
        ``(tilt,)`` standard deviation of each tilt before its alignment.
    rings
        Number of rings of equal frequency.

    Raises
    ------
    InputError
        If no tilts are neighbours.
    """
    angles = reference.tilt_angles
    list_neighbours(reference.name, angles)
    read = lru_cache(maxsize=1)(reference.read_aligned_tilt)

    def scale(tilt: int) -> NDArray[np.float64]:
        return read(tilt).pixels / np.float64(deviations[tilt])

    def mask(tilt: int) -> NDArray[np.bool_]:
        return read(tilt).artefact_free

    return measure_common_power(scale, angles, mask, rings=rings)
