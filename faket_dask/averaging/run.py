"""Average of the particles of a tomogram, from files to files."""

from __future__ import annotations

import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from faket_dask.averaging.agreement import HalfAgreement, HandAgreement, compare_halves, compare_hands
from faket_dask.averaging.outputs import (
    CURVES,
    OUTPUTS,
    PARTICLES,
    SUMMARY,
    final_item,
    tabulate_particles,
    write_curves,
    write_maps,
    write_summary,
)
from faket_dask.averaging.particles import choose_particles
from faket_dask.averaging.specification import GROUP, AverageSpec
from faket_dask.averaging.start import Start, StartKind, read_cube
from faket_dask.averaging.units import AVERAGING, read_sums
from faket_dask.cluster.requirements import GIB
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.events import Event, UnitDone
from faket_dask.engine.lock import hold_lock
from faket_dask.engine.plan import Plan
from faket_dask.engine.serial import execute_serially
from faket_dask.engine.unfinished import is_other_work, may_hold_work
from faket_dask.errors import DiskFullError, FaketDaskError, InputError
from faket_dask.kernels.averaging.wedge_sum import add_sums
from faket_dask.outputs.claim import claim_outputs
from faket_dask.outputs.record import absolute
from faket_dask.pipeline.tomogram_source import GivenTomogram
from faket_dask.specimen.particles import ParticleTable
from faket_dask.stages.averaging import AverageSettings, BoxAlignment, HalfSet


@dataclass(frozen=True, eq=False)
class Averaged:
    """Result of an average.

    Parameters
    ----------
    particles
        Number of particles in it.
    halves
        Agreement of the half averages.
    hands
        Agreement with a structure and its mirror image, if one was given.
    """

    particles: int
    halves: HalfAgreement
    hands: HandAgreement | None


def average_particles(
    source: GivenTomogram,
    table: ParticleTable,
    folder: Path,
    settings: AverageSettings,
    start: Start | None = None,
    *,
    against: Path | None = None,
    threads: int = 1,
    advance: Callable[[float], None] = lambda share: None,
    inputs: Iterable[Path] = (),
    overwrite: bool = False,
) -> Averaged:
    """Average the particles of a tomogram in two half-sets that are aligned apart, and write what they agree in.

    Parameters
    ----------
    source
        Tomogram.
    table
        Particles in its frame.
    folder
        Folder of the results, see `faket_dask.averaging.outputs.OUTPUTS`; what is dense is positive in the maps.
        Unfinished work is in ``.<name>.unfinished`` beside it.
    settings
        Boxes, limit, missing wedge, orientations.
    start
        First reference; by default one without features.
    against
        Density map of a known structure with voxels of the tomogram's size, dense positive.
    threads
        Units that are computed at the same time; the result does not depend on it.
    advance
        Called with each share of the work that is done; they add up to 1.
    inputs
        Files that are read, which are never replaced.
    overwrite
        True to replace files of others.

    Raises
    ------
    InputError
        Before anything is computed, if an input cannot be used or a result not be written; if the tomogram holds NaN
        near a particle.
    DiskFullError
        If the boxes do not fit on the disk.
    DatasetBusyError
        If another process makes the same average.

    Notes
    -----
    Interrupted in any way, the same call resumes. With other inputs or settings it starts anew, with a warning.
    """
    start = start or Start()
    if threads < 1:
        raise InputError(f"{threads} threads cannot work; give at least one (--threads)")
    if start.kind is not StartKind.ORIENTATIONS and settings.rounds < 1:
        raise InputError(
            "no round searches all orientations; only a start from orientations needs none (--rounds)"
        )
    alignment = BoxAlignment(settings, source.voxel_size_A)
    particles = choose_particles(table, source, alignment.edge)
    cubes = {
        path: read_cube(path, source.voxel_size_A, alignment.edge)
        for path in (start.path, against)
        if path is not None
    }
    folder = absolute(folder)
    root = folder.with_name(f".{folder.name}.unfinished")
    first_map = None if start.path is None else cubes[start.path]
    spec = AverageSpec(root, source, particles, settings, start.kind, first_map)
    refusals = [] if may_hold_work(root) else [f"{root} holds no unfinished average; move it away"]
    with claim_outputs(
        [folder / name for name in OUTPUTS],
        inputs=[*inputs, *cubes],
        overwrite=overwrite,
        refusals=refusals,
    ):
        _check_space(spec, folder)
        _discard_other_work(spec, folder)
        _compute(spec, threads, advance)
        sums = [read_sums(spec, final_item(spec, half)) for half in HalfSet]
        halves = compare_halves(sums[0], sums[1], alignment, settings.seed)
        hands = None if against is None else compare_hands(add_sums(sums), cubes[against], alignment)
        write_maps(spec, folder)
        tabulate_particles(spec).write_csv(folder / PARTICLES)
        write_curves(folder / CURVES, halves, hands)
        write_summary(folder / SUMMARY, spec, halves, hands)
        shutil.rmtree(root)
        return Averaged(len(particles), halves, hands)


def _check_space(spec: AverageSpec, folder: Path) -> None:
    rounds, groups = len(spec.rounds) + 1, -(-len(spec.particles) // GROUP) + 2
    needed = 4 * spec.alignment.edge**3 * (len(spec.particles) + 2 * rounds * (groups + 1))
    free = shutil.disk_usage(folder.parent).free
    if needed > free:
        raise DiskFullError(
            f"{folder}: boxes and sums of {len(spec.particles)} particles take {needed / GIB:.1f} GiB meanwhile, and "
            f"{free / GIB:.1f} GiB are free there; choose another folder, or a smaller --box-A"
        )


def _discard_other_work(spec: AverageSpec, folder: Path) -> None:
    """Remove unfinished work of other inputs or settings."""
    if is_other_work(spec):
        warnings.warn(
            f"what had been done of {folder} was of other inputs or settings; it is begun anew", stacklevel=3
        )
        with hold_lock(spec.folder.lock):
            shutil.rmtree(spec.store, ignore_errors=True)
            spec.folder.description.unlink(missing_ok=True)


def _compute(spec: AverageSpec, threads: int, advance: Callable[[float], None]) -> None:
    with hold_lock(spec.folder.lock):
        spec.write()
        plan = Plan(spec, AVERAGING)
        units = Counter({batch.key: batch.count for batch in plan.batches})
        share = 1 / units.total()
        completed = CompletedUnits.read(plan)
        for progress in completed.batches.values():
            advance(share * progress.count)

        def report(event: Event) -> None:
            if isinstance(event, UnitDone):
                advance(share)

        try:
            execute_serially(plan, completed, report, threads=threads)
        except FaketDaskError:
            if not any(completed.counts().values()):  # nothing is lost; else a disk may be back soon
                shutil.rmtree(spec.root)
            raise
