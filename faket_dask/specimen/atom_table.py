"""Tables of the atoms of a particle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

Atoms = Mapping[str, NDArray[np.float64]]
"""For each element ``(n, 4)``: ``(x, y, z)`` in Å and how many atoms lie there."""


@dataclass(frozen=True, eq=False)
class AtomTable:
    """Atoms of a particle, one row each, in the order of their file.

    Parameters
    ----------
    position_A
        ``(n, 3)`` float64: ``(x, y, z)`` in Å.
    element
        ``(n,)`` str: symbol in capitals.
    hydrogens
        ``(n,)`` float64: hydrogens that lie at the atom's place, beside it.
    chain
        ``(n,)`` str: chain; copies that an assembly makes of a chain have a number in addition.
    residue
        ``(n,)`` str: number, insertion code and name of the residue.
    name
        ``(n,)`` str: name of the atom in its residue.
    """

    position_A: NDArray[np.float64]
    element: NDArray[np.str_]
    hydrogens: NDArray[np.float64]
    chain: NDArray[np.str_]
    residue: NDArray[np.str_]
    name: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.element)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> AtomTable:
        """Return the table of some rows, chosen by a mask or by indices."""
        return AtomTable(*(getattr(self, column.name)[rows] for column in fields(self)))

    def move(self, position_A: NDArray[np.float64]) -> AtomTable:
        """Return the same atoms at other places."""
        return replace(self, position_A=position_A)

    def count_chains(self) -> int:
        """Count the chains."""
        return len(np.unique(self.chain))

    def number_residues(self) -> NDArray[np.intp]:
        """Number the residues from 0, ``(n,)``; neighbouring rows of the same chain and residue share a number."""
        begins = np.ones(len(self), dtype=bool)
        begins[1:] = (self.chain[1:] != self.chain[:-1]) | (self.residue[1:] != self.residue[:-1])
        return np.cumsum(begins) - 1

    def by_element(self) -> dict[str, NDArray[np.float64]]:
        """Return the places of atoms by element, hydrogens included.

        Examples
        --------
        >>> chain, residue, name = np.array(["A"]), np.array(["1 GLY"]), np.array(["CA"])
        >>> table = AtomTable(np.zeros((1, 3)), np.array(["C"]), np.array([2.0]), chain, residue, name)
        >>> {element: rows.tolist() for element, rows in table.by_element().items()}
        {'C': [[0.0, 0.0, 0.0, 1.0]], 'H': [[0.0, 0.0, 0.0, 2.0]]}
        """
        elements, first = np.unique(self.element, return_index=True)
        atoms = {}
        for element in elements[np.argsort(first)]:
            places = self.position_A[self.element == element]
            atoms[str(element)] = np.column_stack((places, np.ones(len(places))))
        carriers = self.hydrogens > 0
        if carriers.any():
            added = np.column_stack((self.position_A[carriers], self.hydrogens[carriers]))
            atoms["H"] = np.concatenate((atoms["H"], added)) if "H" in atoms else added
        return atoms
