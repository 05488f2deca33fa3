"""Instance masks in which hollow particles are filled, for programs that look a particle up at its centre."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.specimen.particles import ParticleTable


def fill_hollows(instances: ArrayLike3D, table: ParticleTable, voxel_size_A: float) -> ArrayLike3D:
    """Return an instance mask in which the empty voxel at each particle's centre, and those around it, are its own.

    A ball about the centre grows up to the particle's nearest voxel; voxels of other particles stay as they are.

    Parameters
    ----------
    instances
        ``(z, y, x)`` instance numbers, 0 where there is none; read in boxes around the centres, and where the
        result is sliced.
    table
        Particles centred in the volume, in Å from the centre of its corner voxel.
    voxel_size_A
        Edge of a voxel in Å.

    Examples
    --------
    >>> from faket_dask.specimen.particles import Row, particle_table
    >>> shell = np.zeros((1, 1, 7), dtype=np.uint16)
    >>> shell[..., [1, 5]] = 1
    >>> table = particle_table([Row("vesicle", 1, np.array([30.0, 0.0, 0.0]), np.eye(3), 25.0, 0)])
    >>> fill_hollows(shell, table, 10.0)[:, :, :]
    array([[[0, 1, 1, 1, 1, 1, 0]]], dtype=uint16)
    """
    balls = sorted(_find_balls(instances, table, voxel_size_A), key=lambda ball: -ball.radius)
    return _Filled(instances, tuple(balls))


@dataclass(frozen=True)
class _Ball:
    """Voxels within `radius` of a centre ``(z, y, x)``, for one instance."""

    centre: tuple[int, int, int]
    radius: float
    instance: int


def _find_balls(instances: ArrayLike3D, table: ParticleTable, voxel_size_A: float) -> Iterator[_Ball]:
    for row, centre_A in enumerate(table.centre_A):
        z, y, x = (int(value) for value in np.rint(centre_A[::-1] / voxel_size_A))
        reach = int(np.ceil(table.radius_A[row] / voxel_size_A)) + 1
        if not table.radius_A[row]:  # a list of centres alone does not say how large they are
            reach = max(instances.shape)
        low = [max(0, place - reach) for place in (z, y, x)]
        box = np.asarray(
            instances[tuple(slice(a, p + reach + 1) for a, p in zip(low, (z, y, x), strict=True))]
        )
        if box[z - low[0], y - low[1], x - low[2]]:
            continue
        own = np.argwhere(box == table.instance[row]) + low - (z, y, x)
        radius = float(np.sqrt((own**2).sum(axis=1)).min()) if len(own) else 0.0
        yield _Ball((z, y, x), radius, int(table.instance[row]))


@dataclass(frozen=True)
class _Filled:
    instances: ArrayLike3D
    balls: tuple[_Ball, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.instances.shape

    @property
    def dtype(self) -> Any:
        return self.instances.dtype

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[Any]:
        block = np.array(self.instances[key])
        empty = block == 0
        starts = [part.indices(size)[0] for part, size in zip(key, self.shape, strict=True)]
        for ball in self.balls:
            reach = int(ball.radius)
            first = [centre - start - reach for centre, start in zip(ball.centre, starts, strict=True)]
            box = tuple(slice(max(0, a), max(0, a + 2 * reach + 1)) for a in first)
            z, y, x = (
                np.arange(part.start, min(part.stop, size)) - a - reach
                for part, a, size in zip(box, first, block.shape, strict=True)
            )
            inside = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 <= ball.radius**2
            block[box] = np.where(inside & empty[box], ball.instance, block[box])
        return block
