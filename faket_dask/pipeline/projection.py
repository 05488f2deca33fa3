"""Units that project a specimen: every angle for one block of y, so that each voxel is read once."""

import numpy as np

from faket_dask.dataset.attributes import STACK_ATTRIBUTES, write_stack_coordinates
from faket_dask.dataset.spec import BLOCK_ROWS, DatasetSpec
from faket_dask.engine.arrays import ArraySpec, open_array
from faket_dask.engine.unit import OwnedArray, Record, Stage
from faket_dask.kernels.projection import project


def _prepare(spec: DatasetSpec, specimen: str) -> None:
    write_stack_coordinates(spec.layout.specimen(specimen), spec, specimen)


def _noiseless(spec: DatasetSpec, specimen: str) -> list[OwnedArray]:
    tilts, rows, columns = spec.stack_shape(specimen)
    array = ArraySpec(
        "noiseless",
        ("tilt", "y", "x"),
        (tilts, rows, columns),
        # Written in blocks of y and read by tilt: one file a block, in which a tilt can be read alone.
        (tilts, BLOCK_ROWS, columns),
        read_shape=(1, BLOCK_ROWS, columns),
        attributes={"units": "V voxel", "long_name": "negated ray sums of the density", **STACK_ATTRIBUTES},
    )
    return [OwnedArray(spec.layout.specimen(specimen), array, lambda index: (0, index, 0))]


def _project(spec: DatasetSpec, specimen: str, index: int) -> Record:
    rows = spec.rows(index)
    density = np.asarray(open_array(spec.layout.volume(specimen), "density", "r")[:, rows, :])
    stack = project(density, spec.acquisition(specimen).tilt_angles, width=spec.tilt_shape[1])
    open_array(spec.layout.specimen(specimen), "noiseless")[:, rows, :] = stack
    return {}


PROJECT = Stage(
    "project",
    count=lambda spec, specimen: spec.blocks,
    compute=_project,
    prepare=_prepare,
    arrays=_noiseless,
)
