"""Patches about objects as a data set of PyTorch, for those who train networks of their own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch.utils.data import Dataset

from faket_dask.config.training import ModelSection, Tomograms, TrainingSection
from faket_dask.pickers.batches import read_batch
from faket_dask.pickers.classes import PickerClasses
from faket_dask.pickers.sampling import PatchSampler
from faket_dask.pickers.training_data import TrainingData


class PatchDataset(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """One patch about each object of labelled tomograms, read from where they are stored.

    An item is a patch ``(1, z, y, x)`` float32, of mean 0 and standard deviation 1, and the channel of each voxel's
    class ``(z, y, x)`` int64. Patches are shifted and turned at random, by the seed of `training`, the epoch and the
    number of the object alone, so that they do not depend on the workers of a ``DataLoader``; `set_epoch` draws anew.

    Parameters
    ----------
    tomograms
        Data sets, and folders of SHREC.
    training
        Patch size, shifts, seed and classes that are background; the rest is not used.

    Raises
    ------
    InputError
        If a source cannot be read, voxel sizes or classes disagree, or a class has no object.
    UnfinishedError
        If a data set is not complete.

    Examples
    --------
    >>> from torch.utils.data import DataLoader
    >>> from faket_dask.config.training import DatasetTomograms
    >>> patches = PatchDataset([DatasetTomograms(folder="demo-dataset")])  # doctest: +SKIP
    >>> patches.classes.names  # doctest: +SKIP
    ('background', 'propeller', 'boot', 'fiducial')
    >>> loader = DataLoader(patches, batch_size=25, shuffle=True, num_workers=4)  # doctest: +SKIP
    """

    def __init__(self, tomograms: Sequence[Tomograms], training: TrainingSection | None = None) -> None:
        self._section = ModelSection(tomograms=tuple(tomograms), training=training or TrainingSection())
        self._epoch = 1

    def set_epoch(self, epoch: int) -> None:
        """Draw other shifts and turns; call it before the workers of an epoch start."""
        self._epoch = epoch

    @property
    def classes(self) -> PickerClasses:
        """Classes by channel."""
        return self._sampler.classes

    @cached_property
    def _sampler(self) -> PatchSampler:
        data = TrainingData.open(self._section)
        return PatchSampler(data.tomograms, data.classes, self._section.training)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker needs, which opens the stores for itself."""
        return {name: value for name, value in self.__dict__.items() if name != "_sampler"}

    def __len__(self) -> int:
        """Return the number of objects."""
        return len(self._sampler)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Read the patch about an object."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        place = self._sampler.draw_about(index, self._epoch)
        batch = read_batch(self._sampler.tomograms, self._sampler.classes, [place])
        return torch.from_numpy(batch.patches[0]), torch.from_numpy(batch.channels[0])
