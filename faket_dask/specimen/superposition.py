"""Superposition of one state of a particle on another (Kabsch, Acta Cryst. A 32, 922, 1976)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.atom_table import AtomTable

SMALLEST_SHARE = 0.3
"""Share of the smaller state's trace that two states must have in common to be states of one particle."""

MOST_NAMED = 4
"""Most chains of a state that a message names."""

_TRACE = ("CA", "P")


def superpose(atoms: AtomTable, reference: AtomTable) -> tuple[AtomTable, float]:
    """Turn and move a state onto another by their common trace: Cα atoms of proteins and phosphorus of nucleic acids.

    Atoms are common if chain, residue (number and name) and atom have the same names. All of them count alike; a part
    that moved is not left out.

    Parameters
    ----------
    atoms
        State to move.
    reference
        State to move it onto.

    Returns
    -------
    moved
        The state in the frame of the reference.
    distance_A
        Root mean square distance of the common atoms after it.

    Raises
    ------
    InputError
        If fewer than :data:`SMALLEST_SHARE` of the smaller trace, or fewer than three atoms, are common.
    """
    here, there = find_common_trace(atoms, reference)
    moving, fixed = atoms.position_A[here], reference.position_A[there]
    rotation, shift = fit_rotation(moving, fixed)
    distance = np.sqrt(((moving @ rotation.T + shift - fixed) ** 2).sum(axis=1).mean())
    return atoms.move(atoms.position_A @ rotation.T + shift), float(distance)


def find_common_trace(one: AtomTable, other: AtomTable) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the rows of the trace atoms that two states have in common.

    Raises
    ------
    InputError
        As for :func:`superpose`.
    """
    rows = [_trace_rows(table) for table in (one, other)]
    keys, other_keys = _row_keys(one, rows[0]), _row_keys(other, rows[1])
    _, first, second = np.intersect1d(keys, other_keys, return_indices=True)
    smaller = min(len(keys), len(other_keys))
    if len(first) < max(3, SMALLEST_SHARE * smaller):
        raise InputError(
            f"they have {len(first)} of {smaller} trace atoms (CA or P, by chain, number and name of the residue) in "
            f"common, too few to superpose them; rename chains (those of one are {_list_chains(one)}, of the other "
            f"{_list_chains(other)}; assemblies number theirs, `assembly: asymmetric unit` does not) and renumber "
            "residues alike, or make them species of their own"
        )
    return rows[0][first], rows[1][second]


def fit_rotation(
    moving: NDArray[np.float64], fixed: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit the rotation and the shift that bring points closest to others, in the least-squares sense.

    Parameters
    ----------
    moving, fixed
        ``(n, 3)`` points, pair by pair.

    Returns
    -------
    rotation
        ``(3, 3)`` proper rotation, acting on column vectors.
    shift
        ``(3,)``, added after the rotation.

    Examples
    --------
    >>> points = np.array([[1.0, 0, 0], [0, 2, 0], [0, 0, 3], [1, 1, 1]])
    >>> quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    >>> rotation, shift = fit_rotation(points, points @ quarter.T + 5)
    >>> bool(np.allclose(rotation, quarter)), shift.round(6).tolist()
    (True, [5.0, 5.0, 5.0])
    """
    middle, target = moving.mean(axis=0), fixed.mean(axis=0)
    left, _, right = np.linalg.svd((fixed - target).T @ (moving - middle))
    handedness = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left @ handedness @ right
    return rotation, target - rotation @ middle


def _trace_rows(atoms: AtomTable) -> NDArray[np.intp]:
    is_trace = ((atoms.name == _TRACE[0]) & (atoms.element == "C")) | (atoms.name == _TRACE[1])
    return np.flatnonzero(is_trace)


def _list_chains(atoms: AtomTable) -> str:
    names = list(dict.fromkeys(atoms.chain.tolist()))
    return ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")


def _row_keys(atoms: AtomTable, rows: NDArray[np.intp]) -> NDArray[np.str_]:
    columns = (atoms.chain[rows], atoms.residue[rows], atoms.name[rows])
    return np.array(["\t".join(key) for key in zip(*columns, strict=True)], dtype=np.str_)
