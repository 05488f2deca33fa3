"""Import of the output of PolNet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.formats.polnet import find_motif_list, read_sample
from faket_dask.interchange.importers.base import ForeignSpecimen, SpecimenOptions
from faket_dask.interchange.importers.particles import drop_outside, to_particle_table
from faket_dask.specimen.instances import find_instances
from faket_dask.specimen.particles import ParticleTable


class PolnetImporter:
    """Reader of a tomogram's density, labels and motif list.

    PolNet labels all objects of one model alike. Instances of proteins and of the monomers of filaments are found by
    the motif list, those of membranes are their connected parts (`faket_dask.specimen.instances`).
    """

    name = "polnet"
    help = "PolNet 1.1, a folder TomoNNN; 1.0, the folder of tomos_motif_list.csv"
    options = ("voxel_size_A", "name")

    def recognises(self, source: Path) -> bool:
        """Tell whether there is a motif list."""
        return find_motif_list(source) is not None

    def open(self, source: Path, options: SpecimenOptions) -> ForeignSpecimen:
        """Open a tomogram.

        Raises
        ------
        InputError
            If files are absent, damaged, or of differing shape or voxel size, or the list and the labels disagree.
        """
        sample = read_sample(source, name=options.name, voxel_size_A=options.voxel_size_A)
        edge = sample.density.voxel_size_A
        table = drop_outside(
            to_particle_table(sample.particles), sample.density.shape, edge, sample.motif_list
        )
        table = replace(table, parent=_find_parents(table, np.array(sample.polymer, np.int64)))
        instances = find_instances(sample.labels, table, edge, sample.membranes, sample.motif_list)
        inputs = (sample.density.path, sample.labels.path, sample.motif_list)
        return ForeignSpecimen(sample.density, edge, instances.table, inputs, sample.labels, instances)


def _find_parents(table: ParticleTable, polymer: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the instance of the first monomer in the polymer of each row, 0 for that monomer itself.

    `polymer` has a number for each row of the list, which are the instances of the table; those are numbered anew.
    """
    parents = np.zeros(len(table), np.int64)
    first: dict[tuple[int, int], int] = {}
    for row, instance in enumerate(table.instance.tolist()):
        chain = int(table.class_id[row]), int(polymer[instance - 1])
        parents[row] = first.get(chain, 0)
        first.setdefault(chain, row + 1)
    return parents
