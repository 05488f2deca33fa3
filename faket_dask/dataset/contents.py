"""Contents of a specimen that radiation does not damage."""

from __future__ import annotations

import numpy as np

from faket_dask.config import BuiltSpecimen
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.kernels.gold import Beads
from faket_dask.specimen.class_names import FIDUCIAL
from faket_dask.specimen.fiducials import GOLD_V
from faket_dask.specimen.ice import ice_fluctuation
from faket_dask.specimen.particles import read_particles
from faket_dask.stages.imaging import Contents


def read_contents(spec: DatasetSpec, specimen: str) -> Contents:
    """Return the gold beads of a specimen by its particle table, and the texture of the ice that was made for it.

    The ice of an existing volume is not told from its particles.
    """
    table = read_particles(spec.folder.particles(specimen))
    table = table.select(table.class_name == FIDUCIAL)
    pixel = spec.geometry.acquisition(specimen).pixel_size_A
    depth, _, width = spec.geometry.volume_shape(specimen)
    section = spec.config.specimen
    texture = section.ice_texture if isinstance(section, BuiltSpecimen) else 0.0
    beads = None
    if len(table):
        axis = np.array([width // 2, 0, depth // 2]) * pixel
        beads = Beads(table.centre_A - axis, table.radius_A, GOLD_V)
    return Contents(beads, texture * ice_fluctuation(pixel), depth)
