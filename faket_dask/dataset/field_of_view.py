"""Field of view of the detector at 0°; specimens are wider, so that tilts stay filled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.specimen.class_names import FIDUCIAL
from faket_dask.specimen.particles import ParticleTable


def select_columns(spec: DatasetSpec, specimen: str) -> slice:
    """Return the columns of a specimen's volume in the field of view."""
    width, columns = spec.geometry.volume_shape(specimen)[2], spec.geometry.tilt_shape[1]
    first = width // 2 - columns // 2
    return slice(first, first + columns)


def select_particles(spec: DatasetSpec, specimen: str, table: ParticleTable) -> ParticleTable:
    """Return the labelled particles centred in the field of view, in the frame of the volume cut to it."""
    columns = select_columns(spec, specimen)
    labelled = table.labelled()
    x, y, z = labelled.centre_A.T / spec.geometry.acquisition(specimen).pixel_size_A
    depth, rows, _ = spec.geometry.volume_shape(specimen)
    ranges = ((x, columns.start, columns.stop), (y, 0, rows), (z, 0, depth))
    inside = np.logical_and.reduce([(at > low - 0.5) & (at < high - 0.5) for at, low, high in ranges])
    visible = labelled.select(inside)
    origin_A = np.array([columns.start * spec.geometry.acquisition(specimen).pixel_size_A, 0.0, 0.0])
    return replace(visible, centre_A=visible.centre_A - origin_A)


def project_columns(
    spec: DatasetSpec, specimen: str, centre_A: NDArray[np.float64], tilt_angle: float
) -> NDArray[np.float64]:
    """Return the detector columns, ``(n,)``, of points ``(n, 3)`` of a specimen at a tilt angle (degrees)."""
    depth, _, width = spec.geometry.volume_shape(specimen)
    x, _, z = centre_A.T / spec.geometry.acquisition(specimen).pixel_size_A
    theta = np.deg2rad(tilt_angle)
    across = (x - width // 2) * np.cos(theta) - (z - depth // 2) * np.sin(theta)
    return spec.geometry.tilt_shape[1] // 2 + across


def mask_beads(
    spec: DatasetSpec, specimen: str, table: ParticleTable, tilt_angle: float
) -> NDArray[np.bool_]:
    """Return the pixels, ``(y, x)``, of a tilt that show gold beads, with a margin of two pixels for their blur."""
    mask = np.zeros(spec.geometry.tilt_shape, dtype=bool)
    beads = table.select(table.class_name == FIDUCIAL)
    columns = project_columns(spec, specimen, beads.centre_A, tilt_angle)
    rows = beads.centre_A[:, 1] / spec.geometry.acquisition(specimen).pixel_size_A
    for row, column, radius_A in zip(rows, columns, beads.radius_A, strict=True):
        reach = radius_A / spec.geometry.acquisition(specimen).pixel_size_A + 2
        top, left = (max(0, int(np.floor(at - reach))) for at in (row, column))
        bottom, right = (max(0, int(np.ceil(at + reach)) + 1) for at in (row, column))
        y, x = np.ogrid[top : min(bottom, mask.shape[0]), left : min(right, mask.shape[1])]
        mask[top:bottom, left:right] |= (y - row) ** 2 + (x - column) ** 2 <= reach**2
    return mask
