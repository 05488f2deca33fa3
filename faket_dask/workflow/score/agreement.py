"""Agreement of two lists: names of classes, and the frame that positions count in."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.workflow.score.particle_lists import ListedParticles

MOST_OUTSIDE = 0.2
"""Share of picks outside the frame of the truth from which the frames are taken to differ."""

_FEWEST_FOR_EXTENT = 3
"""Particles whose extent says something about their volume's."""


def check_not_empty(predicted: ListedParticles, truth: ListedParticles) -> None:
    """Warn of a list without picks.

    Raises
    ------
    InputError
        If the truth has no particles.
    """
    if not len(truth.table):
        raise InputError(f"{truth.path} lists no particles to find")
    if not len(predicted.table):
        warnings.warn(f"{predicted.path} lists no picks, so all particles are missed", stacklevel=3)


def rename_classes(particles: ListedParticles, names: Mapping[str, str]) -> ListedParticles:
    """Give classes new names.

    Parameters
    ----------
    particles
        Particles.
    names
        New names by the old ones.

    Raises
    ------
    InputError
        If no particle has an old name.
    """
    absent = [name for name in names if name not in particles.table.class_name]
    if absent:
        raise InputError(
            f"{particles.path} has no class {absent[0]!r} to rename; its classes are {_list_names(particles)}"
        )
    renamed = [names.get(str(name), str(name)) for name in particles.table.class_name]
    return replace(particles, table=replace(particles.table, class_name=np.array(renamed, dtype=np.str_)))


def match_names(predicted: ListedParticles, truth: ListedParticles) -> ListedParticles:
    """Return the picks with the truth's names where theirs differ in case alone, with a warning.

    Raises
    ------
    InputError
        If the lists share no class.
    """
    there = _unique_names(truth)
    folded: dict[str, list[str]] = {}
    for name in there:
        folded.setdefault(name.casefold(), []).append(name)
    alike = {
        name: folded[name.casefold()][0]
        for name in _unique_names(predicted)
        if name not in there and len(folded.get(name.casefold(), ())) == 1
    }
    if alike:
        pairs = ", ".join(f"{old} for {new}" for old, new in alike.items())
        warnings.warn(
            f"{predicted.path} has {pairs}: classes are taken for the same where their names differ in case only",
            stacklevel=3,
        )
        predicted = rename_classes(predicted, alike)
    if len(predicted.table) and not set(_unique_names(predicted)) & set(there):
        raise InputError(
            f"{predicted.path} and {truth.path} share no class: the picks are {_list_names(predicted)}, and there are "
            f"{_list_names(truth)}; name them alike by --rename OLD=NEW"
        )
    return predicted


def check_frame(predicted: ListedParticles, truth: ListedParticles, margin_A: float) -> None:
    """Warn of picks that seem to count from elsewhere, or in another unit, than the truth.

    The frame is the volume of the truth where that is known, else the extent of its particles and a margin.

    Parameters
    ----------
    predicted, truth
        Picks, and particles that are there.
    margin_A
        Least margin in Å, such as the radius of a particle.

    Raises
    ------
    InputError
        If no pick lies in the frame of the truth.
    """
    frame = _find_frame(truth, margin_A)
    if frame is None or not len(predicted.table):
        return
    low, high = frame
    centres = predicted.table.centre_A
    outside = ((centres < low) | (centres > high)).any(axis=1)
    share = float(outside.mean())
    if share < MOST_OUTSIDE:
        return
    ranges = " and ".join(
        f"{name} {_describe_range(part)}"
        for name, part in (("picks", centres), ("particles", np.stack(frame)))
    )
    message = (
        f"{np.count_nonzero(outside)} of {len(centres)} picks of {predicted.path} lie outside the frame of "
        f"{truth.path} ({ranges}); both must count from the same corner voxel, in its voxel size (--voxel-size-A)"
    )
    if outside.all():
        raise InputError(message)
    warnings.warn(message, stacklevel=3)


def _find_frame(
    truth: ListedParticles, margin_A: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if truth.size_A is not None:
        return np.full(3, -margin_A), truth.size_A + margin_A
    count = len(truth.table)
    if count < _FEWEST_FOR_EXTENT:
        return None
    low, high = truth.table.centre_A.min(axis=0), truth.table.centre_A.max(axis=0)
    # Few particles fill their volume poorly: the extremes of n uniform numbers leave 1 / n free on either side.
    margin = margin_A + (high - low) * max(0.1, 3 / count)
    return low - margin, high + margin


def _describe_range(positions: NDArray[np.float64]) -> str:
    low, high = positions.min(axis=0), positions.max(axis=0)
    return ", ".join(
        f"{axis} {start:.0f} to {stop:.0f} Å" for axis, start, stop in zip("xyz", low, high, strict=True)
    )


def _unique_names(particles: ListedParticles) -> list[str]:
    return [str(name) for name in np.unique(particles.table.class_name)]


def _list_names(particles: ListedParticles, most: int = 8) -> str:
    names = _unique_names(particles)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
