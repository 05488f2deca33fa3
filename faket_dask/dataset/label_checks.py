"""Whether the masks of a specimen and its table of particles speak of the same things in the same places."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.specimens import specimen_source
from faket_dask.engine.arrays import open_array
from faket_dask.specimen.membrane import bounding_radius
from faket_dask.specimen.particles import ParticleTable, read_particles
from faket_dask.specimen.placement import membrane_surface
from faket_dask.specimen.recipe import SHEET, VESICLE, Recipe

MARGIN_VOXELS = 2.0
"""By which labels may reach beyond their particle: half a voxel each way, and the blur of its edge."""


def misplaced_labels(spec: DatasetSpec, specimen: str) -> Iterator[str]:
    """Say where masks and table disagree.

    Every labelled particle must have voxels of its instance, no further from its centre than it reaches, and its
    centre in the volume; every labelled voxel must be of an instance in the table, and of its class. Specimens that
    came without an instance mask have nothing to compare.
    """
    table = read_particles(spec.folder.particles(specimen)).labelled()
    ids = np.zeros(max(65536, int(table.instance.max(initial=0)) + 1), np.int64)
    ids[table.instance] = table.class_id
    boxes, foreign, wrong = _look(spec, specimen, ids)
    if not boxes:
        return
    if foreign:
        yield f"instance_mask holds instances that the table lacks, {min(foreign)} first"
    if wrong:
        yield f"class_mask and instance_mask disagree in {wrong} voxels"
    shape = np.array(spec.geometry.volume_shape(specimen)[::-1])
    pixel_size_A = spec.geometry.acquisition(specimen).pixel_size_A
    for row, reach in enumerate(_reaches(spec, specimen, table)):
        instance, name = int(table.instance[row]), table.class_name[row]
        centre = table.centre_A[row] / pixel_size_A
        margin = reach / pixel_size_A + MARGIN_VOXELS
        who = f"particle {instance} ({name})"
        if (centre < -0.5).any() or (centre > shape - 0.5).any():
            yield f"{who} is centred outside the volume"
        elif instance not in boxes:
            yield f"{who} has no voxel in instance_mask"
        else:
            low, high = boxes[instance]
            if (low < centre - margin).any() or (high > centre + margin).any():
                yield f"{who} does not lie on its label"


Box = tuple[NDArray[np.float64], NDArray[np.float64]]


def _look(
    spec: DatasetSpec, specimen: str, class_of: NDArray[np.int64]
) -> tuple[dict[int, Box], set[int], int]:
    """Bounding box, (x, y, z), of every instance; instances that have no class; voxels of another class."""
    path = spec.folder.volume(specimen)
    boxes: dict[int, Box] = {}
    foreign: set[int] = set()
    wrong = 0
    for block in range(spec.geometry.block_count):
        rows = spec.geometry.block_rows(block)
        instances, classes = (
            np.asarray(open_array(path, name, "r")[:, rows, :]) for name in ("instance_mask", "class_mask")
        )
        expected = class_of[instances]
        foreign |= set(np.unique(instances[(expected == 0) & (instances > 0)]).tolist())
        wrong += int(((expected != classes) & (instances > 0)).sum())
        for number, found in enumerate(ndimage.find_objects(instances.astype(np.int32)), start=1):
            if found is None:
                continue
            z, y, x = found
            low = np.array([x.start, y.start + rows.start, z.start], np.float64)
            high = np.array([x.stop, y.stop + rows.start, z.stop], np.float64) - 1
            if number in boxes:
                low = np.minimum(low, boxes[number][0])
                high = np.maximum(high, boxes[number][1])
            boxes[number] = (low, high)
    return boxes, foreign, wrong


def _reaches(spec: DatasetSpec, specimen: str, table: ParticleTable) -> Iterator[float]:
    """How far each row reaches from its centre, in Å: membranes further than the radius of their middle."""
    source = specimen_source(spec, specimen)
    for row in range(len(table)):
        name, radius = str(table.class_name[row]), float(table.radius_A[row])
        if isinstance(source, Recipe) and name in (VESICLE, SHEET):
            centre, rotation, variant = table.centre_A[row], table.rotation[row], int(table.variant[row])
            radius = bounding_radius(membrane_surface(source, name, centre, rotation, radius, variant))
        elif not isinstance(source, Recipe) and radius == 0:
            radius = float("inf")  # a list of centres alone does not say how large they are
        yield radius
