"""Segmentation of the scored tomograms by each model, at the epoch that the study selects."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.config.study import Selection
from faket_dask.config.training import Tomograms
from faket_dask.engine.arrays import open_array
from faket_dask.engine.stage import BatchKey, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.pickers.segmentation_stage import (
    SCORES,
    MeasureTomogram,
    SegmentationInput,
    SegmentBlocks,
    TomogramSegmentation,
    read_trained,
)
from faket_dask.pickers.sources import open_tomograms
from faket_dask.stages.segmentation import TrainedNetwork
from faket_dask.study.costs import OPENING_S, rate_training
from faket_dask.study.spec import ScoredTomogram, StudySpec
from faket_dask.study.training_stage import TrainStudyModels


def scores_group(spec: StudySpec, item: Item) -> Path:
    """Return the store of the scores of a model in a tomogram."""
    return spec.root / "segmentations" / item.owner / f"{item.part}.zarr"


def moments_group(spec: StudySpec, part: str) -> Path:
    """Return the store of the moments of a tomogram."""
    return spec.root / "moments" / f"{part}.zarr"


def read_scores(spec: StudySpec, item: Item) -> NDArray[np.uint8]:
    """Read the scores of a model in a tomogram, ``(class, z, y, x)`` uint8."""
    return np.asarray(open_array(scores_group(spec, item), SCORES, "r")[...])


def selects_last(spec: StudySpec) -> bool:
    """Tell whether the last epoch picks particles, and not the best one."""
    return spec.config.selection is Selection.LAST


class MeasureStudyTomograms(MeasureTomogram[StudySpec]):
    """Measure mean and standard deviation of one scored tomogram."""

    def items(self, spec: StudySpec) -> list[Item]:
        """Return all scored tomograms."""
        return [Item(part) for part in spec.tomograms]

    def open_source(self, spec: StudySpec, item: Item) -> tuple[SegmentationInput, Path]:
        """Return a tomogram and the store of its moments."""
        return _describe_input(spec, spec.tomograms[item.owner]), moments_group(spec, item.owner)

    def cost(self, spec: StudySpec) -> UnitCost:
        """Estimate the reading of the largest tomogram."""
        return replace(super().cost(spec), seconds=OPENING_S)


class SegmentStudyTomograms(SegmentBlocks[StudySpec]):
    """Segment one block of one tomogram by one model."""

    def items(self, spec: StudySpec) -> list[Item]:
        """Return all tomograms of all models."""
        return [result.item for result in spec.results]

    def before_segmentation(self, spec: StudySpec, item: Item) -> list[BatchKey]:
        """Return the last piece of the model's training, and the moments of the tomogram."""
        return [
            BatchKey(TrainStudyModels.name, spec.models[item.owner].items[-1]),
            BatchKey(MeasureStudyTomograms.name, Item(item.part)),
        ]

    def open_segmentation(self, spec: StudySpec, item: Item) -> TomogramSegmentation:
        """Return the tomogram and the model."""
        result = spec.results_by_item[item]
        training = spec.config.training_of(result.entry)
        return TomogramSegmentation(
            tomogram=_describe_input(spec, result.tomogram),
            moments=moments_group(spec, item.part),
            group=scores_group(spec, item),
            network=training.network,
            width=training.width,
            class_names=spec.sizes.models[result.entry].class_names,
            read_network=partial(_read_network, spec.models[item.owner].checkpoint(-1), selects_last(spec)),
            blocks=training.segmentation,
            device=training.device,
            threads=training.threads,
        )

    def cost(self, spec: StudySpec) -> UnitCost:
        """Estimate the largest block from the time of a training step on this machine."""
        seconds = [self._estimate_block(spec, result.item, largest=True) for result in spec.results]
        known = [value for value in seconds if value is not None]
        return replace(super().cost(spec), seconds=max(known) if len(known) == len(seconds) else None)

    def mean_seconds(self, spec: StudySpec, units: Mapping[Item, int]) -> float | None:
        """Estimate the mean time of the blocks that are left."""
        total, count = 0.0, 0
        for item, number in units.items():
            seconds = self._estimate_block(spec, item, largest=False)
            if seconds is None:
                return None
            total, count = total + number * seconds, count + number
        return total / count if count else 0.0

    def _estimate_block(self, spec: StudySpec, item: Item, *, largest: bool) -> float | None:
        rate = rate_training(spec, spec.results_by_item[item].entry).forward_s_per_voxel
        if rate is None:
            return None
        grid = self.open_segmentation(spec, item).grid
        read = [
            math.prod(part.stop - part.start for part in grid.read_region(index))
            for index in range(len(grid))
        ]
        return OPENING_S + rate * (max(read) if largest else sum(read) / len(read))


def _describe_input(spec: StudySpec, tomogram: ScoredTomogram) -> SegmentationInput:
    return SegmentationInput(
        tomogram.part,
        spec.sizes.scored[tomogram.part],
        partial(_open_array, tomogram.source),
        spec.sizes.voxel_size_A,
    )


def _open_array(source: Tomograms) -> ArrayLike3D:
    [tomogram] = open_tomograms([source])
    return tomogram.tomogram


def _read_network(path: Path, last: bool) -> TrainedNetwork:
    return read_trained(path, path.stat().st_mtime_ns, last)


def find_epoch(spec: StudySpec, epochs: int, best_epoch: int) -> int:
    """Return the epoch whose network picks particles.

    Parameters
    ----------
    spec
        Study.
    epochs
        Number of epochs of a training.
    best_epoch
        Its best one, 0 without validation.
    """
    return epochs if selects_last(spec) or not best_epoch else best_epoch
