"""Search of a tomogram for a particle, from files to a table of picks."""

from __future__ import annotations

import math
import shutil
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from faket_dask.cluster.open import Cluster
from faket_dask.cluster.requirements import GIB
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.events import Event, UnitDone
from faket_dask.engine.lock import hold_lock
from faket_dask.engine.plan import Plan
from faket_dask.engine.run import Execution, run_plan
from faket_dask.engine.serial import execute_serially
from faket_dask.engine.unfinished import is_other_work, may_hold_work
from faket_dask.errors import DiskFullError, FaketDaskError, InputError
from faket_dask.kernels.matching.null_template import Null
from faket_dask.kernels.matching.peaks import find_peaks, score_of_chance
from faket_dask.matching.specification import MatchSpec
from faket_dask.matching.template_source import resolve_source
from faket_dask.matching.units import (
    BYTES_OF_RESULT,
    MATCHING,
    PARTICLE,
    CorrelateBlocks,
    list_searches,
    read_chance,
    read_scores,
)
from faket_dask.outputs.claim import claim_outputs
from faket_dask.outputs.record import absolute
from faket_dask.pipeline.tomogram_source import GivenTomogram
from faket_dask.specimen.particles import ParticleTable, make_table
from faket_dask.stages.device import check_device
from faket_dask.stages.matching import MatchSettings

MERGE_SHARE = 0.01
"""Approximate share of the time that merging takes of the whole."""


@dataclass(frozen=True)
class PickRule:
    """Choice of peaks.

    Parameters
    ----------
    false_peaks
        Number of peaks of the null search that may lie above the threshold.
    threshold
        Score that picks are above, in place of the null search.
    distance_A
        Least distance of two picks in Å; by default the radius of the particle.
    most
        Largest number of picks; by default all.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    false_peaks: int = 1
    threshold: float | None = None
    distance_A: float | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None and not -1 <= self.threshold <= 1:
            raise InputError(f"the threshold is {self.threshold:g}; scores lie between -1 and 1")
        if self.false_peaks < 0:
            raise InputError(f"{self.false_peaks} false peaks are none; give 0 or more")
        if self.most is not None and self.most < 1:
            raise InputError(f"at most {self.most} picks are none; give 1 or more")


@dataclass(frozen=True)
class Picks:
    """Particles that were found.

    Parameters
    ----------
    table
        Particles with their orientations and scores, the highest first.
    threshold
        Score that they are above.
    """

    table: ParticleTable
    threshold: float


def search_tomogram(
    searched: GivenTomogram,
    source: str,
    target: Path,
    settings: MatchSettings,
    rule: PickRule | None = None,
    *,
    null: Null = Null.INVERTED,
    name: str = "particle",
    device: str = "cpu",
    threads: int = 1,
    cluster: Cluster | None = None,
    advance: Callable[[float], None] = lambda share: None,
    inputs: Iterable[Path] = (),
    overwrite: bool = False,
) -> Picks:
    """Search a tomogram for a particle in all orientations, and write a particle table.

    Parameters
    ----------
    searched
        Tomogram.
    source
        Template: phantom, entry of a public archive such as ``pdb:1bxn``, structure file or density map.
    target
        ``.csv`` file to write. Unfinished work is in ``.<name>.unfinished`` beside it.
    settings
        Missing wedge, orientations, contrast.
    rule
        Choice of peaks; by default one false peak is accepted.
    null
        Search that tells which score chance reaches; not made where the rule has a threshold. The opposite contrast
        takes no time, the others as much as the search itself.
    name
        Name of the class in the table.
    device
        ``"cpu"`` or ``"cuda"``; untested on a GPU.
    threads
        Units that are computed at the same time in this process; picks do not depend on it.
    cluster
        Where workers run, in place of threads; see `faket_dask.cluster.open_cluster`.
    advance
        Called with each share of the work that is done; they add up to 1.
    inputs
        Files that are read, which are never replaced.
    overwrite
        True to replace a file of others.

    Returns
    -------
    picks
        Content of the table, and the threshold.

    Raises
    ------
    InputError
        Before anything is computed, if an input cannot be used or the target not be written.
    DiskFullError
        If the scores do not fit on the disk.
    DatasetBusyError
        If another process makes the same search.

    Notes
    -----
    Interrupted in any way, the same call resumes. With another tomogram, template or other settings it starts anew,
    with a warning; another rule computes nothing anew.
    """
    rule = rule or PickRule()
    if target.suffix != ".csv":
        raise InputError(f"{target} is no .csv file, which a particle table is written as")
    if threads < 1:
        raise InputError(f"{threads} threads cannot work; give at least one (--threads)")
    if cluster is None:
        check_device(device)
    target = absolute(target)
    root = target.with_name(f".{target.name}.unfinished")
    resolved = resolve_source(source)
    spec = MatchSpec(root, searched, resolved, settings, null if rule.threshold is None else None, device)
    files = [*inputs, *([Path(resolved)] if Path(resolved).is_file() else [])]
    refusals = [] if may_hold_work(root) else [f"{root} holds no unfinished search; move it away"]
    with claim_outputs([target], inputs=files, overwrite=overwrite, refusals=refusals):
        complete_search(spec, target, threads, cluster, advance)
        picks = choose_peaks(spec, rule, name)
        picks.table.write_csv(target)
        shutil.rmtree(root)
        return picks


def complete_search(
    spec: MatchSpec,
    target: Path,
    threads: int = 1,
    cluster: Cluster | None = None,
    advance: Callable[[float], None] = lambda share: None,
) -> None:
    """Compute what is missing of a search; afterwards `read_scores` reads it.

    Parameters
    ----------
    spec
        Specification of the search.
    target
        File that its result goes to, for messages.
    threads, cluster, advance
        As for `search_tomogram`.

    Raises
    ------
    InputError, DiskFullError, DatasetBusyError
        As for `search_tomogram`.
    """
    _check_space(spec, target)
    _discard_other_work(spec, target)
    _compute(spec, threads, cluster, advance)


def choose_peaks(spec: MatchSpec, rule: PickRule, name: str) -> Picks:
    """Turn the scores of a complete search into a table of particles."""
    radius_A = spec.template.radius_A
    distance = (rule.distance_A or radius_A) / spec.searched.voxel_size_A
    threshold = rule.threshold
    if threshold is None:
        threshold = score_of_chance(find_peaks(read_chance(spec), distance).score, rule.false_peaks)
    best = read_scores(spec, PARTICLE)
    peaks = find_peaks(best.score, distance, threshold)
    voxel, score = peaks.voxel[: rule.most], peaks.score[: rule.most]
    rotation = spec.settings.rotations[best.orientation[tuple(voxel.T)]]
    count = len(voxel)
    table = make_table([name] * count, [1] * count, spec.searched.locate(voxel), rotation)
    scores = score.astype(np.float64)
    return Picks(replace(table, score=scores, radius_A=np.full(count, radius_A)), float(threshold))


def _check_space(spec: MatchSpec, target: Path) -> None:
    needed = BYTES_OF_RESULT * len(list_searches(spec)) * (1 + spec.groups) * math.prod(spec.blocks.shape)
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise DiskFullError(
            f"{target}: the scores of {len(spec.settings.rotations)} orientations take {needed / GIB:.1f} GiB "
            f"meanwhile, and {free / GIB:.1f} GiB are free there; choose another folder, a larger --step, or bin the "
            "tomogram"
        )


def _discard_other_work(spec: MatchSpec, target: Path) -> None:
    """Remove unfinished work of another tomogram, template or other settings."""
    if is_other_work(spec):
        warnings.warn(
            f"what had been done of {target} was of another tomogram, template or other settings; it is begun anew",
            stacklevel=3,
        )
        with hold_lock(spec.folder.lock):
            shutil.rmtree(spec.store, ignore_errors=True)
            spec.folder.description.unlink(missing_ok=True)


def _compute(
    spec: MatchSpec, threads: int, cluster: Cluster | None, advance: Callable[[float], None]
) -> None:
    plan = Plan(spec, MATCHING)
    report = _report_shares(plan, advance)
    if cluster is not None:
        failures = run_plan(plan, Execution(cluster=cluster), report)
        if failures:
            raise FaketDaskError(
                f"{len(failures)} units failed, the first {failures[0].unit}: {failures[0].cause}; the same command "
                "tries them again"
            )
        return
    with hold_lock(spec.folder.lock):
        spec.write()
        completed = CompletedUnits.read(plan)
        try:
            execute_serially(plan, completed, report, threads=threads)
        except FaketDaskError:
            if not any(completed.counts().values()):  # nothing is lost; else a disk may be back soon
                shutil.rmtree(spec.root)
            raise


def _report_shares(plan: Plan[MatchSpec], advance: Callable[[float], None]) -> Callable[[Event], None]:
    """Return a watcher that turns units into shares of the work, those that are done already included."""
    units = {stage.name: 0 for stage in plan.stages}
    for batch in plan.batches:
        units[batch.stage] += batch.count
    share = {
        name: (1 - MERGE_SHARE if name == CorrelateBlocks.name else MERGE_SHARE) / count
        for name, count in units.items()
    }
    for key, progress in CompletedUnits.read(plan).batches.items():
        advance(share[key.stage] * progress.count)

    def report(event: Event) -> None:
        if isinstance(event, UnitDone):
            advance(share[event.unit.stage])

    return report
