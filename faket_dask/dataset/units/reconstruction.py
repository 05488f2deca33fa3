"""Units that reconstruct tomograms: `filter` makes tilts ready, `reconstruct` back-projects a block of rows.

A unit of `filter` writes one file, a whole tilt, in which blocks of rows can be read alone; a unit of
`reconstruct` reads its rows of every tilt and writes the layers of one slab. The filtered tilts are kept, so that
a lost part of a tomogram can be made again.
"""

from typing import Any

import numpy as np

from faket_dask.dataset.blueprint import BLOCK_ROWS, Blueprint
from faket_dask.dataset.stores import ArraySpec, open_array, read_tilt, write_vector
from faket_dask.dataset.tomograms import SLAB_LAYERS, Tomogram
from faket_dask.dataset.units.attributes import describe_group
from faket_dask.dataset.units.unit import OwnedArray, Record, Stage
from faket_dask.kernels.backprojection import back_project
from faket_dask.stages.reconstruction import filtered_tilt


def _prepare(blueprint: Blueprint, item: str) -> None:
    tomogram = Tomogram.of_item(blueprint, item)
    section = blueprint.config.reconstruction
    settings: dict[str, Any] = section.model_dump(mode="json", exclude={"of", "thickness_A"})
    pixel = tomogram.acquisition.pixel_size_A
    describe_group(tomogram.group, blueprint, pixel, voxel_size_A=tomogram.voxel_size_A, **settings)
    for axis, places in tomogram.coordinates().items():
        write_vector(tomogram.group, axis, axis, places, {"units": "angstrom"})
    write_vector(tomogram.group, "tilt_angle", "tilt", tomogram.tilt_angles, {"units": "degrees"})


def _filtered(tomogram: Tomogram) -> ArraySpec:
    tilts, rows, columns = tomogram.filtered_shape
    return ArraySpec(
        f"{tomogram.modality}_filtered",
        ("tilt", "y", "x"),
        (tilts, rows, columns),
        (1, rows, columns),
        read_shape=(1, BLOCK_ROWS, columns),
        attributes={"coordinates": "tilt_angle"},
    )


def _filtered_array(blueprint: Blueprint, item: str) -> list[OwnedArray]:
    tomogram = Tomogram.of_item(blueprint, item)
    return [OwnedArray(tomogram.group, _filtered(tomogram), lambda index: (index, 0, 0))]


def _filter(blueprint: Blueprint, item: str, index: int) -> Record:
    tomogram = Tomogram.of_item(blueprint, item)
    section = blueprint.config.reconstruction
    thickness = blueprint.volume_shape(tomogram.specimen)[0] * tomogram.acquisition.pixel_size_A
    if section.thickness_A is not None:
        thickness = section.thickness_A
    tilt = read_tilt(tomogram.stack_group, tomogram.modality, int(tomogram.tilts[index]))
    open_array(tomogram.group, _filtered(tomogram).name)[index] = filtered_tilt(
        tilt, section.filter, tomogram.tilt_angles, index, thickness / tomogram.voxel_size_A, section.binning
    )
    return {}


def _volume(blueprint: Blueprint, item: str) -> list[OwnedArray]:
    tomogram = Tomogram.of_item(blueprint, item)
    spec = ArraySpec(
        tomogram.modality,
        ("z", "y", "x"),
        tomogram.shape,
        (SLAB_LAYERS, BLOCK_ROWS, tomogram.shape[2]),
        attributes={"long_name": f"tomogram of {tomogram.modality}, dense dark"},
    )
    return [
        OwnedArray(tomogram.group, spec, lambda index: (index % tomogram.slabs, index // tomogram.slabs, 0))
    ]


def _reconstruct(blueprint: Blueprint, item: str, index: int) -> Record:
    tomogram = Tomogram.of_item(blueprint, item)
    layers, rows = tomogram.part(index)
    filtered = open_array(tomogram.group, _filtered(tomogram).name, "r")
    part = back_project(
        np.asarray(filtered[:, rows, :]),
        tomogram.tilt_angles,
        layers.stop - layers.start,
        z_centre=tomogram.shape[0] // 2 - layers.start,
        device=blueprint.config.reconstruction.device,
    )
    open_array(tomogram.group, tomogram.modality)[layers, rows, :] = part
    return {}


def _parts(blueprint: Blueprint, item: str) -> int:
    tomogram = Tomogram.of_item(blueprint, item)
    return tomogram.slabs * tomogram.blocks


FILTER = Stage(
    "filter",
    count=lambda blueprint, item: Tomogram.of_item(blueprint, item).tilts.size,
    compute=_filter,
    prepare=_prepare,
    arrays=_filtered_array,
)

RECONSTRUCT = Stage("reconstruct", count=_parts, compute=_reconstruct, arrays=_volume)
