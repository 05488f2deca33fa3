"""Atoms of a state: a model or a frame, of which chains are left out and residues displaced along normal modes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from faket_dask.errors import InputError
from faket_dask.specimen.atom_table import AtomTable
from faket_dask.specimen.elastic_network import ElasticNetwork, Modes, compute_modes
from faket_dask.specimen.states import State
from faket_dask.specimen.structure_file import read_atoms, read_frame_atoms
from faket_dask.specimen.trajectory import read_frame

_MOST_NAMED = 20


def load_atoms(state: State, path: Path) -> AtomTable:
    """Load the atoms of a state of a structure, in the frame of its file.

    Parameters
    ----------
    state
        State whose source is a structure.
    path
        File of the source.

    Raises
    ------
    InputError
        If a file cannot be read, has no such model, frame or chain, or has no normal modes.
    """
    if state.trajectory is not None:
        atoms = read_frame_atoms(path, read_frame(Path(state.trajectory), state.frame))
    else:
        atoms = read_atoms(path, state.assembly, state.model)
    atoms = _choose_chains(atoms, state, path)
    if state.modes is None:
        return atoms
    try:
        network, modes = _compute_modes(
            path, path.stat().st_mtime_ns, state.assembly, state.chains, state.without, state.modes.count
        )
    except InputError as error:
        raise InputError(f"structure {path}: {error}") from None
    rng = np.random.default_rng((state.modes.seed, state.draw))
    return network.displace(atoms, modes.draw(state.modes.amplitude_A, rng))


# One network has the modes of many draws; the time of the last change makes a file that changes be read again.
@lru_cache(maxsize=4)
def _compute_modes(
    path: Path,
    stamp: int,
    assembly: str | None,
    chains: tuple[str, ...],
    without: tuple[str, ...],
    count: int,
) -> tuple[ElasticNetwork, Modes]:
    plain = State("", str(path), assembly=assembly, chains=chains, without=without)
    network = ElasticNetwork.build(load_atoms(plain, path))
    return network, compute_modes(network.nodes_A, count, network.cutoff_A)


def _choose_chains(atoms: AtomTable, state: State, path: Path) -> AtomTable:
    """Keep the chains that a state consists of."""
    named = state.chains or state.without
    if not named:
        return atoms
    known = np.unique(atoms.chain).tolist()
    absent = sorted(set(named) - set(known))
    if absent:
        more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
        raise InputError(
            f"structure {path} has no chain {', '.join(absent)}; it has {', '.join(known[:_MOST_NAMED])}{more}"
        )
    kept = np.isin(atoms.chain, named) == bool(state.chains)
    if not kept.any():
        raise InputError(f"structure {path}: state '{state.name}' leaves all of its chains out; keep some")
    return atoms.select(kept)
