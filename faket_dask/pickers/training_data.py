"""Tomograms and classes of one model, checked before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from faket_dask.config.training import ModelSection
from faket_dask.pickers.checks import check_grids, check_objects, check_validation, check_voxels
from faket_dask.pickers.chunk_cache import ChunkCache
from faket_dask.pickers.classes import PickerClasses, agree_on_classes
from faket_dask.pickers.sources import open_tomograms
from faket_dask.pickers.training_tomogram import TrainingTomogram


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Tomograms that a model learns from, and those that judge it; opened, not read.

    Parameters
    ----------
    tomograms
        Labelled tomograms to learn from.
    validation
        Labelled tomograms that judge each epoch.
    classes
        Classes of both.
    """

    tomograms: tuple[TrainingTomogram, ...]
    validation: tuple[TrainingTomogram, ...]
    classes: PickerClasses

    @classmethod
    def open(cls, section: ModelSection, cache: ChunkCache | None = None) -> Self:
        """Open the tomograms of a model.

        Raises
        ------
        InputError
            If one cannot be read, or classes disagree.
        """
        cache = ChunkCache() if cache is None else cache
        tomograms = open_tomograms(section.tomograms, cache)
        check_grids(tomograms, section.training.patch)
        classes = agree_on_classes(tomograms, section.training.background)
        return cls(tuple(tomograms), tuple(open_tomograms(section.validation, cache)), classes)

    def check(self, section: ModelSection) -> None:
        """Refuse data that cannot be trained on, as far as can be told without their voxels.

        Raises
        ------
        InputError
            If voxel sizes or classes disagree, a class has no object, or there are too few.
        """
        check_objects(self.tomograms, self.classes, section.training)
        if self.validation:
            check_grids(self.validation, section.training.patch)
            check_validation(self.tomograms, self.validation, self.classes)

    def check_voxels(self) -> None:
        """Read all voxels once, and refuse NaN, infinity and labels of no class.

        Raises
        ------
        InputError
            If there are any.
        """
        for tomogram in (*self.tomograms, *self.validation):
            check_voxels(tomogram, self.classes)
