"""Labelled tomograms in folders of the SHREC 2021 data set."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from faket_dask.config.training import ShrecTomograms
from faket_dask.dataset.grids import Grid
from faket_dask.errors import InputError
from faket_dask.formats.mrc import MrcVolume
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.formats.shrec import ShrecModel, read_model, valid_layers
from faket_dask.pickers.training_tomogram import TrainingTomogram


def open_shrec_tomograms(section: ShrecTomograms) -> list[TrainingTomogram]:
    """Open reconstructions with their class masks and particles, in the layers that the specimens fill.

    Centres are given in the frame of the layers that are kept, as the voxels are.

    Parameters
    ----------
    section
        Folders of the layout.

    Raises
    ------
    InputError
        If a folder lacks a file, or the reconstruction and the class mask differ in shape.
    """
    return [_open_model(folder, section) for folder in section.folders]


def fingerprint_shrec_tomograms(section: ShrecTomograms) -> str:
    """Return the digest of the files of all folders and of what is read of them."""
    digest = hashlib.sha256(f"{section.crop} {section.voxel_size_A}".encode())
    for folder in section.folders:
        model = _read(folder, section)
        digest.update(model.volumes["reconstruction"].checksum().encode())
        digest.update(model.volumes["class_mask"].checksum().encode())
        digest.update((folder / "particle_locations.txt").read_bytes())
    return digest.hexdigest()[:16]


def _read(folder: Path, section: ShrecTomograms) -> ShrecModel:
    model = read_model(folder, voxel_size_A=section.voxel_size_A)
    missing = [name for name in ("reconstruction", "class_mask") if name not in model.volumes]
    if missing:
        raise InputError(f"{folder} has no {missing[0]}.mrc, which training needs; copy it there")
    return model


def _open_model(folder: Path, section: ShrecTomograms) -> TrainingTomogram:
    model = _read(folder, section)
    tomogram, mask = model.volumes["reconstruction"], model.volumes["class_mask"]
    layers = valid_layers(mask.shape[0]) if section.crop else slice(0, mask.shape[0])
    kept = (layers.stop - layers.start, *mask.shape[1:])
    if tomogram.shape not in (mask.shape, kept):
        raise InputError(
            f"{tomogram.path} has {tomogram.shape} voxels (z, y, x), its class mask {mask.shape}; they must be equal"
        )
    voxel = section.voxel_size_A or mask.voxel_size_A
    centre = model.particles.centre_A[:, ::-1] / voxel - (layers.start, 0, 0)
    inside = ((centre >= -0.5) & (centre < np.array(kept) - 0.5)).all(axis=1)
    names = dict(zip(model.particles.class_name.tolist(), model.particles.class_id.tolist(), strict=True))
    return TrainingTomogram(
        folder.name,
        _crop(tomogram, layers, voxel) if tomogram.shape == mask.shape else tomogram,
        _crop(mask, layers, voxel),
        centre[inside],
        model.particles.class_id[inside],
        names,
        tomogram.voxel_size_A if section.voxel_size_A is None else section.voxel_size_A,
    )


def _crop(volume: MrcVolume, layers: slice, voxel_size_A: float) -> ArrayLike3D:
    shape = (layers.stop - layers.start, *volume.shape[1:])
    return Grid(shape, (layers.start, 0, 0), 1, voxel_size_A).sample(volume)
