"""Targets on the voxels of tomograms: class masks, spheres, Gaussians about centres."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from faket_dask.atomic import write_text
from faket_dask.errors import InputError
from faket_dask.formats.mrc import write_volume
from faket_dask.interchange.exporters.source import Source
from faket_dask.kernels.particle_targets import Gaussians, Spheres

SPHERE_RADIUS = 0.5
"""Radius of a sphere over that of its particle: picks this far off count as hits in the CZII challenge."""

GAUSSIAN_SIGMA = 0.25
"""Standard deviation of a Gaussian over the radius of its particle."""


class TargetsExporter:
    """Writer of the tomograms and what networks learn from them, as MRC.

    ``<series>_<modality>.mrc`` is a tomogram, and ``<series>_<modality>_odd.mrc`` and so on are those of halves of its
    tilts, where the data set has any: pairs for denoisers that learn from noise alone. On the same voxels are
    ``<series>_class_mask.mrc``, ``<series>_spheres.mrc`` (the class's label within half of the particle's radius) and,
    for each class, ``<series>_centres_<class>.mrc`` (a Gaussian about each centre, a quarter of the radius wide).
    ``classes.txt`` has the labels. Membranes are in the mask alone.
    """

    name = "targets"
    help = "tomograms, with halves of tilts where there are any, and targets: class masks, spheres, Gaussian centres"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each file.

        Raises
        ------
        InputError
            If a modality has no tomogram, or a class has no radius.
        """
        for modality in source.modalities:
            source.check_reconstructed(modality, "targets are for networks that see tomograms")
        labels = source.class_labels()
        path = folder / "classes.txt"
        write_text(path, "0 background\n" + "".join(f"{label} {name}\n" for name, label in labels.items()))
        yield path
        for series in source.series:
            grid = source.grid(series)
            for modality in source.modalities:
                tomogram = source.tomogram(series, modality)
                assert tomogram is not None
                path = folder / f"{series.name}_{modality}.mrc"
                write_volume(path, tomogram, grid.voxel_size_A)
                yield path
                for half, volume in source.half_tomograms(series, modality):
                    path = folder / f"{series.name}_{modality}_{half}.mrc"
                    write_volume(path, volume, grid.voxel_size_A)
                    yield path
            mask = source.volume(series.specimen, "class_mask", grid)
            path = folder / f"{series.name}_class_mask.mrc"
            write_volume(path, mask, grid.voxel_size_A)
            yield path
            table = source.particles(series.specimen, grid)
            table = table.select(~np.isin(table.class_name, source.membranes))
            lacking = np.unique(table.class_name[table.radius_A <= 0])
            if lacking.size:
                raise InputError(
                    f"specimen {series.specimen}: particles of {lacking[0]} have no radius, and spheres need one; add "
                    "the column radius_A to its table of particles"
                )
            centres, radii = table.centre_A[:, ::-1] / grid.voxel_size_A, table.radius_A / grid.voxel_size_A
            z, y, x = mask.shape
            path = folder / f"{series.name}_spheres.mrc"
            spheres = Spheres((z, y, x), centres, SPHERE_RADIUS * radii, table.class_id)
            write_volume(path, spheres, grid.voxel_size_A)
            yield path
            for name in labels:
                if name in source.membranes:
                    continue
                own = table.class_name == name
                path = folder / f"{series.name}_centres_{name}.mrc"
                gaussians = Gaussians((z, y, x), centres[own], GAUSSIAN_SIGMA * radii[own])
                write_volume(path, gaussians, grid.voxel_size_A)
                yield path
