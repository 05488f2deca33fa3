"""Picking of particles from the scores of voxels, one list for each model and tomogram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.config.study import Clustering, PickingSection
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.kernels.clustering import Detections, classify_voxels, mean_shift, split_components
from faket_dask.pickers.checkpoint import Checkpoint
from faket_dask.pickers.training_stage import PROCESS_BYTES
from faket_dask.specimen.particles import ParticleTable, make_table
from faket_dask.stages.segmentation import SCORE_SCALE
from faket_dask.study.costs import OPENING_S, PICKING_S_PER_VOXEL, count_scores
from faket_dask.study.segmentation_stage import SegmentStudyTomograms, read_scores
from faket_dask.study.spec import StudySpec

BYTES_PER_VOXEL = 24
"""Memory of clustering per voxel, scores aside."""


def picks_path(spec: StudySpec, item: Item) -> Path:
    """Return the file of the picks of a model in a tomogram."""
    return spec.root / "picks" / item.owner / f"{item.part}.csv"


class PickParticles(Stage[StudySpec]):
    """Find particles in the scores of one tomogram, and write them as a particle table with scores."""

    name = "pick"
    label = "pick"

    def items(self, spec: StudySpec) -> list[Item]:
        """Return all tomograms of all models."""
        return [result.item for result in spec.results]

    def predecessors(self, spec: StudySpec, item: Item) -> list[BatchKey]:
        """Return the segmentation."""
        return [BatchKey(SegmentStudyTomograms.name, item)]

    def files(self, spec: StudySpec, item: Item) -> list[Path]:
        """Return the particle table."""
        return [picks_path(spec, item)]

    def compute(self, spec: StudySpec, item: Item, index: int) -> Findings:
        """Pick particles; the findings are their number."""
        labels = Checkpoint.read(spec.models[item.owner].checkpoint(-1)).labels
        scores = read_scores(spec, item)
        found = cluster_scores(scores, spec.config.picking, list(labels))
        table = list_picks(found, labels, spec.sizes.voxel_size_A)
        path = picks_path(spec, item)
        path.parent.mkdir(parents=True, exist_ok=True)
        table.write_csv(path)
        return {"picks": len(table)}

    def cost(self, spec: StudySpec) -> UnitCost:
        """Estimate the largest tomogram."""
        scores = max(count_scores(spec, result) for result in spec.results)
        voxels = scores // min(size.classes for size in spec.sizes.models.values())
        return UnitCost(
            OPENING_S + PICKING_S_PER_VOXEL * scores,
            PROCESS_BYTES + 2 * scores + BYTES_PER_VOXEL * voxels // spec.config.picking.binning**3,
            64 * 1024,
        )


def cluster_scores(
    scores: NDArray[np.uint8], picking: PickingSection, class_names: Sequence[str]
) -> Detections:
    """Find particles in the scores of voxels.

    Parameters
    ----------
    scores
        ``(class, z, y, x)``, background first.
    picking
        Settings.
    class_names
        Names by channel from 1.
    """
    smallest = {
        channel: picking.smallest[name]
        for channel, name in enumerate(class_names, start=1)
        if name in picking.smallest
    }
    segmentation = classify_voxels(scores, picking.binning)
    method = mean_shift if picking.clustering is Clustering.MEAN_SHIFT else split_components
    return method(segmentation, picking.distance, smallest)


def list_picks(found: Detections, labels: Mapping[str, int], voxel_size_A: float) -> ParticleTable:
    """Return particles as a table, in Å from the centre of the tomogram's corner voxel.

    Parameters
    ----------
    found
        Particles whose classes are channels.
    labels
        Label of each class but the background, in the order of the channels.
    voxel_size_A
        Edge of a voxel.
    """
    names, ids = list(labels), list(labels.values())
    channels = found.class_id - 1
    table = make_table(
        np.array(names, dtype=np.str_)[channels],
        np.array(ids, dtype=np.int64)[channels],
        found.position[:, ::-1] * voxel_size_A,
        np.tile(np.eye(3), (len(found), 1, 1)),
    )
    return replace(table, score=found.score / SCORE_SCALE)
