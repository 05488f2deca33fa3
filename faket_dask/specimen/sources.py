"""Templates of particles by the name of their source: phantom, structure or density map."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from faket_dask.errors import InputError
from faket_dask.formats.compression import kind_suffix
from faket_dask.specimen.density_map import map_template
from faket_dask.specimen.phantoms import PHANTOMS, phantom_template
from faket_dask.specimen.structure import structure_template
from faket_dask.specimen.template import Sampling, Template

if TYPE_CHECKING:
    from faket_dask.specimen.species import Species

STRUCTURE_SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif")
MAP_SUFFIXES = (".mrc", ".map", ".ccp4", ".rec")


def load_template(
    species: Species, conformation: int, voxel_size_A: float, sampling: Sampling = Sampling.SMOOTHED
) -> Template:
    """Load the template of one conformation of a class; it is kept for as long as the process lives.

    Parameters
    ----------
    species
        Class of particles.
    conformation
        Index into its sources.
    voxel_size_A
        Edge of the specimen's voxels in Å.
    sampling
        Frequencies that the specimen's voxels keep.

    Raises
    ------
    InputError
        If there is no such conformation, or its file cannot be read or holds nothing denser than ice.

    Examples
    --------
    >>> from faket_dask.specimen.species import Species
    >>> load_template(Species("boot", count=1), 0, 10.0).name
    'boot'
    """
    return _load(species, conformation, voxel_size_A, sampling)[0]


def measure_loading(species: Species, voxel_size_A: float, sampling: Sampling = Sampling.SMOOTHED) -> float:
    """Return the processor time in seconds that all templates of a class took to load, or load them now.

    Parameters
    ----------
    species
        Class of particles.
    voxel_size_A
        Edge of the specimen's voxels in Å.
    sampling
        Frequencies that the specimen's voxels keep.

    Raises
    ------
    InputError
        As for `load_template`.
    """
    return sum(_load(species, index, voxel_size_A, sampling)[1] for index in range(len(species.sources)))


def _load(
    species: Species, conformation: int, voxel_size_A: float, sampling: Sampling
) -> tuple[Template, float]:
    """Return a template, and the seconds that it took to load."""
    if not 0 <= conformation < len(species.sources):
        raise InputError(
            f"species '{species.name}' has {len(species.sources)} conformations, and number {conformation} "
            "is asked for"
        )
    source = species.sources[conformation]
    if source in PHANTOMS:
        return _phantom(source, voxel_size_A, sampling)
    path = Path(source)
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    kind = _kind(path)
    try:
        if kind in STRUCTURE_SUFFIXES:
            return _structure(path, stamp, voxel_size_A, species.assembly, sampling)
        if kind in MAP_SUFFIXES:
            return _map(path, stamp, voxel_size_A, species.mean_potential_V, sampling)
    except InputError as error:
        raise InputError(f"species '{species.name}': {error}") from error
    raise InputError(
        f"species '{species.name}': '{source}' is neither a structure ({', '.join(STRUCTURE_SUFFIXES)}, "
        f"may be gzipped) nor a map ({', '.join(MAP_SUFFIXES)}, may be compressed by gzip or bzip2)"
    )


def load_conformations(
    species: Species, voxel_size_A: float, sampling: Sampling = Sampling.SMOOTHED
) -> list[Template]:
    """Load the templates of all conformations of a class, in the order of its sources, as `load_template` does."""
    return [load_template(species, index, voxel_size_A, sampling) for index in range(len(species.sources))]


def _kind(path: Path) -> str:
    return kind_suffix(path)


def _time(load: Callable[[], Template]) -> tuple[Template, float]:
    begin = time.process_time()
    template = load()
    return template, time.process_time() - begin


# The time of the last change is part of the key, so a file that changes is read again.
@lru_cache(maxsize=256)
def _phantom(name: str, voxel_size_A: float, sampling: Sampling) -> tuple[Template, float]:
    return _time(lambda: phantom_template(name, voxel_size_A, sampling))


@lru_cache(maxsize=256)
def _structure(
    path: Path, stamp: int, voxel_size_A: float, assembly: str | None, sampling: Sampling
) -> tuple[Template, float]:
    return _time(lambda: structure_template(path, voxel_size_A, assembly, sampling))


@lru_cache(maxsize=256)
def _map(
    path: Path, stamp: int, voxel_size_A: float, mean_potential_V: float, sampling: Sampling
) -> tuple[Template, float]:
    return _time(lambda: map_template(path, voxel_size_A, mean_potential_V, sampling))
