"""Patches as a data set of PyTorch."""

import numpy as np
import torch
from torch.utils.data import DataLoader

import faket_dask
from faket_dask.config.training import DatasetTomograms, TrainingSection
from faket_dask.pickers.patch_dataset import PatchDataset


def make_patches(dataset: faket_dask.Dataset) -> PatchDataset:
    section = DatasetTomograms(folder=dataset.folder, modality="noiseless")
    return PatchDataset([section], TrainingSection(patch=16, shift=3, seed=4))


def collect(loader: DataLoader) -> list[np.ndarray]:
    return [part.numpy() for batch in loader for part in batch]


def test_patches_are_standardised_and_hold_their_objects(tomogram_dataset: faket_dask.Dataset) -> None:
    patches = make_patches(tomogram_dataset)
    assert len(patches) > 4
    for index in range(len(patches)):
        patch, channels = patches[index]
        assert patch.shape == (1, 16, 16, 16)
        assert channels.shape == (16, 16, 16)
        assert abs(float(patch.mean())) < 1e-4
        assert abs(float(patch.std(correction=0)) - 1) < 1e-3
        assert channels.max() > 0


def test_patches_do_not_depend_on_workers(tomogram_dataset: faket_dask.Dataset) -> None:
    alone = collect(DataLoader(make_patches(tomogram_dataset), batch_size=3))
    shared = collect(
        DataLoader(
            make_patches(tomogram_dataset), batch_size=3, num_workers=1, multiprocessing_context="spawn"
        )
    )
    assert all(np.array_equal(one, other) for one, other in zip(alone, shared, strict=True))


def test_an_epoch_draws_other_shifts(tomogram_dataset: faket_dask.Dataset) -> None:
    patches = make_patches(tomogram_dataset)
    first = [patches[index][0] for index in range(len(patches))]
    patches.set_epoch(2)
    second = [patches[index][0] for index in range(len(patches))]
    assert not all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    patches.set_epoch(1)
    assert all(torch.equal(one, patches[index][0]) for index, one in enumerate(first))
