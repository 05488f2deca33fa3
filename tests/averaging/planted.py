"""Tomogram with copies of an asymmetric phantom in noise, seen through a missing wedge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.fft

from faket_dask.formats.mrc import write_volume
from faket_dask.kernels.matching.template_filter import is_direction_sampled
from faket_dask.kernels.matching.turning import turn_density
from faket_dask.specimen.orientation import uniform_rotations
from faket_dask.specimen.particles import ParticleTable, make_table
from faket_dask.specimen.sources import load_source
from faket_dask.specimen.template import Sampling

VOXEL_A = 25.0
EDGE = 20
TILTS = (-60.0, 60.0)


def phantom(rotation: np.ndarray | None = None, shift: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """Return the density of a coil in a box, moved by a shift ``(x, y, z)`` in voxels."""
    template = load_source("coil", VOXEL_A, Sampling.AVERAGED, mean_potential_V=1.0)
    turned = np.eye(3) if rotation is None else rotation
    density = turn_density(
        template.density, np.ascontiguousarray(turned.T), VOXEL_A / template.voxel_size_A, EDGE
    )
    full, half = np.fft.fftfreq(EDGE), np.fft.rfftfreq(EDGE)
    turns = full[:, None, None] * shift[2] + full[None, :, None] * shift[1] + half * shift[0]
    return scipy.fft.irfftn(scipy.fft.rfftn(density) * np.exp(-2j * np.pi * turns), density.shape)


def see_through_wedge(volume: np.ndarray) -> np.ndarray:
    """Remove what tilts of up to 60° do not measure."""
    kz, kx = np.fft.fftfreq(volume.shape[0])[:, None, None], np.fft.rfftfreq(volume.shape[2])
    return scipy.fft.irfftn(
        scipy.fft.rfftn(volume) * is_direction_sampled(kz, kx, TILTS), volume.shape
    ).astype(np.float32)


def plant(count: int, signal: float = 1.0, seed: int = 0) -> tuple[np.ndarray, ParticleTable]:
    """Return a tomogram ``(z, y, x)``, dense dark, with coils in cells of one box each, and a table of their places."""
    rng = np.random.default_rng(seed)
    rotations = uniform_rotations(count, rng)
    columns = int(np.ceil(np.sqrt(count)))
    volume = np.zeros((EDGE, columns * EDGE, columns * EDGE))
    centres = []
    for number, rotation in enumerate(rotations):
        row, column = divmod(number, columns)
        cell = np.s_[:, row * EDGE : (row + 1) * EDGE, column * EDGE : (column + 1) * EDGE]
        shift = rng.uniform(-0.5, 0.5, 3)
        volume[cell] = signal * phantom(rotation, tuple(shift))
        centres.append([column * EDGE + EDGE // 2, row * EDGE + EDGE // 2, EDGE // 2])
    volume += rng.normal(0, phantom().std(), volume.shape)
    table = make_table(["coil"] * count, [1] * count, np.array(centres) * VOXEL_A, rotations)
    return -see_through_wedge(volume), table


def write_tomogram(path: Path, volume: np.ndarray) -> Path:
    """Write a tomogram with its voxel size."""
    write_volume(path, volume.astype(np.float32), VOXEL_A)
    return path
