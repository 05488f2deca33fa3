"""Stage that projects specimens: every angle for one block of rows, so that each voxel is read once."""

from __future__ import annotations

import numpy as np

from faket_dask.dataset.attributes import STACK_ATTRIBUTES, describe_group, write_stack_coordinates
from faket_dask.dataset.geometry import BLOCK_ROWS
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, OwnedArray, open_array
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.kernels.projection_pixel import count_terms, measure_memory
from faket_dask.kernels.projector import Projector
from faket_dask.pipeline.build import BuildVolume, list_specimens
from faket_dask.pipeline.costs import INTERPRETER_BYTES, block_rows, block_voxels
from faket_dask.pipeline.kernel_rates import KernelRates, load_kernel_rates

READ_BYTES_PER_VOXEL = 8
"""The block as stored and as read."""

TRANSPOSED_BYTES_PER_VOXEL = 4
"""The block as the bilinear projection takes it."""

PROJECT_STACKS = 3
"""The projected rows, the kernel's buffer, and the encoder's copy."""


class ProjectVolume(Stage[DatasetSpec]):
    """Project a block of a specimen at all tilt angles: the modality `noiseless`."""

    name = "project"
    label = "project-density"
    milestone = "projected"

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return all specimens."""
        return list_specimens(spec)

    def predecessors(self, spec: DatasetSpec, item: Item) -> list[BatchKey]:
        """Return the specimen's volume."""
        return [BatchKey(BuildVolume.name, item)]

    def count(self, spec: DatasetSpec, item: Item) -> int:
        """Return the number of blocks."""
        return spec.geometry.block_count

    def prepare(self, spec: DatasetSpec, item: Item) -> None:
        """Create the group and the coordinates of projections."""
        path, pixel = (
            spec.folder.specimen_tilts(item.owner),
            spec.geometry.acquisition(item.owner).pixel_size_A,
        )
        describe_group(path, spec, pixel, specimen=item.owner)
        write_stack_coordinates(path, spec, item.owner)

    def arrays(self, spec: DatasetSpec, item: Item) -> list[OwnedArray]:
        """Return the noiseless stack, written in blocks of rows and read by tilt."""
        tilts, rows, columns = spec.geometry.stack_shape(item.owner)
        noiseless = ArraySpec(
            "noiseless",
            ("tilt", "y", "x"),
            (tilts, rows, columns),
            (tilts, BLOCK_ROWS, columns),
            read_shape=(1, BLOCK_ROWS, columns),
            attributes={
                "units": "V voxel",
                "long_name": "negated ray sums of the density",
                **STACK_ATTRIBUTES,
            },
        )
        return [OwnedArray(spec.folder.specimen_tilts(item.owner), noiseless, unit_axes=(1,))]

    def compute(self, spec: DatasetSpec, item: Item, index: int) -> Findings:
        """Project and write one block."""
        geometry, rows = spec.geometry, spec.geometry.block_rows(index)
        density = np.asarray(open_array(spec.folder.volume(item.owner), "density", "r")[:, rows, :])
        project = spec.config.acquisition.projector.project
        stack = project(density, geometry.acquisition(item.owner).tilt_angles, width=geometry.tilt_shape[1])
        open_array(spec.folder.specimen_tilts(item.owner), "noiseless")[:, rows, :] = stack
        return {}

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one block."""
        rates, voxels, tilts = (
            load_kernel_rates(spec.threads_per_task),
            block_voxels(spec),
            spec.geometry.tilt_counts[1],
        )
        stack_bytes = 4 * tilts * block_rows(spec) * spec.geometry.tilt_shape[1]
        work_s, work_bytes = _estimate_work(spec, rates)
        memory = INTERPRETER_BYTES + READ_BYTES_PER_VOXEL * voxels + work_bytes + PROJECT_STACKS * stack_bytes
        seconds = rates.unit_s + rates.load_s_per_byte * 4 * voxels + rates.store_s_per_byte * stack_bytes
        return UnitCost(seconds + work_s, memory, stack_bytes)


def _estimate_work(spec: DatasetSpec, rates: KernelRates) -> tuple[float, int]:
    """Return the seconds and the bytes that the projector takes for the largest block."""
    if spec.config.acquisition.projector is Projector.BILINEAR:
        seconds = rates.project_s_per_sample * _count_samples(spec)
        return seconds, TRANSPOSED_BYTES_PER_VOXEL * block_voxels(spec)
    depth, _, width = spec.geometry.volume_shape(spec.specimens[0])
    shape = (depth, block_rows(spec), width)
    angles = spec.geometry.acquisition(spec.specimens[0]).tilt_angles
    return rates.project_s_per_term * count_terms(shape, angles), measure_memory(shape, angles)


def _count_samples(spec: DatasetSpec) -> float:
    """Return the number of steps of all rays of the largest block."""
    depth, _, width = spec.geometry.volume_shape(spec.specimens[0])
    angles = np.deg2rad(spec.geometry.acquisition(spec.specimens[0]).tilt_angles)
    with np.errstate(divide="ignore"):
        lengths = np.minimum(depth / np.abs(np.cos(angles)), width / np.abs(np.sin(angles)))
    return float(block_rows(spec) * spec.geometry.tilt_shape[1] * lengths.sum())
