"""Pictures of picks and true particles on a slice of a tomogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faket_dask.pickers.sources import open_tomograms
from faket_dask.report.figures import grey_image
from faket_dask.specimen.particles import read_particles
from faket_dask.study.picking_stage import picks_path
from faket_dask.study.spec import Result, StudySpec

SLAB_A = 200.0
"""Distance from a slice within which objects are drawn on it."""


@dataclass(frozen=True)
class Circle:
    """Object on a slice, in voxels; the class is an index into the study's classes."""

    x: float
    y: float
    channel: int


@dataclass(frozen=True)
class Slice:
    """Slice of a tomogram with picks and true particles.

    Parameters
    ----------
    entry, seed, tomogram
        Names.
    image
        Picture as a data URI.
    width, height
        Voxels.
    picks, truth
        Objects near the slice.
    """

    entry: str
    seed: int
    tomogram: str
    image: str
    width: int
    height: int
    picks: list[Circle]
    truth: list[Circle]


def draw_slice(spec: StudySpec, result: Result) -> Slice:
    """Draw the layer with most true particles near it, with the picks of a model.

    Parameters
    ----------
    spec
        Study.
    result
        Picks that are complete.
    """
    [tomogram] = open_tomograms([result.tomogram.source])
    names = spec.sizes.models[result.entry].class_names
    depth, height, width = tomogram.shape
    reach = max(1.0, SLAB_A / 2 / spec.sizes.voxel_size_A)
    near = np.abs(np.arange(depth)[:, None] - tomogram.centre[:, 0]) <= reach
    layer = int(near.sum(axis=1).argmax()) if len(tomogram.centre) else depth // 2
    density = np.asarray(
        tomogram.tomogram[slice(layer, layer + 1), slice(0, height), slice(0, width)], dtype=np.float32
    )
    channels = {tomogram.class_ids.get(name): number for number, name in enumerate(names) if number}
    truth = [
        Circle(float(x), float(y), channels[int(label)])
        for (z, y, x), label in zip(tomogram.centre, tomogram.class_id, strict=True)
        if abs(z - layer) <= reach and int(label) in channels
    ]
    table = read_particles(picks_path(spec, result.item))
    picks = [
        Circle(float(x), float(y), names.index(str(name)))
        for (x, y, z), name in zip(table.centre_A / spec.sizes.voxel_size_A, table.class_name, strict=True)
        if abs(z - layer) <= reach
    ]
    return Slice(
        result.entry, result.seed, result.tomogram.name, grey_image(density[0]), width, height, picks, truth
    )
