"""Loops over voxels that sort them by a surface, or add the bilayer about it to a block."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from faket_dask.specimen.canvas import Canvas
from faket_dask.specimen.surfaces.bilayer import PROFILE_STEP_A
from faket_dask.specimen.surfaces.surface import Grid, grid_distance

BILAYER = 1
LUMEN = 2


class Pose(NamedTuple):
    """Centre ``(x, y, z)`` of a surface's frame in Å and the rotation ``(3, 3)`` from the specimen to it."""

    centre_A: NDArray[np.float64]
    to_surface: NDArray[np.float64]


class Box(NamedTuple):
    """Voxels ``(z, y, x)`` from the lowest on, both included."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]


def bounding_box(grid: Grid, pose: Pose, voxel_A: float) -> Box:
    """Return the voxels of a volume without end that a surface's grid covers."""
    size = np.array(grid.coefficients.shape[::-1]) - 1
    middle = grid.origin_A + 0.5 * size * grid.spacing_A
    centre = pose.centre_A + pose.to_surface.T @ middle
    half = np.abs(pose.to_surface.T) @ (0.5 * size * grid.spacing_A)
    low, high = np.floor((centre - half) / voxel_A), np.ceil((centre + half) / voxel_A)
    return Box(low[::-1].astype(np.int64), high[::-1].astype(np.int64))


def clip_box(box: Box, low: NDArray[np.int64], high: NDArray[np.int64]) -> Box:
    """Return the part of a box between two voxels ``(z, y, x)``, both included."""
    return Box(np.maximum(box.low, low), np.minimum(box.high, high))


@njit(cache=True, nogil=True)
def _distance(grid: Grid, pose: Pose, x: float, y: float, z: float, reach: float) -> float:
    """Compute the signed distance of a point of the specimen; only its sign is right beyond the reach."""
    centre, turn = pose
    dx, dy, dz = x - centre[0], y - centre[1], z - centre[2]
    u = turn[0, 0] * dx + turn[0, 1] * dy + turn[0, 2] * dz
    v = turn[1, 0] * dx + turn[1, 1] * dy + turn[1, 2] * dz
    w = turn[2, 0] * dx + turn[2, 1] * dy + turn[2, 2] * dz
    coefficients, origin, spacing, _ = grid
    depth, height, width = coefficients.shape
    i = int(np.floor((u - origin[0]) / spacing + 0.5))
    j = int(np.floor((v - origin[1]) / spacing + 0.5))
    k = int(np.floor((w - origin[2]) / spacing + 0.5))
    if i < 0 or j < 0 or k < 0 or i >= width or j >= height or k >= depth:
        return np.inf
    # A point is within 0.87 spacings of a node, whose coefficient is close to its value.
    near = coefficients[k, j, i]
    if abs(near) > reach + 1.5 * spacing:
        return near
    return grid_distance(grid, u, v, w)


@njit(cache=True, nogil=True)
def sort_voxels(
    grid: Grid, pose: Pose, is_closed: bool, box: Box, voxel_A: float, half_A: float
) -> NDArray[np.uint8]:
    """Sort the voxels of a box: `BILAYER` about a surface, `LUMEN` enclosed by it, 0 elsewhere.

    Parameters
    ----------
    grid, pose, is_closed
        Surface.
    box
        Voxels.
    voxel_A
        Edge of a voxel in Å.
    half_A
        Half of the bilayer's thickness in Å.

    Returns
    -------
    side
        ``(z, y, x)`` uint8 of the box.
    """
    low, high = box
    side = np.zeros((high[0] - low[0] + 1, high[1] - low[1] + 1, high[2] - low[2] + 1), np.uint8)
    for z in range(low[0], high[0] + 1):
        for y in range(low[1], high[1] + 1):
            for x in range(low[2], high[2] + 1):
                distance = _distance(grid, pose, x * voxel_A, y * voxel_A, z * voxel_A, half_A)
                if abs(distance) <= half_A:
                    side[z - low[0], y - low[1], x - low[2]] = 1
                elif distance < 0 and is_closed:
                    side[z - low[0], y - low[1], x - low[2]] = 2
    return side


@njit(cache=True, nogil=True)
def add_bilayer(
    canvas: Canvas,
    grid: Grid,
    pose: Pose,
    box: Box,
    profile: NDArray[np.float64],
    half_A: float,
) -> None:
    """Add a bilayer: its profile at the distance of each voxel from the surface.

    Parameters
    ----------
    canvas
        Block to add to.
    grid, pose
        Surface.
    box
        Voxels of the whole volume, within the block.
    profile
        As `faket_dask.specimen.surfaces.bilayer.Bilayer.profile` returns it.
    half_A
        Half of the thickness in Å that is labelled.
    """
    density, class_mask, instance_mask, y_start, voxel_A, labels = canvas
    low, high = box
    reach = (profile.shape[0] - 1) * PROFILE_STEP_A
    for z in range(low[0], high[0] + 1):
        for y in range(low[1], high[1] + 1):
            for x in range(low[2], high[2] + 1):
                distance = abs(_distance(grid, pose, x * voxel_A, y * voxel_A, z * voxel_A, reach))
                if distance >= reach:
                    continue
                steps = distance / PROFILE_STEP_A
                step = int(steps)
                value = profile[step] + (steps - step) * (profile[step + 1] - profile[step])
                cover = min(1.0, max(0.0, 0.5 + (half_A - distance) / voxel_A))
                here = y - y_start
                density[z, here, x] = density[z, here, x] * (1 - cover) + value
                if distance <= half_A:
                    class_mask[z, here, x] = labels.class_id
                    instance_mask[z, here, x] = labels.instance
