"""Atoms of a structure file: PDB or mmCIF, of any number of chains.

One model is taken, and of it a biological assembly, without water. Where an atom has alternative locations, the first
one that the file lists is taken. All other atoms are taken whole, whatever their occupancy: a single particle has an
atom, or has it not. Where a file has no hydrogens, those of each residue are shared out over the positions of its
carbon, nitrogen and oxygen atoms.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path

import gemmi
import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.atom_table import AtomTable

ASYMMETRIC_UNIT = "asymmetric unit"

UNKNOWN_PLACE_A = 9998.9
"""Least absolute value of all coordinates of an atom whose place is not known; CNS writes 9999."""

LARGEST_GAP_A = 200.0
"""Largest distance in Å along an axis between neighbouring atoms of a particle."""

TOLD_SHARE = 0.01
"""Share of the atoms from which on alternative locations and partial occupancies are worth a warning."""


def read_atoms(path: Path, assembly: str | None = None, model: int = 1) -> AtomTable:
    """Read the atoms of a structure file.

    Parameters
    ----------
    path
        PDB or mmCIF file, may be gzipped.
    assembly
        Name of a biological assembly; ``None`` for the first where the file lists any;
        :data:`ASYMMETRIC_UNIT` for the coordinates as they stand.
    model
        Place of the model in the file, from 1.

    Returns
    -------
    atoms
        Atoms without water.

    Warns
    -----
    UserWarning
        If atoms of an unknown place are left out, or more than :data:`TOLD_SHARE` of the atoms have alternative
        locations or partial occupancies.

    Raises
    ------
    InputError
        If the file cannot be read, has no atoms, no such model or no such assembly, or an atom's place is not known or
        far from all others.
    """
    structure = _read_model(path, model)
    _remove_unknown_atoms(structure, path)
    structure.setup_entities()
    # Assemblies may name chains that are nothing but water, so it leaves only after they are made.
    _assemble(structure, assembly, path)
    return _list_atoms(structure, path)


def read_frame_atoms(path: Path, position_A: NDArray[np.float64]) -> AtomTable:
    """Read the atoms of a structure file, and put them to the places of a frame of a simulation.

    Parameters
    ----------
    path
        PDB or mmCIF file with the atoms of the simulation, in its order.
    position_A
        ``(n, 3)``: ``(x, y, z)`` of all atoms in Å.

    Raises
    ------
    InputError
        If the numbers of atoms differ, or as for :func:`read_atoms`.
    """
    structure = _read_model(path, 1, in_order=True)
    rows = [atom for chain in structure[0] for residue in chain for atom in residue]
    if len(rows) != len(position_A):
        raise InputError(
            f"structure {path} has {len(rows)} atoms and the trajectory {len(position_A)}; give the structure that the "
            "simulation was of, with its water if the trajectory has it"
        )
    for atom, place in zip(rows, position_A.tolist(), strict=True):
        atom.pos = gemmi.Position(*place)
    structure.setup_entities()
    return _list_atoms(structure, path)


def count_models(path: Path) -> int:
    """Count the models of a structure file.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    return _count_models(path, path.stat().st_mtime_ns if path.exists() else 0)


# The time of the last change is part of the key, so a file that changes is read again.
@lru_cache(maxsize=256)
def _count_models(path: Path, stamp: int) -> int:
    return len(_read_structure(path))


def _read_structure(path: Path, in_order: bool = False) -> gemmi.Structure:
    """Read a file; ``in_order`` keeps apart the parts of a chain, between which others may stand."""
    try:
        return gemmi.read_structure(str(path), merge_chain_parts=not in_order)
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(f"structure {path} cannot be read: {error}") from error
    except IndexError as error:  # an mmCIF file without a data block
        raise InputError(f"structure {path} holds no atoms; give a file with coordinates") from error


def _read_model(path: Path, model: int, in_order: bool = False) -> gemmi.Structure:
    structure = _read_structure(path, in_order)
    models = len(structure)
    if models == 0 or structure[0].count_atom_sites() == 0:
        raise InputError(f"structure {path} holds no atoms; give a file with coordinates")
    if not 1 <= model <= models:
        raise InputError(f"structure {path} has {models} models, and number {model} is asked for")
    for index in reversed(range(models)):
        if index != model - 1:
            del structure[index]
    return structure


def _remove_unknown_atoms(structure: gemmi.Structure, path: Path) -> None:
    """Leave out, with a warning, atoms without occupancy at the place that stands for "not known"; refuse others."""
    flat = gemmi.FlatStructure(structure)
    place = np.asarray(flat.pos)
    if np.isfinite(place).all() and np.abs(place).min(axis=1).max() < UNKNOWN_PLACE_A:
        return
    unknown = []
    for chain in structure[0]:
        for residue in chain:
            for index in reversed(range(len(residue))):
                atom = residue[index]
                name = _name_atom(atom.serial, atom.name, residue.name, str(residue.seqid), chain.name)
                if not np.isfinite(atom.pos.tolist()).all():
                    raise InputError(
                        f"structure {path}: {name} lies at {_show_place(atom.pos.tolist())}; remove it"
                    )
                if min(map(abs, atom.pos.tolist())) >= UNKNOWN_PLACE_A:
                    if atom.occ > 0:
                        raise InputError(
                            f"structure {path}: {name} lies at {_show_place(atom.pos.tolist())}, which stands for a "
                            "place that is not known; remove it, or set its occupancy to 0, and it is left out"
                        )
                    unknown.append(name)
                    del residue[index]
    if unknown:
        warnings.warn(
            f"structure {path}: {len(unknown)} atoms without occupancy at 9999 Å, whose place is not known, are left "
            f"out, such as {unknown[0]}",
            stacklevel=4,
        )


def _assemble(structure: gemmi.Structure, assembly: str | None, path: Path) -> None:
    """Make the copies of chains of a biological assembly, in place."""
    names = [entry.name for entry in structure.assemblies]
    if assembly == ASYMMETRIC_UNIT or (assembly is None and not names):
        return
    if assembly is not None and assembly not in names:
        raise InputError(
            f"structure {path} has no assembly '{assembly}'; it has {', '.join(names) or 'none'}, and "
            f"'{ASYMMETRIC_UNIT}' takes the coordinates as they stand"
        )
    chosen = structure.assemblies[0 if assembly is None else names.index(assembly)]
    assembled = gemmi.make_assembly(chosen, structure[0], gemmi.HowToNameCopiedChain.AddNumber)
    del structure[0]
    structure.add_model(assembled)


def _list_atoms(structure: gemmi.Structure, path: Path) -> AtomTable:
    """Return the atoms of a structure of one model without water and alternative locations, after checks."""
    _tell_uncertain_atoms(structure, path)
    structure.remove_alternative_conformations()
    structure.remove_waters()
    flat = gemmi.FlatStructure(structure)
    place = np.asarray(flat.pos).copy()
    if len(place) == 0:
        raise InputError(f"structure {path} holds no atoms but water")
    number = np.asarray(flat.resnums).astype(np.str_)
    code = np.char.strip(np.asarray(flat.icodes).view("S1").astype(np.str_))
    residue_name = _text(flat.residue_names)
    atoms = AtomTable(
        place,
        np.char.upper(np.asarray(flat.element_names).astype(np.str_)),
        np.zeros(len(place)),
        _text(flat.chain_ids),
        np.char.add(np.char.add(np.char.add(number, code), " "), residue_name),
        _text(flat.atom_names),
    )
    _check_gaps(atoms, np.asarray(flat.serials), path)
    return atoms if structure[0].has_hydrogen() else share_out_hydrogens(atoms, residue_name)


def _text(letters: object) -> NDArray[np.str_]:
    """Return the names that gemmi has as rows of letters ``(n, 8)``."""
    rows = np.ascontiguousarray(np.asarray(letters))
    return rows.view(f"S{rows.shape[1]}").ravel().astype(np.str_)


def _tell_uncertain_atoms(structure: gemmi.Structure, path: Path) -> None:
    """Warn of many alternative locations and partial occupancies, by their numbers."""
    flat = gemmi.FlatStructure(structure)
    occupancy, alternative = np.asarray(flat.occ), np.asarray(flat.altlocs) != 0
    partial = (occupancy < 1) & ~alternative
    facts = []
    if alternative.mean() > TOLD_SHARE:
        facts.append(
            f"{np.count_nonzero(alternative)} have alternative locations, of which the first is taken"
        )
    if partial.mean() > TOLD_SHARE:
        absent = np.count_nonzero(partial & (occupancy == 0))
        facts.append(
            f"{np.count_nonzero(partial)} have an occupancy below 1 ({absent} of them 0) and are taken whole"
        )
    if facts:
        warnings.warn(f"structure {path}: of {len(occupancy)} atoms, {' and '.join(facts)}", stacklevel=5)


def _check_gaps(atoms: AtomTable, serials: NDArray[np.int32], path: Path) -> None:
    """Refuse atoms that are far from all others along any axis."""
    for axis in range(3):
        order = np.argsort(atoms.position_A[:, axis], kind="stable")
        gaps = np.diff(atoms.position_A[order, axis])
        if gaps.size and gaps.max() > LARGEST_GAP_A:
            cut = int(np.argmax(gaps)) + 1
            few = min(order[:cut], order[cut:], key=len)
            first = min(few)
            number, residue = str(atoms.residue[first]).split(" ", 1)
            name = _name_atom(serials[first], atoms.name[first], residue, number, atoms.chain[first])
            among = "" if len(few) == 1 else f" with {len(few) - 1} more"
            raise InputError(
                f"structure {path}: {name} at {_show_place(atoms.position_A[first].tolist())}{among} lies "
                f"{gaps.max():.0f} Å from all other atoms along {'xyz'[axis]}; correct or remove it, or make a "
                "particle of each part"
            )


def share_out_hydrogens(atoms: AtomTable, residue_name: NDArray[np.str_]) -> AtomTable:
    """Share out the hydrogens of each residue over its carbon, nitrogen and oxygen atoms.

    Parameters
    ----------
    atoms
        Atoms of a file without hydrogens.
    residue_name
        ``(n,)`` str: name of each atom's residue; one that is not tabulated has none.
    """
    residue = atoms.number_residues()
    carries = np.isin(atoms.element, ("C", "N", "O"))
    carriers = np.bincount(residue, carries)
    names, index = np.unique(residue_name, return_inverse=True)
    hydrogens = np.array([_count_hydrogens(str(name)) for name in names])[index]
    shares = np.where(carries, hydrogens / np.maximum(carriers, 1)[residue], 0.0)
    return AtomTable(atoms.position_A, atoms.element, shares, atoms.chain, atoms.residue, atoms.name)


def _count_hydrogens(residue_name: str) -> float:
    """Return the hydrogens of a residue by its name; 0 for one that is not tabulated."""
    known = gemmi.find_tabulated_residue(residue_name)
    if known.hydrogen_count == 0:
        return 0.0
    # A residue in a chain has lost the water that its bonds were made by.
    in_chain = known.is_amino_acid() or known.is_nucleic_acid()
    return float(known.hydrogen_count - 2 * in_chain)


def _name_atom(serial: int, name: str, residue: str, number: str, chain: str) -> str:
    return f"atom {serial} ({name} of {residue} {number}, chain {chain})"


def _show_place(place: list[float]) -> str:
    return f"({', '.join(f'{coordinate:.3f}' for coordinate in place)})"
