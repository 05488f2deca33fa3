"""Import of mesoscale models: whole cells in one mmCIF or BinaryCIF file."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from faket_dask.errors import InputError
from faket_dask.formats.cif_tables import BINARY_SUFFIX
from faket_dask.formats.compression import kind_suffix
from faket_dask.formats.mesoscale import MesoscaleMolecule, read_molecules
from faket_dask.interchange.importers.base import ForeignSpecimen, SpecimenOptions, require_voxel_size
from faket_dask.interchange.importers.placed_models import PlacedClass, build_specimen
from faket_dask.specimen.atom_table import AtomTable
from faket_dask.specimen.composition import PROTEIN_MAP_V
from faket_dask.specimen.phantoms import sphere_template
from faket_dask.specimen.structure import atom_template
from faket_dask.specimen.structure_file import share_out_hydrogens

LARGEST_EXTENT_A = 1000.0
"""Largest extent in Å along an axis of a molecule that is rendered as one."""

FINEST_BEADS_A = 2.5
"""Median distance in Å of nearest neighbours from which on atoms are beads: bonds are shorter."""

BEAD_RADIUS_A = (5.0, 17.0)
"""Smallest and largest radius of beads in Å; 0.7 of their distance lies between them, and 17 Å stand for a single
one."""


class MesoscaleImporter:
    """Reader of a model of a whole cell, which is rendered from the atoms of its molecules.

    In a coarse model, whose atoms are beads, molecules are made of spheres.
    """

    name = "mesoscale"
    help = "whole cells of cellPACK, Mesoscope or PetWorld, one .cif or .bcif with lists of copies"
    options = ("voxel_size_A",)

    def recognises(self, source: Path) -> bool:
        """Tell whether a file is mmCIF or BinaryCIF."""
        return source.is_file() and (
            source.suffix.lower() == BINARY_SUFFIX or kind_suffix(source) in (".cif", ".mmcif")
        )

    def open(self, source: Path, options: SpecimenOptions) -> ForeignSpecimen:
        """Open a model.

        Raises
        ------
        InputError
            If it is damaged, lists no copies, or none of its molecules can be rendered.
        """
        edge = require_voxel_size(source, options)
        molecules = read_molecules(source)
        is_coarse = _is_coarse(molecules)
        if is_coarse:
            warnings.warn(
                f"{source}: atoms lie further apart than {FINEST_BEADS_A:g} Å, so they are taken for beads, and their "
                "molecules are made of spheres",
                stacklevel=2,
            )
        else:
            molecules = _leave_out_large(molecules, source)
        classes = [
            _place(molecule, name, is_coarse, edge, source)
            for molecule, name in zip(molecules, _name_classes(molecules), strict=True)
        ]
        return build_specimen(classes, edge, source, [source])


def _leave_out_large(molecules: Sequence[MesoscaleMolecule], source: Path) -> list[MesoscaleMolecule]:
    small = [item for item in molecules if np.ptp(item.position_A, axis=0).max() <= LARGEST_EXTENT_A]
    large = [item.name for item in molecules if item not in small]
    if not small:
        raise InputError(
            f"{source}: all of its {len(molecules)} molecules, such as {large[0]!r}, are larger than "
            f"{LARGEST_EXTENT_A:g} Å; only copies of smaller ones can be rendered"
        )
    if large:
        warnings.warn(
            f"{source}: {len(large)} of {len(molecules)} molecules are larger than {LARGEST_EXTENT_A:g} Å and left "
            f"out, {', '.join(large[:3])} among them",
            stacklevel=3,
        )
    return small


def _name_classes(molecules: Sequence[MesoscaleMolecule]) -> list[str]:
    """Name classes as their molecules, with a number where one of that name came before."""
    names, seen = [], Counter[str]()
    for molecule in molecules:
        seen[molecule.name] += 1
        count = seen[molecule.name]
        names.append(molecule.name if count == 1 else f"{molecule.name}-{count}")
    return names


def _is_coarse(molecules: Sequence[MesoscaleMolecule]) -> bool:
    distances = [_measure_spacing(molecule) for molecule in molecules if len(molecule.position_A) > 1]
    return bool(distances) and float(np.median(distances)) > FINEST_BEADS_A


def _measure_spacing(molecule: MesoscaleMolecule) -> float:
    """Return the median distance in Å of an atom from its nearest neighbour."""
    distance = cKDTree(molecule.position_A).query(molecule.position_A, 2)[0][:, 1]
    return float(np.median(distance))


def _place(molecule: MesoscaleMolecule, name: str, is_coarse: bool, edge: float, source: Path) -> PlacedClass:
    try:
        if is_coarse:
            return _place_beads(molecule, name, edge)
        atoms = AtomTable(
            molecule.position_A,
            molecule.element,
            np.zeros(len(molecule.element)),
            molecule.chain,
            np.char.add(np.char.add(molecule.residue, " "), molecule.residue_name),
            molecule.atom,
        )
        if not np.isin(molecule.element, ("H", "D")).any():
            atoms = share_out_hydrogens(atoms, molecule.residue_name)
        template = atom_template(name, atoms, edge)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    return PlacedClass(name, template, template.centre_A[None], molecule.rotation, molecule.shift_A)


def _place_beads(molecule: MesoscaleMolecule, name: str, edge: float) -> PlacedClass:
    places = molecule.position_A
    radius = BEAD_RADIUS_A[1]
    if len(places) > 1:
        radius = float(np.clip(0.7 * _measure_spacing(molecule), *BEAD_RADIUS_A))
    if np.ptp(places, axis=0).max() <= LARGEST_EXTENT_A:
        beads = np.column_stack((places, np.full((len(places), 2), (radius, PROTEIN_MAP_V))))
        template = sphere_template(name, beads, edge)
        return PlacedClass(name, template, template.centre_A[None], molecule.rotation, molecule.shift_A)
    # One template for each bead: that of all would be larger than the cell.
    template = sphere_template(name, np.array([[0.0, 0.0, 0.0, radius, PROTEIN_MAP_V]]), edge)
    return PlacedClass(name, template, places, molecule.rotation, molecule.shift_A)
