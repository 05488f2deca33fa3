"""Particles of an average: those of a table whose boxes lie in a tomogram."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.interchange.importers.particles import ParticleOptions, import_particles, list_options
from faket_dask.pipeline.tomogram_source import GivenTomogram
from faket_dask.specimen.particles import ParticleTable, read_particles
from faket_dask.stages.averaging import LEAST_PARTICLES, is_whole

LARGEST_SHARE_OUTSIDE = 0.2
"""Share of the picks outside of the tomogram above which they are of another one."""


@dataclass(frozen=True, eq=False)
class ParticlesInTomogram:
    """Particles whose boxes lie within a tomogram.

    Parameters
    ----------
    table
        Particles.
    voxel
        ``(n, 3)`` voxels ``(z, y, x)`` nearest to them.
    offset
        ``(n, 3)`` voxels ``(x, y, z)`` from there to the particles.
    """

    table: ParticleTable
    voxel: NDArray[np.intp]
    offset: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.table)


def read_picks(path: Path, voxel_size_A: float, name: str | None = None) -> ParticleTable:
    """Read a particle table, or another program's list.

    Parameters
    ----------
    path
        Particle table (``.csv``), or a list that `faket_dask.interchange.importers.particles` reads.
    voxel_size_A
        Edge of the tomogram's voxels in Å, for lists in voxels.
    name
        Class of a particle table; tomogram of a list that has several.

    Raises
    ------
    InputError
        If it cannot be read, or has no particles of that name.
    """
    if path.suffix == ".csv":
        table = read_particles(path)
        if name is None:
            return table
        if name not in table.class_name:
            known = ", ".join(table.counts()) or "none"
            raise InputError(f"{path} has no particles of the class {name}; its classes are {known} (--name)")
        return table.select(table.class_name == name)
    needed = list_options(path)
    return import_particles(
        path,
        ParticleOptions(
            name=name if "name" in needed else None,
            voxel_size_A=voxel_size_A if "voxel_size_A" in needed else None,
        ),
    )


def choose_particles(table: ParticleTable, source: GivenTomogram, edge: int) -> ParticlesInTomogram:
    """Choose the particles whose boxes lie within a tomogram, and warn of the others.

    Parameters
    ----------
    table
        Particles.
    source
        Tomogram.
    edge
        Voxels along an edge of a box.

    Raises
    ------
    InputError
        If more than a fifth lie outside of the tomogram, or too few are left.
    """
    origin_A = source.locate(np.zeros((1, 3), np.intp))[0]
    place = (table.centre_A - origin_A) / source.voxel_size_A
    size = np.array(source.shape[::-1])
    outside = ((place < -0.5) | (place > size - 0.5)).any(axis=1)
    if outside.mean() > LARGEST_SHARE_OUTSIDE if len(table) else False:
        row = int(np.argmax(outside))
        raise InputError(
            f"{np.count_nonzero(outside)} of {len(table)} particles lie outside of {source.title}, the first in row "
            f"{row + 1} at {_format(table.centre_A[row])} Å (x, y, z), and the tomogram reaches from "
            f"{_format(origin_A)} to {_format(origin_A + (size - 1) * source.voxel_size_A)} Å: take the particles of "
            "this tomogram, or check its voxel size"
        )
    nearest = np.rint(np.clip(place, -1e9, 1e9)).astype(np.intp)
    whole = is_whole(nearest[:, ::-1], edge, source.shape)
    left_out = int(np.count_nonzero(~whole))
    if np.count_nonzero(whole) < LEAST_PARTICLES:
        why = f" ({left_out} more are nearer to its faces than half a box)" if left_out else ""
        raise InputError(
            f"{np.count_nonzero(whole)} particles lie within {source.title} with their boxes{why}; two half-sets need "
            f"{LEAST_PARTICLES}: pick more, or take a smaller --box-A"
        )
    if left_out:
        warnings.warn(
            f"{left_out} of {len(table)} particles are nearer to the faces of {source.title} than half a box, or "
            "outside of it, and are left out",
            stacklevel=3,
        )
    return ParticlesInTomogram(
        table.select(whole), np.ascontiguousarray(nearest[whole][:, ::-1]), (place - nearest)[whole]
    )


def _format(place_A: NDArray[np.float64]) -> str:
    return ", ".join(f"{number:.0f}" for number in place_A)
