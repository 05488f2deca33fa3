"""Consistency of a specimen's masks with its particle table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.specimens import open_specimen_source
from faket_dask.engine.arrays import open_array
from faket_dask.specimen.label_evidence import (
    MARGIN_VOXELS,
    MaskBlock,
    find_contradictions,
    gather_evidence,
)
from faket_dask.specimen.particles import ParticleTable, read_particles
from faket_dask.specimen.recipe import Recipe


def find_misplaced_labels(spec: DatasetSpec, specimen: str) -> Iterator[str]:
    """Yield contradictions between masks and table.

    Specimens that others made are compared as `faket_dask.specimen.label_evidence` describes. In built ones, every
    labelled particle must have voxels of its instance, no further from its centre than it reaches, and its centre in
    the volume; every labelled voxel must be of an instance in the table, and of its class.
    """
    table = read_particles(spec.folder.particles(specimen)).labelled()
    pixel_size_A = spec.geometry.acquisition(specimen).pixel_size_A
    source = open_specimen_source(spec, specimen)
    if not isinstance(source, Recipe):
        evidence = gather_evidence(table, _read_masks(spec, specimen), source.shape, pixel_size_A)
        yield from find_contradictions(evidence)
        return
    ids = np.zeros(max(65536, int(table.instance.max(initial=0)) + 1), np.int64)
    ids[table.instance] = table.class_id
    boxes, foreign, wrong = _find_boxes(spec, specimen, ids)
    if not boxes:
        return
    if foreign:
        yield f"instance_mask holds instances that the table lacks, {min(foreign)} first"
    if wrong:
        yield f"class_mask and instance_mask disagree in {wrong} voxels"
    shape = np.array(spec.geometry.volume_shape(specimen)[::-1])
    first, last = _find_spans(table)
    for index in range(len(table)):
        row = table.row(index)
        instance, name = row.instance, row.class_name
        centre = row.centre_A / pixel_size_A
        reach = source.by_class[name].measure_reach(row, source.grid)
        margin = reach / pixel_size_A + MARGIN_VOXELS
        particle = f"particle {instance} ({name})"
        if not row.is_cut and ((centre < -0.5).any() or (centre > shape - 0.5).any()):
            yield f"{particle} is centred outside the volume"
        elif instance not in boxes:
            yield f"{particle} has no voxel in instance_mask"
        else:
            low, high = boxes[instance]
            begin, end = first[instance] / pixel_size_A, last[instance] / pixel_size_A
            if (low < begin - margin).any() or (high > end + margin).any():
                yield f"{particle} does not lie on its label"


def _find_spans(table: ParticleTable) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and the largest ``(x, y, z)`` in Å of the centres of each instance, ``(instances, 3)``."""
    count = int(table.instance.max(initial=0)) + 1
    first, last = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(first, table.instance, table.centre_A)
    np.maximum.at(last, table.instance, table.centre_A)
    return first, last


def _read_masks(spec: DatasetSpec, specimen: str) -> Iterator[MaskBlock]:
    path = spec.folder.volume(specimen)
    for block in range(spec.geometry.block_count):
        rows = spec.geometry.block_rows(block)
        instances, classes = (
            np.asarray(open_array(path, name, "r")[:, rows, :]) for name in ("instance_mask", "class_mask")
        )
        yield MaskBlock(rows.start, classes, instances)


Box = tuple[NDArray[np.float64], NDArray[np.float64]]


def _find_boxes(
    spec: DatasetSpec, specimen: str, class_ids: NDArray[np.int64]
) -> tuple[dict[int, Box], set[int], int]:
    """Return bounding boxes ``(x, y, z)`` by instance, instances without a class, and the misclassified voxels."""
    boxes: dict[int, Box] = {}
    foreign: set[int] = set()
    wrong = 0
    for y_start, classes, instances in _read_masks(spec, specimen):
        expected = class_ids[instances]
        foreign |= set(np.unique(instances[(expected == 0) & (instances > 0)]).tolist())
        wrong += int(((expected != classes) & (instances > 0)).sum())
        for number, slices in enumerate(ndimage.find_objects(instances.astype(np.int32)), start=1):
            if slices is None:
                continue
            z, y, x = slices
            low = np.array([x.start, y.start + y_start, z.start], np.float64)
            high = np.array([x.stop, y.stop + y_start, z.stop], np.float64) - 1
            if number in boxes:
                low = np.minimum(low, boxes[number][0])
                high = np.maximum(high, boxes[number][1])
            boxes[number] = (low, high)
    return boxes, foreign, wrong
