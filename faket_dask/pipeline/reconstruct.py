"""Units that reconstruct tomograms: `filter` makes tilts ready, `reconstruct` back-projects a block of rows.

A unit of `filter` writes one file, a whole tilt, in which blocks of rows can be read alone; a unit of
`reconstruct` reads its rows of every tilt and writes the layers of one slab. The filtered tilts are kept, so that
a lost part of a tomogram can be made again. Of a tomogram that is binned afterwards they have its rows already.
"""

from typing import Any

import numpy as np

from faket_dask.dataset.attributes import describe_group
from faket_dask.dataset.parts import filtered_array
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.tomograms import Tomogram
from faket_dask.engine.arrays import ArraySpec, open_array, read_tilt, write_vector
from faket_dask.engine.unit import OwnedArray, Record, Stage
from faket_dask.kernels.backprojection_binned import back_project_binned
from faket_dask.stages.reconstruction import prepare_tilt


def _prepare(spec: DatasetSpec, item: str) -> None:
    tomogram = Tomogram.of_item(spec, item)
    section = spec.config.reconstruction
    settings: dict[str, Any] = section.model_dump(mode="json", exclude={"modalities", "thickness_A"})
    pixel = tomogram.acquisition.pixel_size_A
    describe_group(tomogram.group, spec, pixel, voxel_size_A=tomogram.voxel_size_A, **settings)
    for axis, places in tomogram.coordinates().items():
        write_vector(tomogram.group, axis, axis, places, {"units": "angstrom"})
    write_vector(tomogram.group, "tilt_angle", "tilt", tomogram.tilt_angles, {"units": "degrees"})


def _filtered(tomogram: Tomogram) -> ArraySpec:
    return filtered_array(f"{tomogram.modality}_filtered", tomogram.filtered_shape)


def _filtered_array(spec: DatasetSpec, item: str) -> list[OwnedArray]:
    tomogram = Tomogram.of_item(spec, item)
    return [OwnedArray(tomogram.group, _filtered(tomogram), lambda index: (index, 0, 0))]


def _filter(spec: DatasetSpec, item: str, index: int) -> Record:
    tomogram = Tomogram.of_item(spec, item)
    section = spec.config.reconstruction
    thickness = spec.geometry.volume_shape(tomogram.specimen)[0] * tomogram.acquisition.pixel_size_A
    if section.thickness_A is not None:
        thickness = section.thickness_A
    tilt = read_tilt(tomogram.stack_group, tomogram.modality, int(tomogram.tilts[index]))
    thickness_px = thickness / (tomogram.acquisition.pixel_size_A * section.binning)
    open_array(tomogram.group, _filtered(tomogram).name)[index] = prepare_tilt(
        tilt,
        section.filter,
        tomogram.tilt_angles,
        index,
        thickness_px,
        section.binning,
        section.post_binning,
    )
    return {}


def _volume(spec: DatasetSpec, item: str) -> list[OwnedArray]:
    tomogram = Tomogram.of_item(spec, item)
    parts = tomogram.parts
    return [OwnedArray(tomogram.group, parts.array(tomogram.modality), parts.position)]


def _reconstruct(spec: DatasetSpec, item: str, index: int) -> Record:
    tomogram = Tomogram.of_item(spec, item)
    layers, rows = tomogram.parts.region(index)
    filtered = open_array(tomogram.group, _filtered(tomogram).name, "r")
    section = spec.config.reconstruction
    part = back_project_binned(
        np.asarray(filtered[:, rows, :]),
        tomogram.tilt_angles,
        layers.stop - layers.start,
        section.post_binning,
        z_centre=tomogram.shape[0] // 2 - layers.start,
        device=section.device,
    )
    open_array(tomogram.group, tomogram.modality)[layers, rows, :] = part
    return {}


FILTER = Stage(
    "filter",
    count=lambda spec, item: Tomogram.of_item(spec, item).tilts.size,
    compute=_filter,
    prepare=_prepare,
    arrays=_filtered_array,
)

RECONSTRUCT = Stage(
    "reconstruct",
    count=lambda spec, item: len(Tomogram.of_item(spec, item).parts),
    compute=_reconstruct,
    arrays=_volume,
)
