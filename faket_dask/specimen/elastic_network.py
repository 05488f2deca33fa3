"""Low-frequency normal modes of a particle, from an elastic network of its residues.

The anisotropic network model (Atilgan et al., Biophys. J. 80, 505, 2001): residues are joined by equal springs where
they are closer than 15 Å, and the lowest modes of the network are the collective motions of the particle. Networks of
many residues are made of groups of neighbours along the chain, with springs longer in proportion to the distance of
groups (Doruker, Jernigan & Bahar, J. Comput. Chem. 23, 119, 2002).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
import scipy.sparse.linalg
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from faket_dask.errors import InputError
from faket_dask.specimen.atom_table import AtomTable

CUTOFF_A = 15.0
"""Distance in Å below which two residues are joined by a spring."""

MOST_NODES = 1500
"""Nodes of a network above which several residues share one."""

_RIGID_MODES = 6
_SPARE_MODES = 6
_ZERO = 1e-6
_DEGENERATE = 1e-4
_NEIGHBOURS = 4


@dataclass(frozen=True, eq=False)
class Modes:
    """Lowest modes of a network, without rotation and translation.

    Parameters
    ----------
    eigenvalues
        ``(m,)`` stiffness of each mode, for springs of unit stiffness; modes that belong together by symmetry are
        complete.
    vectors
        ``(3 n, m)`` orthonormal columns: x, y, z of each node in turn.
    """

    eigenvalues: NDArray[np.float64]
    vectors: NDArray[np.float64]

    def draw(self, amplitude_A: float, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw displacements of the nodes, in thermal proportions: those of a mode vary as 1 / eigenvalue.

        The draw does not depend on the signs of modes, nor on how modes of equal stiffness are mixed.

        Parameters
        ----------
        amplitude_A
            Root mean square displacement of nodes in Å, over many draws.
        rng
            Source of randomness.

        Returns
        -------
        displacements
            ``(n, 3)`` in Å.
        """
        nodes = len(self.vectors) // 3
        scale = amplitude_A * np.sqrt(nodes / (1 / self.eigenvalues).sum())
        white = rng.standard_normal(3 * nodes)
        return (self.vectors @ (self.vectors.T @ white * scale / np.sqrt(self.eigenvalues))).reshape(nodes, 3)


def compute_modes(nodes_A: NDArray[np.float64], count: int, cutoff_A: float = CUTOFF_A) -> Modes:
    """Compute the lowest modes of a network.

    Parameters
    ----------
    nodes_A
        ``(n, 3)`` places in Å.
    count
        Number of modes; more are returned if the last one has others of equal stiffness.
    cutoff_A
        Distance in Å below which nodes are joined.

    Raises
    ------
    InputError
        If the network has fewer modes, or falls apart.
    """
    dimensions = nodes_A.size
    requested = count + _RIGID_MODES + _SPARE_MODES
    if requested >= dimensions:
        raise InputError(f"a network of {len(nodes_A)} residues has too few modes for {count}; ask for fewer")
    hessian = _build_hessian(nodes_A, cutoff_A)
    # The shift keeps the matrix that is factorised positive definite; the start keeps results the same in every run.
    start = np.random.default_rng(0).standard_normal(dimensions)
    eigenvalues, vectors = scipy.sparse.linalg.eigsh(hessian, requested, sigma=-1e-3, v0=start)
    order = np.argsort(eigenvalues)
    eigenvalues, vectors = eigenvalues[order], vectors[:, order]
    moving = eigenvalues > _ZERO * hessian.diagonal().max()
    eigenvalues, vectors = eigenvalues[moving], vectors[:, moving]
    if len(eigenvalues) < count:
        raise InputError(
            "its network of residues is too loose for normal modes: more than its rotation and translation costs "
            "nothing; leave out residues that hang on by a thread, or chains that touch nothing"
        )
    kept = eigenvalues <= eigenvalues[count - 1] * (1 + _DEGENERATE)
    return Modes(eigenvalues[kept], vectors[:, kept])


def _build_hessian(nodes_A: NDArray[np.float64], cutoff_A: float) -> scipy.sparse.csc_matrix:
    """Build the second derivatives ``(3 n, 3 n)`` of the network's energy.

    Raises
    ------
    InputError
        If the network falls apart.
    """
    count = len(nodes_A)
    pairs = cKDTree(nodes_A).query_pairs(cutoff_A, output_type="ndarray")
    first, second = pairs.T
    joined = scipy.sparse.coo_matrix((np.ones(len(pairs)), (first, second)), shape=(count, count))
    parts, _ = scipy.sparse.csgraph.connected_components(joined, directed=False)
    if parts > 1:
        raise InputError(
            f"its network of residues falls into {parts} parts that are more than {cutoff_A:.0f} Å apart; leave out "
            "chains that touch nothing"
        )
    difference = nodes_A[second] - nodes_A[first]
    direction = difference / np.linalg.norm(difference, axis=1, keepdims=True)
    blocks = direction[:, :, None] * direction[:, None, :]
    diagonal = np.zeros((count, 3, 3))
    np.add.at(diagonal, first, blocks)
    np.add.at(diagonal, second, blocks)
    nodes = np.concatenate((first, second, np.arange(count)))
    others = np.concatenate((second, first, np.arange(count)))
    values = np.concatenate((-blocks, -blocks, diagonal))
    axis = np.arange(3)
    rows = np.broadcast_to(3 * nodes[:, None, None] + axis[:, None], values.shape)
    columns = np.broadcast_to(3 * others[:, None, None] + axis, values.shape)
    shape = (3 * count, 3 * count)
    return scipy.sparse.csc_matrix((values.ravel(), (rows.ravel(), columns.ravel())), shape=shape)


@dataclass(frozen=True, eq=False)
class ElasticNetwork:
    """Network of the residues of a particle, and how its atoms follow it.

    Parameters
    ----------
    nodes_A
        ``(n, 3)`` places of the nodes in Å.
    cutoff_A
        Distance in Å below which nodes are joined.
    residue
        ``(atoms,)`` number of each atom's residue.
    residues_A
        ``(residues, 3)`` places of the residues in Å.
    """

    nodes_A: NDArray[np.float64]
    cutoff_A: float
    residue: NDArray[np.intp]
    residues_A: NDArray[np.float64]

    @classmethod
    def build(cls, atoms: AtomTable) -> ElasticNetwork:
        """Build the network of a particle; residues lie at the middle of their atoms."""
        residue = atoms.number_residues()
        places = _average(atoms.position_A, residue)
        group_size = -(-len(places) // MOST_NODES)
        nodes = _average(places, _group_residues(atoms, residue, group_size))
        return cls(nodes, CUTOFF_A * group_size ** (1 / 3), residue, places)

    def displace(self, atoms: AtomTable, displacements_A: NDArray[np.float64]) -> AtomTable:
        """Return the atoms after displacements ``(n, 3)`` of the nodes; those of a residue move together."""
        if len(self.nodes_A) == len(self.residues_A):
            moves = displacements_A
        else:
            distance, nearest = cKDTree(self.nodes_A).query(
                self.residues_A, min(_NEIGHBOURS, len(self.nodes_A))
            )
            weight = 1 / np.maximum(distance, 1.0) ** 2
            weight /= weight.sum(axis=1, keepdims=True)
            moves = (displacements_A[nearest] * weight[:, :, None]).sum(axis=1)
        return atoms.move(atoms.position_A + moves[self.residue])


def _group_residues(atoms: AtomTable, residue: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Number the groups of so many neighbouring residues of a chain, ``(residues,)``."""
    chain = atoms.chain[np.unique(residue, return_index=True)[1]]
    begins = np.flatnonzero(np.concatenate(([True], chain[1:] != chain[:-1])))
    place = np.arange(len(chain)) - np.repeat(begins, np.diff(np.append(begins, len(chain))))
    return np.cumsum(place % size == 0) - 1


def _average(places: NDArray[np.float64], group: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the mean place of each group ``(groups, 3)``."""
    sums = [np.bincount(group, places[:, axis]) for axis in range(3)]
    return np.stack(sums, axis=1) / np.bincount(group)[:, None]
