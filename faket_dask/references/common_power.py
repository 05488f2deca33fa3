"""Power that neighbouring tilts of a reference have in common, as a share of their variance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, OwnedArray, open_array
from faket_dask.errors import InputError
from faket_dask.kernels.similarity.tilt_coherence import (
    LEAST_VALID,
    WIDEST_STEP_DEG,
    CommonPower,
    measure_common_power,
    pair_neighbours,
    share_valid,
)
from faket_dask.references.base import Reference
from faket_dask.references.recorded import RecordedReference
from faket_dask.references.statistics import ReferenceStatistics, count_rings

COMMON_POWER = "common_power"
"""Array of the power that neighbouring tilts have in common, in units of their variances."""

_ROWS = ("common", "total", "null", "standard_error", "number")
"""Its rows, as in `CommonPower`."""


@dataclass(frozen=True, eq=False)
class StoredPower:
    """Power that neighbouring tilts of a reference have in common, ``(rings,)`` each; see `CommonPower`."""

    common: NDArray[np.float64]
    total: NDArray[np.float64]
    null: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    number: NDArray[np.float64]


def describe_common_power(spec: DatasetSpec, group: Path) -> OwnedArray:
    """Return the array of the power that neighbouring tilts of a reference have in common."""
    shape = (len(_ROWS), count_rings(spec))
    return OwnedArray(group, ArraySpec(COMMON_POWER, ("common_statistic", "ring"), shape, shape, "float64"))


def write_common_power(spec: DatasetSpec, reference: Reference, deviations: NDArray[np.float64]) -> None:
    """Measure and store the power that neighbouring tilts of a reference have in common.

    Parameters
    ----------
    spec
        Specification of the data set.
    reference
        Plain reference.
    deviations
        ``(tilt,)`` standard deviation of each tilt before its alignment.

    Raises
    ------
    InputError
        If it cannot be measured, and shared matter follows from it; otherwise NaN is stored.
    """
    power = None
    if spec.shares_background or reference.knows_alignment:
        try:
            power = measure_relative_power(reference, deviations, count_rings(spec))
        except InputError:
            if spec.shares_background:
                raise
    rows = np.nan if power is None else np.stack([getattr(power, name) for name in _ROWS])
    open_array(spec.folder.statistics(reference.name), COMMON_POWER)[...] = rows


def read_common_power(spec: DatasetSpec, name: str) -> StoredPower | None:
    """Read the stored power of a plain reference; ``None`` where it could not be measured."""
    rows = ReferenceStatistics(spec.folder).read(name, COMMON_POWER)
    return StoredPower(*rows) if np.isfinite(rows).all() else None


def list_neighbours(reference: Reference) -> list[tuple[int, int]]:
    """Return the pairs of neighbouring tilts whose common power can be measured.

    Parameters
    ----------
    reference
        Reference; of a recording with a mask from a file, pairs that this leaves too little of are left out.

    Raises
    ------
    InputError
        If there are none.
    """
    angles = reference.tilt_angles
    pairs = pair_neighbours(angles)
    if not pairs or abs(angles[pairs[0][0]] - angles[pairs[0][1]]) > WIDEST_STEP_DEG:
        number = f"none of its {angles.size} tilts has" if angles.size > 1 else "its one tilt has not"
        raise InputError(
            f"{reference.name}: {number} a neighbour within {WIDEST_STEP_DEG:g}° at less than 30°, so what tilts have "
            "in common cannot be measured"
        )
    if not isinstance(reference, RecordedReference) or not isinstance(reference.section.mask, Path):
        return pairs
    read = lru_cache(maxsize=2)(reference.read_given_mask)
    left = [pair for pair in pairs if share_valid(*map(read, pair)) > LEAST_VALID]
    if not left:
        raise InputError(
            f"{reference.name}: {reference.section.mask} leaves less than {LEAST_VALID:.0%} of any two neighbouring "
            "tilts, their edges counted less, so what tilts have in common cannot be measured"
        )
    return left


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
        If no tilts are neighbours, or artefacts and edges cover most of them.
    """
    pairs = list_neighbours(reference)
    read = lru_cache(maxsize=1)(reference.read_aligned_tilt)

    def scale(tilt: int) -> NDArray[np.float64]:
        return read(tilt).pixels / np.float64(deviations[tilt])

    def mask(tilt: int) -> NDArray[np.bool_]:
        return read(tilt).artefact_free

    try:
        return measure_common_power(scale, reference.tilt_angles, mask, rings=rings, pairs=pairs)
    except ValueError as error:
        raise InputError(
            f"{reference.name}: {error}, so what tilts have in common cannot be measured; leave such tilts out (its "
            "key `exclude`), or write `background: {source: none}`"
        ) from None
