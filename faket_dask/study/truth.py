"""True particles of a tomogram, on its voxels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.config.training import DatasetTomograms, ShrecTomograms, Tomograms
from faket_dask.dataset.dataset import open_dataset
from faket_dask.dataset.grids import tomogram_grid
from faket_dask.dataset.modality_stores import owning_item
from faket_dask.dataset.tomograms import Tomogram
from faket_dask.engine.arrays import open_array
from faket_dask.errors import InputError
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.formats.shrec import read_model, valid_layers
from faket_dask.pickers.chunk_cache import ChunkCache
from faket_dask.pickers.sources import open_tomograms
from faket_dask.scoring.picks import Picks
from faket_dask.specimen.particles import read_particles


@dataclass(frozen=True, eq=False)
class Truth:
    """Particles of one tomogram.

    Parameters
    ----------
    picks
        Places ``(x, y, z)`` in voxels of the tomogram, and labels of classes.
    class_ids
        Label of each class by name.
    voxel_size_A
        Edge of a voxel.
    """

    picks: Picks
    class_ids: Mapping[str, int]
    voxel_size_A: float


@dataclass(frozen=True, eq=False)
class Instances:
    """Voxels of particles.

    Parameters
    ----------
    picks
        Places and labels of the particles; row k is the instance k + 1.
    occupancy
        ``(z, y, x)`` instance of each voxel of the tomogram, 0 for none.
    """

    picks: Picks
    occupancy: NDArray[np.int64]


def read_truth(source: Tomograms) -> Truth:
    """Read the particles that are centred in a tomogram.

    Parameters
    ----------
    source
        Source that has one tomogram.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    [tomogram] = open_tomograms([source], ChunkCache())
    return Truth(
        Picks(np.asarray(tomogram.centre, dtype=np.float64)[:, ::-1], tomogram.class_id),
        tomogram.class_ids,
        tomogram.voxel_size_A,
    )


def read_instances(source: Tomograms) -> Instances:
    """Read the voxels of the particles that are centred in a tomogram.

    Parameters
    ----------
    source
        Source that has one tomogram.

    Raises
    ------
    InputError
        If it has no mask of instances.
    """
    if isinstance(source, DatasetTomograms):
        return _read_dataset_instances(source)
    return _read_shrec_instances(source)


def _read_dataset_instances(source: DatasetTomograms) -> Instances:
    assert source.series is not None
    spec = open_dataset(source.folder).spec
    series = spec.series_by_name[source.series[0]]
    tomogram = Tomogram(spec, owning_item(series, source.modality), source.modality)
    grid = tomogram_grid(tomogram)
    table = grid.particles(read_particles(spec.folder.particles(tomogram.specimen)))
    mask = grid.sample(open_array(spec.folder.volume(tomogram.specimen), "instance_mask", "r"))
    positions = table.centre_A / grid.voxel_size_A
    return _number_anew(mask, table.instance, Picks(positions, table.class_id))


def _read_shrec_instances(source: ShrecTomograms) -> Instances:
    [folder] = source.folders
    model = read_model(folder, voxel_size_A=source.voxel_size_A)
    mask = model.volumes.get("occupancy_mask")
    if mask is None:
        raise InputError(f"{folder} has no occupancy_mask.mrc, by which shrec2021 scores; copy it there")
    layers = valid_layers(mask.shape[0]) if source.crop else slice(0, mask.shape[0])
    voxel = source.voxel_size_A or mask.voxel_size_A
    positions = model.particles.centre_A / voxel - (0, 0, layers.start)
    kept = np.array([mask.shape[2], mask.shape[1], layers.stop - layers.start])
    inside = ((positions >= -0.5) & (positions < kept - 0.5)).all(axis=1)
    picks = Picks(positions[inside], model.particles.class_id[inside])
    whole = np.asarray(mask[(layers, slice(0, mask.shape[1]), slice(0, mask.shape[2]))])
    return _number_anew(whole, model.particles.instance[inside], picks)


def _number_anew(mask: ArrayLike3D, instance: NDArray[np.int64], picks: Picks) -> Instances:
    """Number instances by the first row of each; those without a row become background."""
    own, first = np.unique(instance, return_index=True)
    order = np.argsort(first)
    own, first = own[order], first[order]
    occupancy = np.asarray(mask[tuple(slice(0, size) for size in mask.shape)]).astype(np.int64)
    numbers = np.zeros(max(int(occupancy.max(initial=0)), int(own.max(initial=0))) + 1, dtype=np.int64)
    numbers[own] = np.arange(1, own.size + 1)
    return Instances(picks.select(first), numbers[occupancy])
