"""Voxels of a template in a specimen: those of its label, and its density added to a block."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen.canvas import Canvas, first_voxel, last_voxel
from faket_dask.specimen.particles import Row
from faket_dask.specimen.shape import Shape
from faket_dask.specimen.template import Template


class _Turned(NamedTuple):
    """Template of a particle ``(z, y, x)``, and the rotation from the specimen to it."""

    to_particle: NDArray[np.float64]
    template: NDArray[np.float32]
    voxel_A: float
    level_V: float
    support_A: float


def _turn(template: Template, rotation: NDArray[np.float64]) -> _Turned:
    to_particle = np.ascontiguousarray(rotation.T)
    return _Turned(to_particle, template.density, template.voxel_size_A, template.level_V, template.support_A)


def particle_shape(
    template: Template, rotation: NDArray[np.float64], fraction: NDArray[np.float64], voxel_size_A: float
) -> Shape:
    """Find the voxels that a particle has in the masks, by the same arithmetic that renders it.

    Parameters
    ----------
    template
        Density of the particle.
    rotation
        ``(3, 3)`` matrix, particle to specimen.
    fraction
        Place ``(x, y, z)`` of its centre from the middle of a voxel, in voxels.
    voxel_size_A
        Edge of the specimen's voxels in Å.

    Raises
    ------
    InputError
        If the particle is too small to have any.
    """
    voxels = _label_voxels(_turn(template, rotation), fraction, voxel_size_A)
    if not len(voxels):
        raise InputError(
            f"{template.name}: a particle of {2 * template.radius_A:.0f} Å across has no voxel of {voxel_size_A:g} Å "
            "in the masks; choose smaller voxels, or leave it out"
        )
    return Shape(voxels, fraction)


def add_particle(canvas: Canvas, row: Row, template: Template, *, displaces: bool = True) -> None:
    """Add a particle to a block: its template, interpolated linearly at each voxel turned into the particle's frame."""
    _add_particle(canvas, row.centre_A, _turn(template, row.rotation), displaces)


@njit(cache=True, nogil=True)
def _interpolate(template: NDArray[np.float32], u: float, v: float, w: float) -> float:
    """Interpolate a template ``(z, y, x)`` linearly at ``(u, v, w)`` along ``(x, y, z)``; NaN outside it."""
    last = template.shape[0] - 1
    if u < 0 or v < 0 or w < 0 or u >= last or v >= last or w >= last:
        return np.nan
    i, j, k = int(w), int(v), int(u)
    fw, fv, fu = w - i, v - j, u - k
    front = (1 - fv) * ((1 - fu) * template[i, j, k] + fu * template[i, j, k + 1]) + fv * (
        (1 - fu) * template[i, j + 1, k] + fu * template[i, j + 1, k + 1]
    )
    back = (1 - fv) * ((1 - fu) * template[i + 1, j, k] + fu * template[i + 1, j, k + 1]) + fv * (
        (1 - fu) * template[i + 1, j + 1, k] + fu * template[i + 1, j + 1, k + 1]
    )
    return (1 - fw) * front + fw * back


@njit(cache=True, nogil=True)
def _label_voxels(particle: _Turned, fraction: NDArray[np.float64], voxel_A: float) -> NDArray[np.int32]:
    """Find the voxels ``(n, 3)``, ``(z, y, x)``, of a particle's label about the voxel of its centre."""
    to_particle, template, template_voxel_A, level_V, support_A = particle
    middle = template.shape[0] // 2
    reach = support_A / voxel_A
    matrix = to_particle * (voxel_A / template_voxel_A)
    side = int(np.ceil(reach)) + 1
    voxels = np.empty(((2 * side + 1) ** 3, 3), np.int32)
    count = 0
    for z in range(-side, side + 1):
        dz = z - fraction[2]
        for y in range(-side, side + 1):
            dy = y - fraction[1]
            for x in range(-side, side + 1):
                dx = x - fraction[0]
                if dx * dx + dy * dy + dz * dz > reach * reach:
                    continue
                value = _interpolate(
                    template,
                    matrix[0, 0] * dx + matrix[0, 1] * dy + matrix[0, 2] * dz + middle,
                    matrix[1, 0] * dx + matrix[1, 1] * dy + matrix[1, 2] * dz + middle,
                    matrix[2, 0] * dx + matrix[2, 1] * dy + matrix[2, 2] * dz + middle,
                )
                if value >= level_V:
                    voxels[count, 0], voxels[count, 1], voxels[count, 2] = z, y, x
                    count += 1
    return voxels[:count].copy()


@njit(cache=True, nogil=True)
def _add_particle(canvas: Canvas, centre_A: NDArray[np.float64], particle: _Turned, displaces: bool) -> None:
    density, class_mask, instance_mask, y_start, voxel_A, labels = canvas
    to_particle, template, template_voxel_A, level_V, support_A = particle
    depth, height, width = density.shape
    middle = template.shape[0] // 2
    cx, cy, cz = centre_A[0] / voxel_A, centre_A[1] / voxel_A, centre_A[2] / voxel_A
    reach = support_A / voxel_A
    matrix = to_particle * (voxel_A / template_voxel_A)
    for z in range(first_voxel(cz, reach), last_voxel(cz, reach, depth) + 1):
        dz = z - cz
        for y in range(
            max(y_start, first_voxel(cy, reach)), min(y_start + height - 1, last_voxel(cy, reach, 2**31)) + 1
        ):
            dy = y - cy
            rest = reach * reach - dz * dz - dy * dy
            if rest < 0:
                continue
            half = np.sqrt(rest)
            for x in range(first_voxel(cx, half), last_voxel(cx, half, width) + 1):
                dx = x - cx
                value = _interpolate(
                    template,
                    matrix[0, 0] * dx + matrix[0, 1] * dy + matrix[0, 2] * dz + middle,
                    matrix[1, 0] * dx + matrix[1, 1] * dy + matrix[1, 2] * dz + middle,
                    matrix[2, 0] * dx + matrix[2, 1] * dy + matrix[2, 2] * dz + middle,
                )
                if np.isnan(value):
                    continue
                cover = min(1.0, max(0.0, 0.5 * value / level_V)) if displaces else 0.0
                here = y - y_start
                density[z, here, x] = density[z, here, x] * (1 - cover) + value
                if value >= level_V:
                    class_mask[z, here, x] = labels.class_id
                    instance_mask[z, here, x] = labels.instance
