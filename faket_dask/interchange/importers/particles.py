"""Import of other programs' particle lists as tables."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from faket_dask.errors import InputError
from faket_dask.formats import copick, dynamo, portal, relion5, relion5_jobs, shrec, shrec_picks
from faket_dask.formats.particle_list import ParticleList
from faket_dask.interchange.importers.base import refuse_unused_options
from faket_dask.specimen.particles import ParticleTable, make_table


@dataclass(frozen=True)
class ParticleOptions:
    """Choice of particles, and what a list does not say itself; each option suits some formats only.

    Parameters
    ----------
    name
        Name of the tomogram or run, where there is more than one; the class of an ``.ndjson``.
    voxel_size_A
        Edge of a voxel in Å, for the lists of SHREC, the portal and Dynamo, which are in voxels.
    user, session, object_name
        Set of picks of a copick project, where a run has several of one object.
    tomograms
        Table of tomograms of RELION's particles, where `relion5_jobs.find_tomograms` does not find it.
    """

    name: str | None = None
    voxel_size_A: float | None = None
    user: str | None = None
    session: str | None = None
    object_name: str | None = None
    tomograms: Path | None = None


def import_particles(path: Path, options: ParticleOptions = ParticleOptions()) -> ParticleTable:
    """Read the particles of one tomogram from another program's list.

    Parameters
    ----------
    path
        SHREC's ``particle_locations.txt`` or a submission to SHREC, a portal ``.ndjson``, a Dynamo ``.tbl``, RELION 5's
        ``particles.star`` or ``optimisation_set.star``, or the ``.json`` configuration of a copick project.
    options
        Choice of particles.

    Raises
    ------
    InputError
        If the file is damaged or of an unknown kind, needs an option that is missing, or has no use for one that is
        given.
    """
    refuse_unused_options(path, options, list_options(path))
    read, _ = _PARTICLE_READERS[path.suffix]
    return to_particle_table(read(path, options))


def list_options(path: Path) -> tuple[str, ...]:
    """Return the names of the options that a list may need, by its name alone.

    Raises
    ------
    InputError
        If the file is of an unknown kind.

    Examples
    --------
    >>> list_options(Path("a.tbl"))
    ('name', 'voxel_size_A')
    """
    if path.suffix not in _PARTICLE_READERS:
        raise InputError(
            f"{path} is no known particle list: SHREC's .txt, the portal's .ndjson, Dynamo's .tbl, RELION 5's .star or "
            "copick's .json"
        )
    return _PARTICLE_READERS[path.suffix][1]


def _read_shrec(path: Path, options: ParticleOptions) -> ParticleList:
    voxel_size_A = _voxel_size(path, options)
    read = shrec_picks.read_submission if shrec_picks.is_submission(path) else shrec.read_locations
    return read(path, voxel_size_A)


def _read_portal(path: Path, options: ParticleOptions) -> ParticleList:
    return portal.read_points(path, options.name or path.stem, 1, _voxel_size(path, options))


def _read_dynamo(path: Path, options: ParticleOptions) -> ParticleList:
    return dynamo.read_table(path, _voxel_size(path, options), options.name)


def _read_relion(path: Path, options: ParticleOptions) -> ParticleList:
    table = relion5.read_particle_table(relion5_jobs.find_particles(path))
    name = _choose(table.path, list(dict.fromkeys(table.text("rlnTomoName"))), options.name)
    tomograms = options.tomograms or relion5_jobs.find_tomograms(path)
    return relion5.select_particles(table, name, relion5.read_tomogram_sizes(tomograms))


def _read_copick(path: Path, options: ParticleOptions) -> ParticleList:
    project = copick.open_project(path)
    run = _choose(path, project.runs(), options.name)
    sets = copick.choose_picks(
        project, run, user=options.user, session=options.session, object_name=options.object_name
    )
    return copick.read_picks(project, sets)


_PARTICLE_READERS: dict[str, tuple[Callable[[Path, ParticleOptions], ParticleList], tuple[str, ...]]] = {
    ".txt": (_read_shrec, ("voxel_size_A",)),
    ".ndjson": (_read_portal, ("name", "voxel_size_A")),
    ".tbl": (_read_dynamo, ("name", "voxel_size_A")),
    ".star": (_read_relion, ("name", "tomograms")),
    ".json": (_read_copick, ("name", "user", "session", "object_name")),
}
"""Reader of each kind of list by the suffix of its name, and the options that it takes."""


def _voxel_size(path: Path, options: ParticleOptions) -> float:
    if options.voxel_size_A is None:
        raise InputError(f"{path} counts in voxels; give their size by --voxel-size-A")
    if not (math.isfinite(options.voxel_size_A) and options.voxel_size_A > 0):
        raise InputError(f"a voxel of {options.voxel_size_A:g} Å is no size; give it in Å by --voxel-size-A")
    return options.voxel_size_A


def list_particle_files(path: Path, options: ParticleOptions) -> list[Path]:
    """List the files that `import_particles` may read for a list."""
    picks = path.parent.glob("ExperimentRuns/*/Picks/*") if path.suffix == ".json" else ()
    tables = [] if options.tomograms is None else [options.tomograms]
    return [path, path.parent / "tomograms.star", *tables, *picks]


def to_particle_table(particles: ParticleList) -> ParticleTable:
    """Convert a list to a particle table; radii and conformations, which lists do not have, are 0."""
    table = make_table(particles.class_name, particles.class_id, particles.centre_A, particles.rotation)
    return replace(table, instance=particles.instance, score=particles.score)


def drop_outside(
    table: ParticleTable, shape: tuple[int, ...], voxel_size_A: float, source: object
) -> ParticleTable:
    """Leave out particles that are centred outside a volume ``(z, y, x)``, with a warning."""
    places = table.centre_A / voxel_size_A
    outside = np.asarray(((places < -0.5) | (places > np.array(shape[::-1]) - 0.5)).any(axis=1))
    if outside.any():
        first = int(np.argmax(outside))
        warnings.warn(
            f"{source}: {np.count_nonzero(outside)} of {len(table)} particles are centred outside the volume and left "
            f"out, row {first + 1} ({table.class_name[first]}) first",
            stacklevel=3,
        )
    return table.select(~outside)


def _choose(path: Path, names: Sequence[str], name: str | None) -> str:
    if not names:
        raise InputError(f"{path} lists no particles")
    if name is None and len(names) == 1:
        return names[0]
    if name is None or name not in names:
        wrong = "name one by --name" if name is None else f"there is no {name!r}"
        raise InputError(f"{path} lists particles of {', '.join(names[:6])}; {wrong}")
    return name
