"""Scorers of two lists: one to one by distance, and by the rules of two challenges."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats import shrec
from faket_dask.formats.mrc import open_volume
from faket_dask.scoring import czii2024
from faket_dask.scoring.confusion import count_class
from faket_dask.scoring.counts import Counts
from faket_dask.scoring.distances import measure_nearest, median_or_none
from faket_dask.scoring.one_to_one import score_one_to_one
from faket_dask.scoring.picks import BACKGROUND, Picks
from faket_dask.scoring.shrec2021 import LEFT_OUT, find_instances, score_shrec2021
from faket_dask.specimen.particles import ParticleTable
from faket_dask.workflow.score.agreement import check_frame
from faket_dask.workflow.score.occupancy import check_instances, read_occupancy
from faket_dask.workflow.score.particle_lists import ListedParticles
from faket_dask.workflow.score.report import ClassRow, ScoreReport

BACKGROUND_NAMES = ("background", "0")
"""Names of background in submissions to SHREC."""


class Scorer(StrEnum):
    """Rules by which picks are scored."""

    ONE_TO_ONE = "one-to-one"
    """Assignment by distance, one to one."""

    SHREC2021 = "shrec2021"
    """SHREC 2021, by the voxels of an occupancy mask."""

    CZII2024 = "czii2024"
    """CZII's challenge of 2024, by distance, F-beta with β = 4."""


@dataclass(frozen=True)
class ScorerOptions:
    """Options of scorers; each suits some of them only.

    Parameters
    ----------
    radius_A
        Radius of all particles in Å, in place of their own.
    occupancy
        Instance mask in an MRC file.
    ignored
        Classes that need not be found.
    voxel_size_A
        Edge of a voxel of the mask in Å, where its header has none.
    """

    radius_A: float | None = None
    occupancy: Path | None = None
    ignored: tuple[str, ...] = ()
    voxel_size_A: float | None = None


def check_options(scorer: Scorer, options: ScorerOptions) -> None:
    """Refuse options that a scorer has no use for.

    Raises
    ------
    InputError
        Naming the first one.
    """
    _, used = _SCORERS[scorer]
    for name, flag in (("radius_A", "--radius-A"), ("occupancy", "--occupancy"), ("ignored", "--ignore")):
        if getattr(options, name) and name not in used:
            raise InputError(f"{flag} says nothing to the scorer {scorer}; leave it out")


def score(
    scorer: Scorer, predicted: ListedParticles, truth: ListedParticles, options: ScorerOptions
) -> ScoreReport:
    """Score picks whose names of classes agree with the truth's.

    Parameters
    ----------
    scorer
        Rules.
    predicted, truth
        Picks, and particles that are there.
    options
        Options of the scorer.

    Raises
    ------
    InputError
        If the scorer needs an option that is missing, the options do not suit the lists, or no pick lies in the frame
        of the truth.
    """
    run, _ = _SCORERS[scorer]
    return run(predicted, truth, options)


def _score_one_to_one(
    predicted: ListedParticles, truth: ListedParticles, options: ScorerOptions
) -> ScoreReport:
    radius_A = _find_radii(truth, options.radius_A)
    check_frame(predicted, truth, float(radius_A.max()))
    names = _list_classes(truth.table, predicted.table)
    absent = [name for name in options.ignored if name not in names]
    if absent:
        raise InputError(f"there is no class {absent[0]!r} to ignore; the classes are {', '.join(names)}")
    is_ignored = np.isin(truth.table.class_name, options.ignored)
    if is_ignored.all():
        raise InputError(f"all particles of {truth.path} are to be ignored; leave some")
    kept = predicted.table.select(~np.isin(predicted.table.class_name, options.ignored))
    ids = {name: number for number, name in enumerate(names, start=1)}
    picks, there = _to_picks(kept, ids), _to_picks(truth.table, ids)
    result = score_one_to_one(picks, there, radius_A, is_ignored)
    rows = [
        ClassRow(
            name=names[class_id - 1],
            counts=counts,
            f_score=counts.f_score(),
            average_precision=result.curves[class_id].average_precision
            if class_id in result.curves
            else None,
            median_distance_A=result.median_distance[class_id],
        )
        for class_id, counts in result.by_class.items()
    ]
    nearest = measure_nearest(picks.positions, there.positions)
    present = [BACKGROUND, *result.by_class]
    return ScoreReport(
        summary={
            "picks": len(picks),
            "picks_on_ignored_particles": int(np.count_nonzero(result.assignment.is_ignored)),
            "particles": int(np.count_nonzero(~is_ignored)),
            **_describe_localisation(result.localisation),
            "macro_f1": result.macro_f1,
            "mean_average_precision": result.mean_average_precision,
            "median_distance_of_hits_A": median_or_none(
                result.assignment.distance[result.assignment.is_assigned]
            ),
            "median_distance_of_picks_to_the_nearest_particle_A": median_or_none(nearest),
        },
        classes=rows,
        confusion=result.confusion[np.ix_(present, present)],
        confusion_names=["background", *(row.name for row in rows)],
    )


def _score_shrec2021(
    predicted: ListedParticles, truth: ListedParticles, options: ScorerOptions
) -> ScoreReport:
    if options.occupancy is None:
        raise InputError("SHREC's scorer finds particles by their voxels; give the mask by --occupancy")
    check_frame(predicted, truth, margin_A=0.0)
    volume = open_volume(options.occupancy, voxel_size_A=options.voxel_size_A)
    listed = [*truth.table.class_name.tolist(), *predicted.table.class_name.tolist()]
    ids = shrec.class_ids(listed) | {
        name: BACKGROUND for name in listed if name.casefold() in BACKGROUND_NAMES
    }
    picks = _to_picks(predicted.table, ids, volume.voxel_size_A)
    there = _to_picks(_order_by_instance(truth), ids, volume.voxel_size_A)
    mask = read_occupancy(volume)
    limits = np.array(mask.shape[::-1]) - 1
    voxels = np.clip(np.rint(there.positions), 0, limits).astype(np.int64)
    check_instances(volume.path, mask, find_instances(mask, voxels), truth.path, len(there))
    result = score_shrec2021(picks, there, mask)
    distance_A = result.distance * volume.voxel_size_A
    hit_class = there.class_id[result.hit - 1]
    names = {number: name for name, number in ids.items()} | {BACKGROUND: "background"}
    present = np.flatnonzero(result.confusion.sum(axis=0) + result.confusion.sum(axis=1)).tolist()
    rows = []
    for class_id in (number for number in present if number not in (BACKGROUND, *LEFT_OUT)):
        counts = count_class(result.confusion, class_id)
        median = median_or_none(distance_A[hit_class == class_id])
        rows.append(ClassRow(names[class_id], counts, counts.f_score(), median_distance_A=median))
    return ScoreReport(
        summary={
            "picks": result.picks,
            "picks_moved_into_the_frame": result.clipped,
            "particles_expected": result.expected,
            "particles_hit": int(result.hit.size),
            **_describe_localisation(result.localisation),
            "classification_macro_f1": result.macro_f1,
            "mean_distance_of_hits_A": float(distance_A.mean()) if distance_A.size else None,
            "median_distance_of_hits_A": median_or_none(distance_A),
        },
        classes=rows,
        confusion=result.confusion[np.ix_(present, present)],
        confusion_names=[names[class_id] for class_id in present],
    )


def _score_czii2024(
    predicted: ListedParticles, truth: ListedParticles, options: ScorerOptions
) -> ScoreReport:
    names = _list_classes(truth.table, predicted.table)
    ids = {name: number for number, name in enumerate(names, start=1)}
    radius = _find_class_radii(truth, options.radius_A)
    check_frame(predicted, truth, max(radius.values()))
    weight = {ids[name]: czii2024.WEIGHT.get(name.casefold(), 1.0) for name in radius}
    if not any(weight.values()):
        raise InputError(f"{truth.path} has none of the classes that the challenge scores")
    strange = [name for name in names if name not in radius]
    if strange:
        warnings.warn(
            f"{predicted.path} has picks of {', '.join(strange)}, which {truth.path} does not have; the challenge's "
            "rules leave them out",
            stacklevel=3,
        )
    picks, there = _to_picks(predicted.table, ids), _to_picks(truth.table, ids)
    counts = czii2024.count_czii2024(picks, there, {ids[name]: size for name, size in radius.items()})
    rows = []
    for name, size in radius.items():
        nearest = measure_nearest(
            there.positions[there.class_id == ids[name]], picks.positions[picks.class_id == ids[name]]
        )
        median = median_or_none(nearest[nearest <= czii2024.RADIUS_FACTOR * size])
        own = counts[ids[name]]
        rows.append(ClassRow(name, own, own.f_score(czii2024.BETA), median_distance_A=median))
    return ScoreReport(
        summary={
            "picks": len(picks),
            "particles": len(there),
            "score": czii2024.score_czii2024([counts], weight),
            "beta": czii2024.BETA,
        },
        classes=rows,
    )


_SCORERS: Mapping[
    Scorer,
    tuple[Callable[[ListedParticles, ListedParticles, ScorerOptions], ScoreReport], tuple[str, ...]],
] = {
    Scorer.ONE_TO_ONE: (_score_one_to_one, ("radius_A", "ignored")),
    Scorer.SHREC2021: (_score_shrec2021, ("occupancy",)),
    Scorer.CZII2024: (_score_czii2024, ("radius_A",)),
}
"""Function of each scorer, and the options that it takes."""


def _describe_localisation(counts: Counts) -> dict[str, float]:
    return {
        "localisation_precision": counts.precision,
        "localisation_recall": counts.recall,
        "localisation_f1": counts.f_score(),
    }


def _list_classes(truth: ParticleTable, predicted: ParticleTable) -> list[str]:
    """Return all names, those of the truth first, in the order of their numbers."""
    order = np.argsort(truth.class_id, kind="stable")
    names = [*truth.class_name[order].tolist(), *np.unique(predicted.class_name).tolist()]
    return list(dict.fromkeys(names))


def _to_picks(table: ParticleTable, ids: Mapping[str, int], unit_A: float = 1.0) -> Picks:
    class_id = np.array([ids[str(name)] for name in table.class_name], dtype=np.int64)
    is_ranked = table.score is not None and np.unique(table.score).size > 1
    return Picks(table.centre_A / unit_A, class_id, table.score if is_ranked else None)


def _find_radii(truth: ListedParticles, radius_A: float | None) -> NDArray[np.float64]:
    """Return the radius of each particle in Å."""
    if radius_A is not None:
        return np.full(len(truth.table), radius_A)
    unknown = ~(truth.table.radius_A > 0)
    if unknown.any():
        raise InputError(
            f"{truth.path} has no radius of {truth.table.class_name[unknown][0]}; give the largest distance of a hit "
            "by --radius-A"
        )
    return truth.table.radius_A


def _find_class_radii(truth: ListedParticles, radius_A: float | None) -> dict[str, float]:
    """Return the radius of each class in Å: the one given, the median of its particles', or the challenge's."""
    radii: dict[str, float] = {}
    for name in _list_classes(truth.table, truth.table):
        own = truth.table.radius_A[truth.table.class_name == name]
        known = own[own > 0]
        fallback = czii2024.RADIUS_A.get(name.casefold())
        if radius_A is not None:
            radii[name] = radius_A
        elif known.size:
            radii[name] = float(np.median(known))
        elif fallback is not None:
            radii[name] = fallback
        else:
            raise InputError(
                f"{truth.path} has no radius of {name}; give that of the particles by --radius-A"
            )
    return radii


def _order_by_instance(truth: ListedParticles) -> ParticleTable:
    """Return the first row of each instance, in the order of the instances, which are those of the mask."""
    numbers, first = np.unique(truth.table.instance, return_index=True)
    if not np.array_equal(numbers, np.arange(1, numbers.size + 1)):
        raise InputError(
            f"{truth.path}: the instances of an occupancy mask count from 1 without a gap, and these are "
            f"{_shorten(numbers.tolist())}"
        )
    return truth.table.select(first)


def _shorten(numbers: Sequence[int], most: int = 6) -> str:
    return ", ".join(map(str, numbers[:most])) + (", …" if len(numbers) > most else "")
