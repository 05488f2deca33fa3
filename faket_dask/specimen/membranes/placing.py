"""Places of organelles in a specimen."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.class_names import OUTSIDE
from faket_dask.specimen.membranes.part import Part, PlacedSurface
from faket_dask.specimen.membranes.rendering import (
    BILAYER,
    LUMEN,
    Box,
    Pose,
    bounding_box,
    clip_box,
    sort_voxels,
)
from faket_dask.specimen.occupancy import Position
from faket_dask.specimen.orientation import rotation_about_z, uniform_rotations
from faket_dask.specimen.particles import Row
from faket_dask.specimen.scene import Scene
from faket_dask.specimen.shape import Shape, VoxelMask, draw_fraction

_ROTATIONS = 30
_CUT_PLACES = 400
_PROBES = 2000
"""Points of a surface that are looked up before all of its voxels are."""


class Freedom(NamedTuple):
    """Freedom of an organelle: to reach beyond the volume, and not to be turned but about z."""

    may_be_cut: bool
    lies_flat: bool


def place_organelle(scene: Scene, row: Row, parts: tuple[Part, ...], half_A: float, freedom: Freedom) -> bool:
    """Find room for an organelle outside of all others, and add its membranes and compartments.

    Parameters
    ----------
    scene
        Specimen to add to.
    row
        Row of the particle table that holds for all membranes but for centre, rotation, state and parent.
    parts
        Membranes, outer ones before those within them.
    half_A
        Half of the bilayer's thickness in Å.
    freedom
        Places and rotations that are allowed; the centre lies within the volume in any case.

    Returns
    -------
    is_placed
        False if there is no room.
    """
    if freedom.may_be_cut:
        return _place_cut(scene, row, parts, half_A, freedom.lies_flat)
    if freedom.lies_flat:
        rotation = rotation_about_z(scene.rng.uniform(0, 2 * np.pi))
    else:
        rotation = _draw_fitting_rotation(scene, parts, half_A)
    fraction = draw_fraction(scene.rng)
    voxel_A = scene.grid.voxel_size_A
    labels = []
    for part in parts:
        pose = part.pose(fraction * voxel_A, rotation)
        labels.append(
            _part_voxels(part, pose, bounding_box(part.surface.grid, pose, voxel_A), voxel_A, half_A)
        )
    solid = Shape(np.concatenate([voxels for pair in labels for voxels in pair]), fraction)
    position = scene.occupancy.find_position(solid, scene.rng, scene.region([OUTSIDE]))
    if position is None:
        return False
    centre_A = solid.centre_A(position, voxel_A)
    _add_parts(scene, replace(row, centre_A=centre_A, rotation=rotation), parts, labels, position, fraction)
    return True


def _place_cut(scene: Scene, row: Row, parts: tuple[Part, ...], half_A: float, lies_flat: bool) -> bool:
    """Try places whose centre lies in the volume; voxels are claimed there and in the margin of the occupancy."""
    voxel_A = scene.grid.voxel_size_A
    first = -scene.occupancy.margin
    last = np.array(scene.grid.shape) - 1 - first
    region = scene.region([OUTSIDE])
    extent_A = np.array(scene.grid.extent_A)
    for _ in range(_CUT_PLACES):
        if lies_flat:
            rotation = rotation_about_z(scene.rng.uniform(0, 2 * np.pi))
        else:
            rotation = uniform_rotations(1, scene.rng)[0]
        centre_A = scene.rng.uniform(0.0, extent_A)
        if not all(
            scene.occupancy.may_have(_thin_out(part, part.pose(centre_A, rotation), voxel_A), region)
            for part in parts
        ):
            continue
        masks: list[tuple[Part, VoxelMask, VoxelMask]] = []
        for part in parts:
            pose = part.pose(centre_A, rotation)
            box = clip_box(bounding_box(part.surface.grid, pose, voxel_A), first, last)
            if (box.low > box.high).any():
                continue
            side = sort_voxels(part.surface.grid, pose, part.surface.is_closed, box, voxel_A, half_A)
            bilayer = VoxelMask(box.low, side == BILAYER)
            if not scene.occupancy.fits_mask(VoxelMask(box.low, side != 0), region):
                masks = []
                break
            if scene.occupancy.shown_mask_share(bilayer) > 0:
                masks.append((part, bilayer, VoxelMask(box.low, side == LUMEN)))
        if not masks:
            continue
        parent = 0
        for part, bilayer, lumen in masks:
            pose = part.pose(centre_A, rotation)
            own = replace(
                row,
                centre_A=pose.centre_A,
                rotation=rotation,
                state=part.name,
                parent=parent,
                is_cut=_reaches_beyond(part, pose, extent_A),
            )
            number = scene.add_cut_surface(
                own, bilayer, PlacedSurface(part.surface, pose, scene.contains_points)
            )
            parent = parent or number
            scene.add_cut_compartment(_name_compartment(row, part), lumen)
        return True
    return False


def _thin_out(part: Part, pose: Pose, voxel_A: float) -> NDArray[np.int64]:
    """Return the voxels ``(n, 3)``, ``(z, y, x)``, of some points of a surface."""
    points = part.surface.points_A[:: max(1, len(part.surface.points_A) // _PROBES)]
    return np.rint((pose.centre_A + points @ pose.to_surface) / voxel_A)[:, ::-1].astype(np.int64)


def _reaches_beyond(part: Part, pose: Pose, extent_A: NDArray[np.float64]) -> bool:
    """Tell whether a surface reaches beyond the volume."""
    points = pose.centre_A + part.surface.points_A @ pose.to_surface
    return bool((points < 0).any() or (points > extent_A).any())


def _name_compartment(row: Row, part: Part) -> tuple[str, ...]:
    """Return the names of what a part encloses."""
    return (row.class_name, f"{row.class_name}.{part.name}") if part.name else (row.class_name,)


def _add_parts(
    scene: Scene,
    row: Row,
    parts: tuple[Part, ...],
    labels: list[tuple[NDArray[np.int32], NDArray[np.int32]]],
    position: Position,
    fraction: NDArray[np.float64],
) -> None:
    last = np.array(scene.grid.extent_A)
    first = 0
    for part, (bilayer, lumen) in zip(parts, labels, strict=True):
        pose = part.pose(row.centre_A, row.rotation)
        is_cut = _reaches_beyond(part, pose, last)
        own = replace(row, centre_A=pose.centre_A, state=part.name, parent=first, is_cut=is_cut)
        surface = PlacedSurface(part.surface, pose, scene.contains_points)
        number = scene.add_surface(own, Shape(bilayer, fraction), position, surface)
        first = first or number
        if len(lumen):
            scene.add_compartment(_name_compartment(row, part), Shape(lumen, fraction), position)


def _draw_fitting_rotation(scene: Scene, parts: tuple[Part, ...], half_A: float) -> NDArray[np.float64]:
    """Draw a rotation in which the parts fit into the volume, about the z axis alone if others hardly do."""
    points = np.concatenate([part.surface.points_A[::7] + part.place_A for part in parts])
    room = np.array(scene.grid.extent_A) - 2 * (half_A + scene.grid.voxel_size_A)
    for rotation in uniform_rotations(_ROTATIONS, scene.rng):
        if (np.ptp(points @ rotation.T, axis=0) <= room).all():
            return rotation
    for angle in scene.rng.uniform(0, 2 * np.pi, _ROTATIONS):
        rotation = rotation_about_z(angle)
        if (np.ptp(points @ rotation.T, axis=0) <= room).all():
            return rotation
    return np.eye(3)


def _part_voxels(
    part: Part, pose: Pose, box: Box, voxel_A: float, half_A: float
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Find the voxels ``(n, 3)``, ``(z, y, x)``, of a membrane's label and those that it encloses."""
    if (box.low > box.high).any():
        return np.empty((0, 3), np.int32), np.empty((0, 3), np.int32)
    side = sort_voxels(part.surface.grid, pose, part.surface.is_closed, box, voxel_A, half_A)
    bilayer, lumen = (
        np.argwhere(side == value).astype(np.int32) + box.low.astype(np.int32) for value in (BILAYER, LUMEN)
    )
    return bilayer, lumen
