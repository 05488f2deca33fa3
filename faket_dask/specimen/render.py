"""Render blocks of y of density and labels.

The values of a voxel follow from the recipe, the table and the voxel's position in the whole volume, never
from the block that it is computed in: any blocking gives the same bytes. Objects are rendered in the order
of the table. Each displaces the ice, or the membrane that it sits in, as far as it fills a voxel.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.specimen import membrane
from faket_dask.specimen.ice import ice_texture
from faket_dask.specimen.particles import ParticleTable
from faket_dask.specimen.placement import membrane_surface
from faket_dask.specimen.recipe import FIDUCIAL, SHEET, VESICLE, Recipe
from faket_dask.specimen.sources import load_template

GOLD_V = 22.0
"""Mean inner potential of gold (about 26 V, Goswami & Jasuja 1992, and others) less that of ice.

Isolated neutral atoms give 29.8 V less 4.5 V; bonds in the metal lower it.
"""

_PROFILE_STEP_A = 0.25


@dataclass(frozen=True, eq=False)
class Block:
    """Density and labels of consecutive y slices, axes ``(z, y, x)``.

    Parameters
    ----------
    density
        float32, volts over vitreous ice; dense is positive.
    class_mask
        uint8, class ids, 0 background.
    instance_mask
        uint16, instance numbers, 0 background.
    """

    density: NDArray[np.float32]
    class_mask: NDArray[np.uint8]
    instance_mask: NDArray[np.uint16]


class _Canvas(NamedTuple):
    """Block that objects are added to, ``(z, y, x)``, and the edge of its voxels in Å."""

    density: NDArray[np.float32]
    class_mask: NDArray[np.uint8]
    instance_mask: NDArray[np.uint16]
    y_start: int
    voxel_A: float


class _Labels(NamedTuple):
    """Values of one object in the masks."""

    class_id: np.uint8
    instance: np.uint16


class _Particle(NamedTuple):
    """Template of a particle ``(z, y, x)``, and the rotation from the specimen to it."""

    to_particle: NDArray[np.float64]
    template: NDArray[np.float32]
    voxel_A: float
    level_V: float
    support_A: float


def render_block(recipe: Recipe, table: ParticleTable, y_start: int, y_stop: int) -> Block:
    """Render density and labels of the slices ``y_start <= y < y_stop``.

    Parameters
    ----------
    recipe
        Recipe that the table was drawn from.
    table
        Objects in the order of rendering.
    y_start, y_stop
        Slices of the volume, ``0 <= y_start < y_stop <= shape[1]``.

    Returns
    -------
    block
        Arrays of shape ``(z, y_stop - y_start, x)``.

    Raises
    ------
    InputError
        If the slices lie outside the volume, or the table names a class or a conformation that the recipe
        does not have.
    """
    depth, height, width = recipe.shape
    if not 0 <= y_start < y_stop <= height:
        raise InputError(f"slices {y_start} to {y_stop} are not within the specimen's {height} slices of y")
    shape = (depth, y_stop - y_start, width)
    if recipe.ice_texture > 0:
        density = ice_texture(shape, y_start, recipe.voxel_size_A, recipe.ice_texture, table.seed())
    else:
        density = np.zeros(shape, np.float32)
    if recipe.surroundings_V:
        density += np.float32(recipe.surroundings_V)
    block = Block(density, np.zeros(shape, np.uint8), np.zeros(shape, np.uint16))

    by_name = {species.name: species for species in recipe.species}
    # Loading a template looks at its file, which is once per block and not once per particle.
    load = cache(
        lambda name, variant: load_template(by_name[name], variant, recipe.voxel_size_A, recipe.sampling)
    )
    profile = membrane.bilayer_profile(recipe.sampling.blur * recipe.voxel_size_A, _PROFILE_STEP_A)
    canvas = _Canvas(block.density, block.class_mask, block.instance_mask, y_start, recipe.voxel_size_A)
    for row in range(len(table)):
        name = str(table.class_name[row])
        centre, radius = table.centre_A[row], float(table.radius_A[row])
        rotation, variant = table.rotation[row], int(table.variant[row])
        labels = _Labels(np.uint8(table.class_id[row]), np.uint16(table.instance[row]))
        if name in by_name:
            template = load(name, variant)
            particle = _Particle(
                np.ascontiguousarray(rotation.T),
                template.density,
                template.voxel_size_A,
                template.level_V,
                template.support_A,
            )
            if not _misses(centre[1], particle.support_A, recipe.voxel_size_A, y_start, y_stop):
                _add_particle(canvas, labels, centre, particle)
        elif (name == VESICLE and recipe.vesicles) or (name == SHEET and recipe.sheets):
            surface = membrane_surface(recipe, name, centre, rotation, radius, variant)
            reach = membrane.bounding_radius(surface) + len(profile) * _PROFILE_STEP_A
            if not _misses(centre[1], reach, recipe.voxel_size_A, y_start, y_stop):
                _add_membrane(canvas, labels, centre, reach, surface, profile)
        elif name == FIDUCIAL and recipe.fiducials:
            if not _misses(centre[1], radius + recipe.voxel_size_A, recipe.voxel_size_A, y_start, y_stop):
                _add_bead(canvas, labels, centre, radius)
        else:
            raise InputError(
                f"the particle table has a '{name}' that the specimen does not: it knows "
                f"{', '.join([*by_name, *recipe.class_ids])}"
            )
    return block


def _misses(y_A: float, reach_A: float, voxel_size_A: float, y_start: int, y_stop: int) -> bool:
    return (y_A + reach_A) < y_start * voxel_size_A or (y_A - reach_A) > (y_stop - 1) * voxel_size_A


@njit(cache=True, nogil=True)
def _first(position: float, reach: float) -> int:
    return max(0, int(np.ceil(position - reach)))


@njit(cache=True, nogil=True)
def _last(position: float, reach: float, count: int) -> int:
    return min(count - 1, int(np.floor(position + reach)))


@njit(cache=True, nogil=True)
def _add_particle(
    canvas: _Canvas,
    labels: _Labels,
    centre_A: NDArray[np.float64],
    particle: _Particle,
) -> None:
    """Add a particle: its template, interpolated linearly at each voxel turned into the particle's frame."""
    density, class_mask, instance_mask, y_start, voxel_A = canvas
    to_particle, template, template_voxel_A, level_V, support_A = particle
    depth, height, width = density.shape
    middle = template.shape[0] // 2
    last = template.shape[0] - 1
    cx, cy, cz = centre_A[0] / voxel_A, centre_A[1] / voxel_A, centre_A[2] / voxel_A
    reach = support_A / voxel_A
    matrix = to_particle * (voxel_A / template_voxel_A)
    for z in range(_first(cz, reach), _last(cz, reach, depth) + 1):
        dz = z - cz
        for y in range(
            max(y_start, _first(cy, reach)), min(y_start + height - 1, _last(cy, reach, 2**31)) + 1
        ):
            dy = y - cy
            rest = reach * reach - dz * dz - dy * dy
            if rest < 0:
                continue
            half = np.sqrt(rest)
            for x in range(_first(cx, half), _last(cx, half, width) + 1):
                dx = x - cx
                u = matrix[0, 0] * dx + matrix[0, 1] * dy + matrix[0, 2] * dz + middle
                v = matrix[1, 0] * dx + matrix[1, 1] * dy + matrix[1, 2] * dz + middle
                w = matrix[2, 0] * dx + matrix[2, 1] * dy + matrix[2, 2] * dz + middle
                if u < 0 or v < 0 or w < 0 or u >= last or v >= last or w >= last:
                    continue
                i, j, k = int(w), int(v), int(u)
                fw, fv, fu = w - i, v - j, u - k
                front = (1 - fv) * ((1 - fu) * template[i, j, k] + fu * template[i, j, k + 1]) + fv * (
                    (1 - fu) * template[i, j + 1, k] + fu * template[i, j + 1, k + 1]
                )
                back = (1 - fv) * ((1 - fu) * template[i + 1, j, k] + fu * template[i + 1, j, k + 1]) + fv * (
                    (1 - fu) * template[i + 1, j + 1, k] + fu * template[i + 1, j + 1, k + 1]
                )
                value = (1 - fw) * front + fw * back
                cover = min(1.0, max(0.0, 0.5 * value / level_V))
                here = y - y_start
                density[z, here, x] = density[z, here, x] * (1 - cover) + value
                if value >= level_V:
                    class_mask[z, here, x] = labels.class_id
                    instance_mask[z, here, x] = labels.instance


@njit(cache=True, nogil=True)
def _add_membrane(
    canvas: _Canvas,
    labels: _Labels,
    centre_A: NDArray[np.float64],
    reach_A: float,
    surface: NDArray[np.float64],
    profile: NDArray[np.float64],
) -> None:
    """Add a membrane: its profile at the distance of each voxel from the surface."""
    density, class_mask, instance_mask, y_start, voxel_A = canvas
    depth, height, width = density.shape
    cx, cy, cz = centre_A[0] / voxel_A, centre_A[1] / voxel_A, centre_A[2] / voxel_A
    reach = reach_A / voxel_A
    for z in range(_first(cz, reach), _last(cz, reach, depth) + 1):
        for y in range(
            max(y_start, _first(cy, reach)), min(y_start + height - 1, _last(cy, reach, 2**31)) + 1
        ):
            for x in range(_first(cx, reach), _last(cx, reach, width) + 1):
                distance = abs(membrane.surface_distance(surface, x * voxel_A, y * voxel_A, z * voxel_A))
                steps = distance / _PROFILE_STEP_A
                if steps >= profile.shape[0] - 1:
                    continue
                step = int(steps)
                value = profile[step] + (steps - step) * (profile[step + 1] - profile[step])
                cover = min(1.0, max(0.0, 0.5 + (membrane.HALF_THICKNESS_A - distance) / voxel_A))
                here = y - y_start
                density[z, here, x] = density[z, here, x] * (1 - cover) + value
                if distance <= membrane.HALF_THICKNESS_A:
                    class_mask[z, here, x] = labels.class_id
                    instance_mask[z, here, x] = labels.instance


@njit(cache=True, nogil=True)
def _add_bead(
    canvas: _Canvas,
    labels: _Labels,
    centre_A: NDArray[np.float64],
    radius_A: float,
) -> None:
    """Add a gold bead, its rim shared out to the voxels that it cuts."""
    density, class_mask, instance_mask, y_start, voxel_A = canvas
    depth, height, width = density.shape
    cx, cy, cz = centre_A[0] / voxel_A, centre_A[1] / voxel_A, centre_A[2] / voxel_A
    radius = radius_A / voxel_A
    reach = radius + 0.5
    for z in range(_first(cz, reach), _last(cz, reach, depth) + 1):
        for y in range(
            max(y_start, _first(cy, reach)), min(y_start + height - 1, _last(cy, reach, 2**31)) + 1
        ):
            for x in range(_first(cx, reach), _last(cx, reach, width) + 1):
                distance = np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2)
                cover = min(1.0, max(0.0, 0.5 + radius - distance))
                if cover > 0:
                    here = y - y_start
                    density[z, here, x] = density[z, here, x] * (1 - cover) + GOLD_V * cover
                    if distance <= radius:
                        class_mask[z, here, x] = labels.class_id
                        instance_mask[z, here, x] = labels.instance
