"""The part of a specimen that the detector sees at 0°: specimens are wider, so that tilts stay filled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from faket_dask.dataset.blueprint import Blueprint
from faket_dask.specimen.particles import ParticleTable


def columns_in_view(blueprint: Blueprint, specimen: str) -> slice:
    """Columns of a specimen's volume that lie in the field of view at 0°."""
    width, columns = blueprint.volume_shape(specimen)[2], blueprint.tilt_shape[1]
    first = width // 2 - columns // 2
    return slice(first, first + columns)


def particles_in_view(blueprint: Blueprint, specimen: str, table: ParticleTable) -> ParticleTable:
    """The labelled particles centred in the field of view, in the frame of the volume cut to it."""
    columns = columns_in_view(blueprint, specimen)
    labelled = table.labelled()
    x, y, z = labelled.centre_A.T / blueprint.pixel_size_A
    depth, rows, _ = blueprint.volume_shape(specimen)
    ranges = ((x, columns.start, columns.stop), (y, 0, rows), (z, 0, depth))
    inside = np.logical_and.reduce([(at > low - 0.5) & (at < high - 0.5) for at, low, high in ranges])
    seen = labelled.select(inside)
    origin_A = np.array([columns.start * blueprint.pixel_size_A, 0.0, 0.0])
    return replace(seen, centre_A=seen.centre_A - origin_A)
