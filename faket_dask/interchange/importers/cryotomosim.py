"""Import of the models of CryoTomoSim."""

from __future__ import annotations

import warnings
from pathlib import Path

from faket_dask.formats.cryotomosim import COORDINATES, read_model
from faket_dask.interchange.importers.base import ForeignSpecimen, SpecimenOptions
from faket_dask.interchange.importers.particles import drop_outside, to_particle_table
from faket_dask.specimen.instances import find_instances


class CryoTomoSimImporter:
    """Reader of a model's density, its atlas and the positions of its particles.

    Orientations are not recorded; those of the table are the identity, with a warning.
    """

    name = "cryotomosim"
    help = "CryoTomoSim, a folder model_… with zcoords_*.csv and, in it or in that of a simulation, Atlas.mrc"
    options = ("voxel_size_A", "name")

    def recognises(self, source: Path) -> bool:
        """Tell whether a folder has positions."""
        return source.is_dir() and any(source.glob(f"{COORDINATES}*.csv"))

    def open(self, source: Path, options: SpecimenOptions) -> ForeignSpecimen:
        """Open a model.

        Raises
        ------
        InputError
            If files are absent, damaged or of differing shape, or the positions and the atlas disagree.
        """
        model = read_model(source, name=options.name, voxel_size_A=options.voxel_size_A)
        edge = model.density.voxel_size_A
        warnings.warn(
            f"{source}: CryoTomoSim records no orientations; the rotations in the table are the identity",
            stacklevel=2,
        )
        table = drop_outside(to_particle_table(model.particles), model.density.shape, edge, source)
        instances = find_instances(model.atlas, table, edge, model.others, source)
        return ForeignSpecimen(model.density, edge, instances.table, model.inputs, model.atlas, instances)
