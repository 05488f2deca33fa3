"""Stage that projects specimens: every angle for one block of rows, so that each voxel is read once."""

from __future__ import annotations

import numpy as np

from faket_dask.dataset.attributes import STACK_ATTRIBUTES, describe_group, write_stack_coordinates
from faket_dask.dataset.geometry import BLOCK_ROWS
from faket_dask.dataset.imaging import draw_imaging_conditions
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, OwnedArray, open_array
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.kernels.projection_pixel import count_terms, measure_memory
from faket_dask.kernels.projector import Projector
from faket_dask.pipeline.build import BuildVolume, list_imaged_specimens, list_specimens
from faket_dask.pipeline.costs import INTERPRETER_BYTES, block_rows, block_voxels
from faket_dask.pipeline.kernel_rates import KernelRates, load_kernel_rates

READ_BYTES_PER_VOXEL = 8
"""The block as stored and as read."""

TRANSPOSED_BYTES_PER_VOXEL = 4
"""The block as the bilinear projection takes it."""

PROJECT_STACKS = 3
"""The projected rows, the kernel's buffer, and the encoder's copy."""

TRUE_PROJECTION = "noiseless_at_true_angles"
"""Stack of projections at the true tilt angles, for simulated images where these differ from the told ones."""


def has_true_projection(spec: DatasetSpec, item: Item) -> bool:
    """Return True for a specimen whose simulated images show it at other angles than those that are told."""
    return spec.config.microscope.errors.tilt_angle_deg > 0 and item in list_imaged_specimens(spec)


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
        """Return the noiseless stack, written in blocks of rows and read by tilt, and that at the true angles."""
        tilts, rows, columns = spec.geometry.stack_shape(item.owner)
        names = {"noiseless": "negated ray sums of the density"}
        if has_true_projection(spec, item):
            names[TRUE_PROJECTION] = "negated ray sums of the density at the true tilt angles"
        return [
            OwnedArray(
                spec.folder.specimen_tilts(item.owner),
                ArraySpec(
                    name,
                    ("tilt", "y", "x"),
                    (tilts, rows, columns),
                    (tilts, BLOCK_ROWS, columns),
                    read_shape=(1, BLOCK_ROWS, columns),
                    attributes={"units": "V voxel", "long_name": description, **STACK_ATTRIBUTES},
                ),
                unit_axes=(1,),
            )
            for name, description in names.items()
        ]

    def compute(self, spec: DatasetSpec, item: Item, index: int) -> Findings:
        """Project and write one block."""
        geometry, rows, store = spec.geometry, spec.geometry.block_rows(index), spec.folder.specimen_tilts
        density = np.asarray(open_array(spec.folder.volume(item.owner), "density", "r")[:, rows, :])
        acquisition = geometry.acquisition(item.owner)
        angles = {"noiseless": acquisition.tilt_angles}
        if has_true_projection(spec, item):
            conditions = draw_imaging_conditions(spec.config, item.owner, acquisition)
            angles[TRUE_PROJECTION] = conditions.tilt_angles
        project = spec.config.acquisition.projector.project
        for name, tilt_angles in angles.items():
            stack = project(density, tilt_angles, width=geometry.tilt_shape[1])
            open_array(store(item.owner), name)[:, rows, :] = stack
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
        stacks = 1 + any(has_true_projection(spec, item) for item in list_imaged_specimens(spec))
        seconds = rates.unit_s + rates.load_s_per_byte * 4 * voxels
        seconds += stacks * (work_s + rates.store_s_per_byte * stack_bytes)
        return UnitCost(seconds, memory, stacks * stack_bytes)


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
