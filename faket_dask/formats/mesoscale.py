"""Read mesoscale models: mmCIF and BinaryCIF files of whole cells, as cellPACK, Mesoscope and PetWorld distribute them.

Atoms of each molecule are there once (``atom_site``); a row of ``pdbx_struct_assembly_gen`` has the operators of all
its copies, and the chains that each moves. Rows with the same list of operators are one molecule. Its name is the
last part of its entity's description, as in ``root.cell.interior.proteins.RIBOSOME``, or that of its model where the
row has a ``PDB_model_num`` (PetWorld).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.cif_tables import Table, read_tables

LARGEST_PLACE_A = 1e6
"""Largest coordinate in Å: 100 µm."""

MOST_COPIES = 2**22
"""Most copies of a molecule."""

_MATRIX = tuple(f"matrix[{row}][{column}]" for row in "123" for column in "123")
_VECTOR = tuple(f"vector[{row}]" for row in "123")
_PLACE = ("Cartn_x", "Cartn_y", "Cartn_z")
_COLUMNS = {
    "atom_site": (
        *(*_PLACE, "type_symbol", "label_asym_id", "label_entity_id", "label_comp_id", "label_atom_id"),
        *("label_seq_id", "auth_seq_id", "pdbx_PDB_model_num"),
    ),
    "entity": ("id", "pdbx_description"),
    "pdbx_model": ("name",),
    "pdbx_struct_assembly_gen": ("assembly_id", "oper_expression", "asym_id_list", "PDB_model_num"),
    "pdbx_struct_oper_list": ("id", *_MATRIX, *_VECTOR),
}
_ROUNDING = 0.02
"""Largest error of the scalar products of an operator's rows: files round to three digits."""


@dataclass(frozen=True, eq=False)
class MesoscaleMolecule:
    """Molecule and the places of its copies.

    Parameters
    ----------
    name
        Name.
    position_A
        ``(atoms, 3)``: ``(x, y, z)`` in Å.
    element, chain, residue, residue_name, atom
        ``(atoms,)`` str: symbol in capitals, chain, number of the residue, name of the residue, name of the atom.
    rotation
        ``(n, 3, 3)`` matrices from molecule to model.
    shift_A
        ``(n, 3)``: ``(x, y, z)`` in Å.
    """

    name: str
    position_A: NDArray[np.float64]
    element: NDArray[np.str_]
    chain: NDArray[np.str_]
    residue: NDArray[np.str_]
    residue_name: NDArray[np.str_]
    atom: NDArray[np.str_]
    rotation: NDArray[np.float64]
    shift_A: NDArray[np.float64]


def read_molecules(path: Path) -> list[MesoscaleMolecule]:
    """Read the molecules of a model, of the first assembly that it lists.

    Parameters
    ----------
    path
        mmCIF file, which may be gzipped, or BinaryCIF.

    Warns
    -----
    UserWarning
        If chains are listed that have no atoms.

    Raises
    ------
    InputError
        If the file is absent or damaged, has no atoms or no list of copies, or an operator is none or is no rotation.
    """
    tables = read_tables(path, _COLUMNS, (*_PLACE, *_MATRIX, *_VECTOR))
    atoms, rows = tables.get("atom_site", {}), tables.get("pdbx_struct_assembly_gen", {})
    missing = [name for name in (*_PLACE, "type_symbol", "label_asym_id") if name not in atoms]
    if missing:
        raise InputError(
            f"{path} has no atoms (no atom_site.{missing[0]}); spheres of integrative models are not read"
        )
    if not {"assembly_id", "oper_expression", "asym_id_list"} <= rows.keys():
        raise InputError(
            f"{path} lists no copies (pdbx_struct_assembly_gen), so it is no mesoscale model; for a structure, make it "
            "the source of a class"
        )
    rotation, shift, index = _read_operators(tables.get("pdbx_struct_oper_list", {}), path)
    if np.abs(np.column_stack([atoms[name] for name in _PLACE])).max() > LARGEST_PLACE_A:
        raise InputError(
            f"{path}: an atom lies further than {LARGEST_PLACE_A:g} Å from the origin; copy the file again"
        )
    chains = _Chains(atoms, by_model="PDB_model_num" in rows)
    molecules, absent = [], []
    for expression, model, names in _group_rows(rows, path):
        present = [chain for chain in names if chains.has(chain, model)]
        absent += [chain for chain in names if chain not in present]
        if present:
            where = f"{path}: pdbx_struct_assembly_gen.oper_expression {expression[:60]!r}"
            turned, moved = _expand(expression, rotation, shift, index, where)
            picked = chains.rows(present, model)
            name = _name(picked, model, atoms, tables)
            molecules.append(_take(name, atoms, picked, turned, moved))
    if absent:
        warnings.warn(
            f"{path}: {len(absent)} chains are listed and have no atoms, {', '.join(absent[:3])} among them; they are "
            "left out",
            stacklevel=2,
        )
    if not molecules:
        raise InputError(f"{path}: no chain that the assembly lists has atoms; copy the file again")
    return molecules


def _read_operators(
    table: Table, path: Path
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, int]]:
    """Return the rotations ``(n, 3, 3)`` and shifts ``(n, 3)`` of all operators, and the index of each by its name."""
    missing = [name for name in ("id", *_MATRIX, *_VECTOR) if name not in table]
    if missing:
        raise InputError(f"{path} has no pdbx_struct_oper_list.{missing[0]}; copy it again")
    matrix = np.column_stack([table[name] for name in _MATRIX]).reshape(-1, 3, 3)
    shift = np.column_stack([table[name] for name in _VECTOR])
    error = np.abs(matrix @ matrix.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
    wrong = (error > _ROUNDING) | ~(np.linalg.det(matrix) > 0) | (np.abs(shift).max(axis=1) > LARGEST_PLACE_A)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{path}: pdbx_struct_oper_list, row {row + 1} (id {str(table['id'][row])[:20]}) is no rotation and shift "
            f"within {LARGEST_PLACE_A:g} Å; copy the file again"
        )
    left, _, right = np.linalg.svd(matrix)
    return left @ right, shift, {str(name): row for row, name in enumerate(table["id"].tolist())}


def _group_rows(rows: Table, path: Path) -> list[tuple[str, str, list[str]]]:
    """Return expression, model and chains of each molecule of the first assembly."""
    groups: dict[tuple[str, str, int], list[str]] = {}
    first = rows["assembly_id"][0]
    models = rows.get("PDB_model_num", np.zeros(len(rows["assembly_id"]), np.str_))
    lists = zip(rows["assembly_id"], rows["oper_expression"], models, rows["asym_id_list"], strict=True)
    for number, (assembly, expression, model, names) in enumerate(lists):
        if assembly != first:
            continue
        # An operator of its own tells nothing about what belongs together.
        alone = number if re.fullmatch(r"\(?[^-,()]*\)?", str(expression)) else -1
        chains = groups.setdefault((str(expression), str(model), alone), [])
        chains += [chain for chain in str(names).replace(" ", "").split(",") if chain]
    return [
        (expression, model, list(dict.fromkeys(names))) for (expression, model, _), names in groups.items()
    ]


class _Chains:
    """Rows of the atoms of each chain, of the first model where models are not told apart."""

    def __init__(self, atoms: Table, by_model: bool) -> None:
        count = len(atoms["label_asym_id"])
        models = atoms.get("pdbx_PDB_model_num", np.full(count, "1"))
        self._by_model = by_model
        keys = atoms["label_asym_id"]
        if by_model:
            keys = np.char.add(np.char.add(models, "\n"), keys)
        order = np.argsort(keys, kind="stable")
        if not by_model:
            order = order[models[order] == models[0]]
        names, begins = np.unique(keys[order], return_index=True)
        self._rows = dict(zip(names.tolist(), np.split(order, begins[1:]), strict=True))

    def _key(self, chain: str, model: str) -> str:
        return f"{model}\n{chain}" if self._by_model else chain

    def has(self, chain: str, model: str) -> bool:
        """Tell whether a chain has atoms."""
        return self._key(chain, model) in self._rows

    def rows(self, chains: Sequence[str], model: str) -> NDArray[np.intp]:
        """Return the rows of the atoms of some chains."""
        return np.concatenate([self._rows[self._key(chain, model)] for chain in chains])


_RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
_FACTOR = re.compile(r"\(([^()]*)\)|([^()]+)")


def _expand(
    expression: str,
    rotation: NDArray[np.float64],
    shift: NDArray[np.float64],
    index: dict[str, int],
    where: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the operators of an expression such as ``(2-71,341)`` or, as a product, ``(X0)(1-60)``."""
    turned, moved = np.eye(3)[None], np.zeros((1, 3))
    factors = [first or second for first, second in _FACTOR.findall(expression)]
    if not factors or _FACTOR.sub("", expression).strip() or len(factors) > 4:
        raise InputError(f"{where} is no list of operators; copy the file again")
    for factor in factors:
        picked = _list_operators(factor, index, where)
        if len(turned) * len(picked) > MOST_COPIES:
            raise InputError(f"{where} stands for {len(turned) * len(picked)} copies; copy the file again")
        moved = (np.einsum("nij,mj->nmi", turned, shift[picked]) + moved[:, None]).reshape(-1, 3)
        turned = np.einsum("nij,mjk->nmik", turned, rotation[picked]).reshape(-1, 3, 3)
    return turned, moved


def _list_operators(factor: str, index: dict[str, int], where: str) -> list[int]:
    rows: list[int] = []
    for item in factor.split(","):
        name = item.strip()
        span = _RANGE.fullmatch(name)
        if name in index:
            rows.append(index[name])
        elif span and int(span[1]) <= int(span[2]) <= int(span[1]) + len(index):
            names = [str(number) for number in range(int(span[1]), int(span[2]) + 1)]
            absent = [number for number in names if number not in index]
            if absent:
                raise InputError(f"{where}: there is no operator {absent[0]}; copy the file again")
            rows += [index[number] for number in names]
        else:
            raise InputError(f"{where}: there is no operator {name[:40]!r}; copy the file again")
    return rows


def _name(rows: NDArray[np.intp], model: str, atoms: Table, tables: dict[str, Table]) -> str:
    """Return the name of a molecule: that of its model, or of the entity that most of its atoms belong to."""
    models = tables.get("pdbx_model", {}).get("name", np.zeros(0, np.str_))
    if re.fullmatch("[0-9]{1,9}", model) and 1 <= int(model) <= len(models):
        return str(models[int(model) - 1])
    entity = tables.get("entity", {})
    chain = str(atoms["label_asym_id"][rows[0]])
    if "label_entity_id" not in atoms:
        return chain
    entities, counts = np.unique(atoms["label_entity_id"][rows], return_counts=True)
    known = dict(zip(entity.get("id", ()), entity.get("pdbx_description", ()), strict=False))
    description = str(known.get(entities[np.argmax(counts)], "")).strip()
    # A path such as root.cell.interior.proteins.RIBOSOME has no blanks.
    name = description if " " in description else description.rpartition(".")[2]
    return name or chain


def _take(
    name: str,
    atoms: Table,
    rows: NDArray[np.intp],
    rotation: NDArray[np.float64],
    shift_A: NDArray[np.float64],
) -> MesoscaleMolecule:
    def column(*names: str) -> NDArray[np.str_]:
        for key in names:
            if key in atoms:
                return atoms[key][rows]
        return np.zeros(len(rows), np.str_)

    return MesoscaleMolecule(
        name,
        np.column_stack([atoms[key][rows] for key in _PLACE]),
        np.char.upper(column("type_symbol")),
        column("label_asym_id"),
        column("auth_seq_id", "label_seq_id"),
        column("label_comp_id"),
        column("label_atom_id"),
        rotation,
        shift_A,
    )
