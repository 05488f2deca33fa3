"""Templates of particles by the name of their source: phantom, structure or density map."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.mrc_header import MrcHeader, read_header
from faket_dask.specimen.density_map import map_template
from faket_dask.specimen.globules import globule_template, names_globule
from faket_dask.specimen.phantoms import phantom_template
from faket_dask.specimen.source_names import SourceKind, find_kind, locate_source, names_phantom
from faket_dask.specimen.state_atoms import load_atoms
from faket_dask.specimen.states import State, StateGroup, expand_states
from faket_dask.specimen.structure import atom_template
from faket_dask.specimen.superposition import superpose
from faket_dask.specimen.template import Sampling, Template

if TYPE_CHECKING:
    from faket_dask.specimen.species import Species


class MapComposition(NamedTuple):
    """Mean potential inside a density map in volts over ice, and the share of RNA in the particle's mass."""

    mean_potential_V: float
    rna_fraction: float = 0.0


LARGEST_DISTANCE_A = 15.0
"""Root mean square distance in Å of two superposed states from which on a warning says that they may be mixed up."""


_HELD: ContextVar[dict[tuple[Species, int, float, Sampling], Template] | None] = ContextVar(
    "_HELD", default=None
)


def list_states(species: Species) -> tuple[State, ...]:
    """Return the states of a class, in the order in which the particle table counts them.

    Sources that are listed without states are states that are equally likely and have the names of their files. Their
    frames have nothing to do with one another; those of other states are one.

    Raises
    ------
    InputError
        If a file whose models or frames are to be counted cannot be read.

    Examples
    --------
    >>> from faket_dask.specimen.species import Species
    >>> [state.name for state in list_states(Species("footwear", ("boot", "coil"), count=1))]
    ['boot', 'coil']
    """
    if not species.states:
        return tuple(
            State(_plain_name(source), source, assembly=species.assembly) for source in species.sources
        )
    try:
        stamps = tuple(_stamp(path) for group in species.states for path in group.files)
        return _expand(species.states, stamps)
    except InputError as error:
        raise InputError(f"species '{species.name}': {error}") from error


def load_template(
    species: Species, conformation: int, voxel_size_A: float, sampling: Sampling = Sampling.SMOOTHED
) -> Template:
    """Load the template of one state of a class; it is kept for as long as the process lives.

    Parameters
    ----------
    species
        Class of particles.
    conformation
        Index into its states.
    voxel_size_A
        Edge of the specimen's voxels in Å.
    sampling
        Frequencies that the specimen's voxels keep.

    Raises
    ------
    InputError
        If there is no such state, its file cannot be read or holds nothing denser than ice, or it cannot be brought
        into the frame of the first state.

    Examples
    --------
    >>> from faket_dask.specimen.species import Species
    >>> load_template(Species("boot", count=1), 0, 10.0).name
    'boot'
    """
    held = _HELD.get()
    if held is None:
        return _load(species, conformation, voxel_size_A, sampling)[0]
    key = (species, conformation, voxel_size_A, sampling)
    if key not in held:
        held[key] = _load(species, conformation, voxel_size_A, sampling)[0]
    return held[key]


@contextmanager
def hold_templates() -> Iterator[None]:
    """Look at the file of a template once within this context, and not each time that it is loaded.

    Examples
    --------
    >>> from faket_dask.specimen.species import Species
    >>> with hold_templates():
    ...     names = [load_template(Species("boot", count=1), 0, 10.0).name for _ in range(2)]
    >>> names
    ['boot', 'boot']
    """
    token = _HELD.set({})
    try:
        yield
    finally:
        _HELD.reset(token)


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
    return sum(_load(species, index, voxel_size_A, sampling)[1] for index in range(len(list_states(species))))


def load_conformations(
    species: Species, voxel_size_A: float, sampling: Sampling = Sampling.SMOOTHED
) -> list[Template]:
    """Load the templates of all states of a class, in the order of `list_states`, as `load_template` does."""
    return [
        load_template(species, index, voxel_size_A, sampling) for index in range(len(list_states(species)))
    ]


def load_source(
    source: str,
    voxel_size_A: float,
    sampling: Sampling = Sampling.SMOOTHED,
    *,
    assembly: str | None = None,
    mean_potential_V: float,
) -> Template:
    """Load the template of a source that is no class, such as the subunit of a filament.

    Parameters
    ----------
    source
        Built-in phantom, entry of a public archive, or path of a structure or a density map.
    voxel_size_A
        Edge of the specimen's voxels in Å.
    sampling
        Frequencies that the specimen's voxels keep.
    assembly
        Biological assembly of a structure.
    mean_potential_V
        Mean potential inside a density map, in volts over ice.

    Raises
    ------
    InputError
        As for `load_template`.
    """
    state = State(source, source, assembly=assembly)
    return _load_state(state, state, MapComposition(mean_potential_V), voxel_size_A, sampling)[0]


def _load(
    species: Species, conformation: int, voxel_size_A: float, sampling: Sampling
) -> tuple[Template, float]:
    """Return a template, and the seconds that it took to load."""
    states = list_states(species)
    if not 0 <= conformation < len(states):
        raise InputError(
            f"species '{species.name}' has {len(states)} conformations, and number {conformation} is asked for"
        )
    state = states[conformation]
    reference = states[0] if species.states else state
    composition = MapComposition(species.mean_potential_V, species.rna_fraction)
    try:
        return _load_state(state, reference, composition, voxel_size_A, sampling)
    except InputError as error:
        raise InputError(f"species '{species.name}': {error}") from error


def _load_state(
    state: State, reference: State, composition: MapComposition, voxel_size_A: float, sampling: Sampling
) -> tuple[Template, float]:
    """Return the template of a state in the frame of a reference, and the seconds that it took to load."""
    path, reference_path = locate_source(state.source), locate_source(reference.source)
    if path is None or reference_path is None:
        return _phantom(state.source, composition.rna_fraction, voxel_size_A, sampling)
    stamps = (_stamp(path), _stamp(reference_path), _stamp(Path(state.trajectory or path)))
    if find_kind(state.source) is SourceKind.MAP:
        return _map(path, reference_path, stamps, composition, voxel_size_A, sampling)
    return _structure(state, path, reference, reference_path, stamps, voxel_size_A, sampling)


def _plain_name(source: str) -> str:
    return source if names_phantom(source) else Path(source).name.split(".")[0]


def _stamp(path: Path) -> int:
    """Return the time of a file's last change, by which caches notice that it is to be read again."""
    return path.stat().st_mtime_ns if path.exists() else 0


def _time(load: Callable[[], Template]) -> tuple[Template, float]:
    begin = time.process_time()
    template = load()
    return template, time.process_time() - begin


@lru_cache(maxsize=256)
def _expand(groups: tuple[StateGroup, ...], stamps: tuple[int, ...]) -> tuple[State, ...]:
    return tuple(expand_states(groups))


@lru_cache(maxsize=256)
def _phantom(
    name: str, rna_fraction: float, voxel_size_A: float, sampling: Sampling
) -> tuple[Template, float]:
    if names_globule(name):
        return _time(lambda: globule_template(name, voxel_size_A, sampling, rna_fraction))
    return _time(lambda: phantom_template(name, voxel_size_A, sampling))


@lru_cache(maxsize=256)
def _structure(
    state: State,
    path: Path,
    reference: State,
    reference_path: Path,
    stamps: tuple[int, ...],
    voxel_size_A: float,
    sampling: Sampling,
) -> tuple[Template, float]:
    def load() -> Template:
        atoms = load_atoms(state, path)
        if state == reference:
            return atom_template(str(path), atoms, voxel_size_A, sampling)
        template, _ = _load_state(reference, reference, MapComposition(0.0), voxel_size_A, sampling)
        try:
            moved, distance = superpose(atoms, load_atoms(reference, reference_path))
        except InputError as error:
            raise InputError(
                f"states '{reference.name}' and '{state.name}' are in different frames: {error}"
            ) from None
        if distance > LARGEST_DISTANCE_A:
            warnings.warn(
                f"states '{reference.name}' and '{state.name}': their common atoms lie {distance:.0f} Å apart when "
                "superposed; check that chains of the same name are the same",
                stacklevel=2,
            )
        return atom_template(str(path), moved, voxel_size_A, sampling, template.centre_A)

    return _time(load)


@lru_cache(maxsize=256)
def _map(
    path: Path,
    reference_path: Path,
    stamps: tuple[int, ...],
    composition: MapComposition,
    voxel_size_A: float,
    sampling: Sampling,
) -> tuple[Template, float]:
    potential_V, rna_fraction = composition

    def load(centre_A: NDArray[np.float64] | None = None) -> Template:
        return map_template(path, voxel_size_A, potential_V, sampling, centre_A, rna_fraction)

    def load_in_frame() -> Template:
        here, there = read_header(path), read_header(reference_path)
        if here.shape != there.shape or abs(here.edges_A[0] / there.edges_A[0] - 1) > 1e-3:
            raise InputError(
                f"the maps {reference_path} and {path} are in different frames: they have {_show_grid(there)} and "
                f"{_show_grid(here)}; bring them into one box, aligned"
            )
        settings = (composition, voxel_size_A, sampling)
        template, _ = _map(reference_path, reference_path, (stamps[1],) * 3, *settings)
        return load(template.centre_A)

    return _time(load if path == reference_path else load_in_frame)


def _show_grid(header: MrcHeader) -> str:
    z, y, x = header.shape
    return f"{x} x {y} x {z} voxels of {header.edges_A[0]:g} Å"
