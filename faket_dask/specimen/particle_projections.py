"""Projections of single particles, as they are in the noiseless tilts of a specimen."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.projection import project
from faket_dask.specimen.template import Template

_AXES = ((0, 1, 2), (1, 2, 0), (2, 0, 1))
"""Orders of the axes, by which the particle is seen along each of them."""

_ANGLES = (-45.0, 0.0, 45.0)
"""Along all axes and face diagonals of a cube, whose mean no flat or long particle's orientation changes."""


def project_particle(template: Template, voxel_size_A: float) -> NDArray[np.float32]:
    """Project a particle along its three axes and the six directions half way between two of them.

    Parameters
    ----------
    template
        Density of the particle.
    voxel_size_A
        Edge in Å of the specimen's voxels, which are the pixels of its tilts.

    Returns
    -------
    projections
        ``(orientation, y, x)`` float32 negated ray sums in V·voxel: dark where there is matter, zero at the rim.
    """
    factor = max(1, round(voxel_size_A / template.voxel_size_A))
    size = template.density.shape[0]
    wide = 2 * factor * math.ceil(size * math.sqrt(2) / (2 * factor))
    before = wide // 2 - size // 2
    density = np.pad(template.density, [(before, wide - size - before)] * 3)
    fine = np.concatenate([project(density.transpose(axes), _ANGLES) for axes in _AXES])
    pixels = fine.reshape(len(fine), wide // factor, factor, wide // factor, factor).mean(axis=(2, 4))
    return (pixels * (template.voxel_size_A / voxel_size_A)).astype(np.float32)
