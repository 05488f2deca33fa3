"""Stages that reconstruct tomograms of a data set; their computation is `faket_dask.pipeline.tomogram_stages`."""

from __future__ import annotations

import json
from typing import Any

from faket_dask.dataset.attributes import describe_group, write_tilt_angles
from faket_dask.dataset.geometry import BLOCK_ROWS
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.tomogram_chunks import SLAB_LAYERS
from faket_dask.dataset.tomograms import Tomogram, list_tomograms
from faket_dask.engine.arrays import write_vector
from faket_dask.engine.stage import BatchKey, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.modalities import MODALITIES
from faket_dask.pipeline.costs import INTERPRETER_BYTES, cuda_bytes, tilt_pixels
from faket_dask.pipeline.kernel_rates import load_kernel_rates
from faket_dask.pipeline.tomogram_stages import BackProjectPieces, FilterStack

FILTER_BYTES_PER_PIXEL = 60
"""The tilt binned, its transform, and the filter in double precision with what it is made from."""

BACK_PROJECTION_BYTES = 5 * 2**28
"""Intermediate results of a back-projection on a GPU: about five arrays of a quarter of a gigabyte."""


def _list_items(spec: DatasetSpec) -> list[Item]:
    items = (tomogram.item for series in spec.series for tomogram in list_tomograms(spec, series))
    return list(dict.fromkeys(items))


def fingerprint_tomograms(spec: DatasetSpec) -> str:
    """Return the digest of what tomograms depend on: the data set's fingerprint, and their own settings."""
    settings = json.dumps(spec.config.reconstruction.list_settings(), separators=(",", ":"))
    return f"{spec.fingerprint}/{settings}"


class FilterTilts(FilterStack[DatasetSpec]):
    """Bin and filter one tilt of a tomogram."""

    name = "filter"
    label = "filter-projection"

    def open_source(self, spec: DatasetSpec, item: Item) -> Tomogram:
        """Return the tomogram of an item."""
        return Tomogram(spec, item.owner, item.part)

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return all tomograms."""
        return _list_items(spec)

    def predecessors(self, spec: DatasetSpec, item: Item) -> list[BatchKey]:
        """Return the tilt-series."""
        return [BatchKey(MODALITIES.get(item.part).stage, Item(item.owner))]

    def prepare(self, spec: DatasetSpec, item: Item) -> None:
        """Create the groups and coordinates of the tomogram and its filtered tilts."""
        tomogram = self.open_source(spec, item)
        settings: dict[str, Any] = tomogram.section.model_dump(
            mode="json", exclude={"modalities", "thickness_A"}
        )
        pixel = tomogram.acquisition.pixel_size_A
        for group in (tomogram.group, tomogram.filtered_group):
            describe_group(group, spec, pixel, voxel_size_A=tomogram.voxel_size_A, **settings)
        coordinates = tomogram.coordinates()
        for axis, places in coordinates.items():
            write_vector(tomogram.group, axis, axis, places, {"units": "angstrom"})
        write_vector(tomogram.filtered_group, "y", "y", coordinates["y"], {"units": "angstrom"})
        write_tilt_angles(tomogram.filtered_group, tomogram.tilt_angles)

    def fingerprint(self, spec: DatasetSpec) -> str:
        """Return the digest with the settings of tomograms, on which no other stage depends."""
        return fingerprint_tomograms(spec)

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one tilt."""
        rates, pixels = load_kernel_rates(spec.threads_per_task), tilt_pixels(spec)
        _, rows, columns = list_tomograms(spec, spec.series[0])[0].filtered_shape
        memory = INTERPRETER_BYTES + FILTER_BYTES_PER_PIXEL * pixels
        section = spec.config.reconstruction
        seconds = (
            rates.unit_s + rates.load_s_per_byte * 4 * pixels + rates.store_s_per_byte * 4 * rows * columns
        )
        seconds += rates.filter_s_per_pixel * pixels / section.binning**2
        if section.binning > 1:
            seconds += rates.filter_s_per_pixel * pixels
        if section.erase_beads:
            seconds += 2 * rates.grow(rates.mask_s_per_pixel, min(spec.geometry.tilt_shape)) * pixels
        return UnitCost(seconds, memory, 4 * rows * columns)


class ReconstructTomogram(BackProjectPieces[DatasetSpec]):
    """Back-project one slab of one block of rows."""

    name = "reconstruct"
    label = "reconstruct-block"

    def open_source(self, spec: DatasetSpec, item: Item) -> Tomogram:
        """Return the tomogram of an item."""
        return Tomogram(spec, item.owner, item.part)

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return all tomograms."""
        return _list_items(spec)

    def predecessors(self, spec: DatasetSpec, item: Item) -> list[BatchKey]:
        """Return the filtered tilts."""
        return [BatchKey(FilterTilts.name, item)]

    def fingerprint(self, spec: DatasetSpec) -> str:
        """Return the digest with the settings of tomograms, on which no other stage depends."""
        return fingerprint_tomograms(spec)

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one piece."""
        from faket_dask.kernels.backprojection_binned import FINE_LAYERS

        rates, section = load_kernel_rates(spec.threads_per_task), spec.config.reconstruction
        tomogram = list_tomograms(spec, spec.series[0])[0]
        tilts, rows, columns = tomogram.filtered_shape
        block = min(BLOCK_ROWS, rows) * columns
        voxels = min(SLAB_LAYERS, tomogram.shape[0]) * block // section.post_binning
        seconds = rates.back_project_s_per_voxel * section.post_binning**2 * voxels * tilts
        # the rows twice, the piece, and the encoder's copy; layers of full resolution, and low-passed
        memory = INTERPRETER_BYTES + 8 * tilts * BLOCK_ROWS * columns + 8 * voxels
        memory += 8 * FINE_LAYERS * block if section.post_binning > 1 else 0
        if section.device == "cuda":
            return UnitCost(None, memory, 4 * voxels, cuda_bytes(memory) + BACK_PROJECTION_BYTES)
        seconds += (
            rates.unit_s + rates.load_s_per_byte * 4 * tilts * block + rates.store_s_per_byte * 4 * voxels
        )
        return UnitCost(seconds, memory, 4 * voxels)
