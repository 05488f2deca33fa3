"""Units that project a specimen: every angle for one block of y, so that each voxel is read once."""

import numpy as np

from faket_dask.dataset.blueprint import BLOCK_ROWS, Blueprint
from faket_dask.dataset.stores import ArraySpec, open_array
from faket_dask.dataset.units.attributes import STACK_ATTRIBUTES, write_stack_coordinates
from faket_dask.dataset.units.unit import OwnedArray, Record, Stage
from faket_dask.kernels.projection import project


def _prepare(blueprint: Blueprint, specimen: str) -> None:
    write_stack_coordinates(blueprint.layout.specimen(specimen), blueprint, specimen)


def _noiseless(blueprint: Blueprint, specimen: str) -> list[OwnedArray]:
    tilts, rows, columns = blueprint.stack_shape(specimen)
    spec = ArraySpec(
        "noiseless",
        ("tilt", "y", "x"),
        (tilts, rows, columns),
        # Written in blocks of y and read by tilt: one file a block, in which a tilt can be read alone.
        (tilts, BLOCK_ROWS, columns),
        read_shape=(1, BLOCK_ROWS, columns),
        attributes={"units": "V voxel", "long_name": "negated ray sums of the density", **STACK_ATTRIBUTES},
    )
    return [OwnedArray(blueprint.layout.specimen(specimen), spec, lambda index: (0, index, 0))]


def _project(blueprint: Blueprint, specimen: str, index: int) -> Record:
    rows = blueprint.rows(index)
    density = np.asarray(open_array(blueprint.layout.volume(specimen), "density", "r")[:, rows, :])
    stack = project(density, blueprint.acquisition(specimen).tilt_angles, width=blueprint.tilt_shape[1])
    open_array(blueprint.layout.specimen(specimen), "noiseless")[:, rows, :] = stack
    return {}


PROJECT = Stage(
    "project",
    count=lambda blueprint, specimen: blueprint.blocks,
    compute=_project,
    prepare=_prepare,
    arrays=_noiseless,
)
