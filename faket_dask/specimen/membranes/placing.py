"""Places of organelles in a specimen."""

from __future__ import annotations

from dataclasses import replace

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
from faket_dask.specimen.orientation import uniform_rotations
from faket_dask.specimen.particles import Row
from faket_dask.specimen.scene import Scene
from faket_dask.specimen.shape import Shape, draw_fraction, split_position

_ROTATIONS = 30
_CUT_PLACES = 100


def place_organelle(scene: Scene, row: Row, parts: tuple[Part, ...], half_A: float, may_be_cut: bool) -> bool:
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
    may_be_cut
        True if a part of the organelle may lie outside the volume; its centre lies within.

    Returns
    -------
    is_placed
        False if there is no room.
    """
    if may_be_cut:
        return _place_cut(scene, row, parts, half_A)
    rotation = _draw_fitting_rotation(scene, parts, half_A)
    fraction = draw_fraction(scene.rng)
    voxel_A = scene.grid.voxel_size_A
    labels = []
    for part in parts:
        pose = part.pose(fraction * voxel_A, rotation)
        labels.append(
            _part_voxels(part, pose, bounding_box(part.surface.grid, pose, voxel_A), voxel_A, half_A)
        )
    solid = Shape(_unite([voxels for pair in labels for voxels in pair]), fraction)
    position = scene.occupancy.find_position(solid, scene.rng, scene.region([OUTSIDE]))
    if position is None:
        return False
    centre_A = solid.centre_A(position, voxel_A)
    _add_parts(scene, replace(row, centre_A=centre_A, rotation=rotation), parts, labels, position, fraction)
    return True


def _place_cut(scene: Scene, row: Row, parts: tuple[Part, ...], half_A: float) -> bool:
    """Try places whose centre lies in the volume; voxels are claimed there and in the margin of the occupancy."""
    voxel_A = scene.grid.voxel_size_A
    first = -scene.occupancy.margin
    last = np.array(scene.grid.shape) - 1 - first
    region = scene.region([OUTSIDE])
    for _ in range(_CUT_PLACES):
        rotation = uniform_rotations(1, scene.rng)[0]
        centre_A = scene.rng.uniform(0.0, scene.grid.extent_A)
        position, fraction = split_position(centre_A, voxel_A)
        labels = []
        for part in parts:
            pose = part.pose(centre_A, rotation)
            box = clip_box(bounding_box(part.surface.grid, pose, voxel_A), first, last)
            bilayer, lumen = (
                voxels[scene.occupancy.find_reachable(voxels)] - np.array(position, np.int32)
                for voxels in _part_voxels(part, pose, box, voxel_A, half_A)
            )
            labels.append((bilayer, lumen))
        solid = Shape(_unite([voxels for pair in labels for voxels in pair]), fraction)
        shown = [
            index
            for index, (bilayer, _) in enumerate(labels)
            if len(bilayer) and scene.occupancy.shown_share(Shape(bilayer, fraction), position) > 0
        ]
        if not shown or not scene.occupancy.fits(solid, position, region):
            continue
        row = replace(row, centre_A=centre_A, rotation=rotation)
        parts = tuple(parts[index] for index in shown)
        _add_parts(scene, row, parts, [labels[index] for index in shown], position, fraction)
        return True
    return False


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
        points = pose.centre_A + part.surface.points_A @ pose.to_surface
        is_cut = bool((points < 0).any() or (points > last).any())
        own = replace(row, centre_A=pose.centre_A, state=part.name, parent=first, is_cut=is_cut)
        surface = PlacedSurface(part.surface, pose)
        number = scene.add_surface(own, Shape(bilayer, fraction), position, surface)
        first = first or number
        if len(lumen):
            names = (row.class_name, f"{row.class_name}.{part.name}") if part.name else (row.class_name,)
            scene.add_compartment(names, Shape(lumen, fraction), position)


def _draw_fitting_rotation(scene: Scene, parts: tuple[Part, ...], half_A: float) -> NDArray[np.float64]:
    """Draw a rotation in which the parts fit into the volume, about the z axis alone if others hardly do."""
    points = np.concatenate([part.surface.points_A[::7] + part.place_A for part in parts])
    room = np.array(scene.grid.extent_A) - 2 * (half_A + scene.grid.voxel_size_A)
    for rotation in uniform_rotations(_ROTATIONS, scene.rng):
        if (np.ptp(points @ rotation.T, axis=0) <= room).all():
            return rotation
    for angle in scene.rng.uniform(0, 2 * np.pi, _ROTATIONS):
        cosine, sine = np.cos(angle), np.sin(angle)
        rotation = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
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


def _unite(voxels: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    """Return each voxel ``(n, 3)`` of several lists; those that two lists share may be repeated."""
    return np.ascontiguousarray(np.concatenate(voxels))
