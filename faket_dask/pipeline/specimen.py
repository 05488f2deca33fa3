"""Units that make specimens: `place` draws the particle table, `build` renders density and labels by block."""

from pathlib import Path

import numpy as np

from faket_dask.atomic import replace_atomically
from faket_dask.dataset.attributes import describe_group
from faket_dask.dataset.spec import BLOCK_ROWS, DatasetSpec
from faket_dask.dataset.specimens import specimen_source
from faket_dask.engine.arrays import ArraySpec, open_array, write_vector
from faket_dask.engine.unit import OwnedArray, Record, Stage
from faket_dask.specimen.particles import particle_table, read_particles
from faket_dask.specimen.placement import place
from faket_dask.specimen.recipe import Recipe
from faket_dask.specimen.render import render_block
from faket_dask.stages.seeds import generator

VOLUMES = {"density": "float32", "class_mask": "uint8", "instance_mask": "uint16"}


def _place(spec: DatasetSpec, specimen: str, index: int) -> Record:
    source = specimen_source(spec, specimen)
    if isinstance(source, Recipe):
        table = place(source, generator(spec.config.dataset.seed, specimen, "placement"))
    else:
        table = source.table or particle_table([])
    with replace_atomically(spec.layout.particles(specimen)) as temporary:
        table.write_csv(temporary)
    return {"particles": table.labelled().counts()}


def _prepare_place(spec: DatasetSpec, specimen: str) -> None:
    path = spec.layout.volume(specimen)
    pixel = spec.acquisition(specimen).pixel_size_A
    describe_group(spec.layout.specimen(specimen), spec, pixel, specimen=specimen)
    describe_group(
        path,
        spec,
        pixel,
        specimen=specimen,
        class_ids=specimen_source(spec, specimen).class_ids,
    )
    for axis, size in zip("zyx", spec.volume_shape(specimen), strict=True):
        write_vector(path, axis, axis, np.arange(size) * pixel, {"units": "angstrom"})


def _volumes(spec: DatasetSpec, specimen: str) -> list[OwnedArray]:
    shape = spec.volume_shape(specimen)
    units = {"density": {"units": "V", "long_name": "potential over that of ice"}}
    return [
        OwnedArray(
            spec.layout.volume(specimen),
            ArraySpec(
                name, ("z", "y", "x"), shape, (shape[0], BLOCK_ROWS, shape[2]), dtype, None, units.get(name)
            ),
            lambda index: (0, index, 0),
        )
        for name, dtype in VOLUMES.items()
    ]


def _build(spec: DatasetSpec, specimen: str, index: int) -> Record:
    source = specimen_source(spec, specimen)
    rows = spec.rows(index)
    if isinstance(source, Recipe):
        table = read_particles(spec.layout.particles(specimen))
        block = render_block(source, table, rows.start, rows.stop)
    else:
        block = source.read_block(rows.start, rows.stop)
    path: Path = spec.layout.volume(specimen)
    for name in VOLUMES:
        open_array(path, name)[:, rows, :] = getattr(block, name)
    return {}


PLACE = Stage(
    "place",
    count=lambda spec, specimen: 1,
    compute=_place,
    prepare=_prepare_place,
    files=lambda spec, specimen: [spec.layout.particles(specimen)],
)

BUILD = Stage("build", count=lambda spec, specimen: spec.blocks, compute=_build, arrays=_volumes)
