"""Filaments as voxels: the subunits of some centre lines, each with its shape in the masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.specimen.filaments.poses import SubunitPoses
from faket_dask.specimen.occupancy import Position
from faket_dask.specimen.shape import Shape, split_position
from faket_dask.specimen.template import Template
from faket_dask.specimen.template_voxels import particle_shape

_KEY_BITS = 20
_KEY_ORIGIN = 1 << 19
"""Bits of a voxel's place along an axis in its key, and the key of place 0."""


@dataclass(frozen=True, eq=False)
class Solid:
    """Subunits of one filament with the voxels that they have in the masks.

    Parameters
    ----------
    poses
        Poses of the subunits.
    shapes
        Shape of each.
    positions
        Voxel ``(z, y, x)`` of each centre.
    """

    poses: SubunitPoses
    shapes: list[Shape]
    positions: list[Position]

    def voxels(self) -> NDArray[np.int64]:
        """Return the voxels ``(n, 3)``, ``(z, y, x)``, of all subunits, each once."""
        keys = self.keys()
        mask = (1 << _KEY_BITS) - 1
        return np.stack((keys >> 2 * _KEY_BITS, keys >> _KEY_BITS & mask, keys & mask), axis=1) - _KEY_ORIGIN

    def keys(self) -> NDArray[np.int64]:
        """Return one sorted number ``(n,)`` for each voxel of `voxels`, which is faster to compare than three."""
        parts = [
            shape.voxels.astype(np.int64) + np.array(position)
            for shape, position in zip(self.shapes, self.positions, strict=True)
        ]
        z, y, x = (np.concatenate(parts) if parts else np.zeros((0, 3), np.int64)).T + _KEY_ORIGIN
        return np.unique((z << 2 * _KEY_BITS) + (y << _KEY_BITS) + x)

    def select(self, kept: NDArray[np.bool_]) -> Solid:
        """Return the filament of some of the subunits."""
        numbers = np.flatnonzero(kept)
        return Solid(
            self.poses.select(kept), [self.shapes[i] for i in numbers], [self.positions[i] for i in numbers]
        )

    def move(self, by: Position, voxel_size_A: float) -> Solid:
        """Return the filament moved by whole voxels ``(z, y, x)``, which leaves its shapes as they are."""
        step = np.array(by)
        poses = SubunitPoses(
            self.poses.centre_A + step[::-1] * voxel_size_A, self.poses.rotation, self.poses.strand
        )
        positions = [(z + by[0], y + by[1], x + by[2]) for z, y, x in self.positions]
        return Solid(poses, self.shapes, positions)


def make_solid(poses: SubunitPoses, template: Template, voxel_size_A: float) -> Solid:
    """Find the shapes of a filament's subunits.

    Parameters
    ----------
    poses
        Poses of the subunits.
    template
        Density of a subunit.
    voxel_size_A
        Edge of the specimen's voxels in Å.

    Raises
    ------
    InputError
        If a subunit is too small to have voxels in the masks.
    """
    shapes, positions = [], []
    for centre, rotation in zip(poses.centre_A, poses.rotation, strict=True):
        position, fraction = split_position(centre, voxel_size_A)
        shapes.append(particle_shape(template, rotation, fraction, voxel_size_A))
        positions.append(position)
    return Solid(poses, shapes, positions)


def are_apart(solids: list[Solid]) -> bool:
    """Tell whether no two filaments share a voxel."""
    if len(solids) < 2:
        return True
    together = np.concatenate([solid.keys() for solid in solids])
    return len(np.unique(together)) == len(together)
