"""Pipeline of a study: trainings, segmentations, picks and scores as units of work."""

from __future__ import annotations

from collections.abc import Sequence

from faket_dask.engine.pipeline import Pipeline
from faket_dask.engine.stage import BatchKey
from faket_dask.study.picking_stage import PickParticles
from faket_dask.study.scoring_stage import ScoreModels
from faket_dask.study.segmentation_stage import MeasureStudyTomograms, SegmentStudyTomograms
from faket_dask.study.spec import PIPELINE, StudySpec
from faket_dask.study.training_stage import TrainStudyModels


def _list_products(spec: StudySpec) -> Sequence[BatchKey]:
    return [BatchKey(ScoreModels.name, result.item) for result in spec.results]


STUDY: Pipeline[StudySpec] = Pipeline(
    name=PIPELINE,
    target="faket_dask.study.pipeline:STUDY",
    stages=(
        TrainStudyModels(),
        MeasureStudyTomograms(),
        SegmentStudyTomograms(),
        PickParticles(),
        ScoreModels(),
    ),
    read=StudySpec.read,
    list_products=_list_products,
    product_name="scores",
    unit_name="units",
)
"""Pipeline of studies."""
