"""Import of the results of cellPACK."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.cellpack import Ingredient, StructureSource, is_packing, read_packing
from faket_dask.interchange.importers.base import ForeignSpecimen, SpecimenOptions, require_voxel_size
from faket_dask.interchange.importers.placed_models import PlacedClass, build_specimen
from faket_dask.specimen.atom_table import AtomTable
from faket_dask.specimen.composition import PROTEIN_MAP_V
from faket_dask.specimen.phantoms import sphere_template
from faket_dask.specimen.structure import atom_template
from faket_dask.specimen.structure_file import ASYMMETRIC_UNIT, read_atoms
from faket_dask.specimen.template import Template
from faket_dask.structures import fetch, parse_entry

FOLDERS = ("", "proteins", "structures", "other")
"""Folders beside a result in which the files of structures are looked for."""

_CODE = re.compile(r"[1-9][A-Za-z0-9]{3}")


class CellpackImporter:
    """Reader of a result of cellPACK, which is rendered from the structures of its ingredients.

    Entries of the PDB are fetched as for run files. A file of a structure that is not there is replaced by the beads
    that the result has of the ingredient, with a warning.
    """

    name = "cellpack"
    help = (
        "cellPACK, a result .json or .cpr; files of structures beside it, or in proteins, structures or other"
    )
    options = ("voxel_size_A",)

    def recognises(self, source: Path) -> bool:
        """Tell whether a file is of cellPACK."""
        return is_packing(source)

    def open(self, source: Path, options: SpecimenOptions) -> ForeignSpecimen:
        """Open a result.

        Raises
        ------
        InputError
            If it is damaged, or an ingredient has neither a structure nor beads.
        """
        edge = require_voxel_size(source, options)
        ingredients = read_packing(source)
        files = [_find_structure(ingredient.source, source.parent) for ingredient in ingredients]
        coarse = [item for item, path in zip(ingredients, files, strict=True) if path is None]
        for item in coarse:
            if not len(item.beads):
                raise InputError(
                    f"{source}: ingredient {item.name!r} has no beads, and its structure {item.source.name!r} is not "
                    f"beside the result or in {', '.join(FOLDERS[1:])}; put it there"
                )
        if coarse:
            missing = [item.source.name or item.name for item in coarse]
            warnings.warn(
                f"{source}: {len(coarse)} of {len(ingredients)} ingredients have no file of their structure and are "
                f"made of beads, {', '.join(missing[:3])} among them",
                stacklevel=2,
            )
        names = _name_classes(ingredients)
        classes = [
            _place(ingredient, path, name, edge, source)
            for ingredient, path, name in zip(ingredients, files, names, strict=True)
        ]
        inputs = [source, *(path for path in files if path is not None)]
        return build_specimen(classes, edge, source, inputs)


def _name_classes(ingredients: Sequence[Ingredient]) -> list[str]:
    """Name classes by ingredient, and by compartment where several have one of a name."""
    plain = [ingredient.name for ingredient in ingredients]
    return [
        name if plain.count(name) == 1 else f"{ingredient.compartment or 'outside'}.{name}"
        for name, ingredient in zip(plain, ingredients, strict=True)
    ]


def _find_structure(source: StructureSource, folder: Path) -> Path | None:
    """Find the file of a structure: beside a result, or in the cache; ``None`` if it is none that can be had."""
    if not source.name:
        return None
    name = Path(source.name.replace("\\", "/")).name
    for place in FOLDERS:
        for ending in ("", ".cif", ".pdb", ".cif.gz", ".pdb.gz"):
            path = folder / place / f"{name}{ending}"
            if path.is_file():
                return path
    return fetch(parse_entry(f"pdb:{name.lower()}")).path if _CODE.fullmatch(name) else None


def _place(ingredient: Ingredient, path: Path | None, name: str, edge: float, source: Path) -> PlacedClass:
    try:
        template, centre_A = _make_template(ingredient, path, edge)
    except InputError as error:
        raise InputError(f"{source}: ingredient {ingredient.name!r}: {error}") from None
    offset = template.centre_A - centre_A + ingredient.offset_A
    rotation = ingredient.rotation @ ingredient.matrix
    return PlacedClass(name, template, offset[None], rotation, ingredient.position_A)


def _make_template(
    ingredient: Ingredient, path: Path | None, edge: float
) -> tuple[Template, NDArray[np.float64]]:
    """Make the template of an ingredient; return with it the point of its frame that comes to the origin."""
    if path is None:
        volts = np.full(len(ingredient.beads), PROTEIN_MAP_V)
        return sphere_template(ingredient.name, np.column_stack((ingredient.beads, volts)), edge), np.zeros(3)
    chosen = ingredient.source
    atoms = read_atoms(path, chosen.assembly or ASYMMETRIC_UNIT, chosen.model)
    atoms = _take_chains(atoms, chosen.chains, path)
    centre = atoms.position_A.mean(axis=0) if chosen.centred else np.zeros(3)
    return atom_template(str(path), atoms, edge), centre


def _take_chains(atoms: AtomTable, chains: Sequence[str], path: Path) -> AtomTable:
    if not chains:
        return atoms
    chosen = np.isin(atoms.chain, chains)
    if not chosen.any():
        raise InputError(f"structure {path} has none of the chains {', '.join(chains[:6])}")
    return atoms.select(chosen)
