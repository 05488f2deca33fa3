"""Stage that images specimens by the microscope model: the modality `benchmark`, and simulated references."""

from __future__ import annotations

from faket_dask.dataset.attributes import STACK_ATTRIBUTES
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, OwnedArray, open_array, read_tilt, read_vector, write_vector
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.geometry import acquisition_order, exposure_before, format_tilt_angle
from faket_dask.kernels.exposure import Exposure
from faket_dask.modalities import MODALITIES
from faket_dask.pipeline.build import list_specimens
from faket_dask.pipeline.costs import INTERPRETER_BYTES, estimate_projection_reading, tilt_pixels
from faket_dask.pipeline.kernel_rates import load_kernel_rates
from faket_dask.pipeline.project import ProjectVolume
from faket_dask.stages.seeds import Purpose, generator

IMAGE_BYTES_PER_PIXEL = 72
"""Complex wave, its transform and the contrast transfer function, in double precision."""


class SimulateImages(Stage[DatasetSpec]):
    """Image one tilt of a specimen."""

    name = "simulate"
    label = "simulate"

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return the specimens whose benchmark is kept, and those that simulated references image."""
        kept = (
            {series.specimen for series in spec.series}
            if "benchmark" in spec.config.outputs.modalities
            else set()
        )
        own = {series.specimen for series in spec.series}
        return [item for item in list_specimens(spec) if item.owner in kept or item.owner not in own]

    def predecessors(self, spec: DatasetSpec, item: Item) -> list[BatchKey]:
        """Return the specimen's projections."""
        return [BatchKey(ProjectVolume.name, item)]

    def count(self, spec: DatasetSpec, item: Item) -> int:
        """Return the number of tilts."""
        return spec.geometry.stack_shape(item.owner)[0]

    def unit_labels(self, spec: DatasetSpec, item: Item) -> list[str]:
        """Return the tilt angles."""
        return [format_tilt_angle(angle) for angle in spec.geometry.acquisition(item.owner).tilt_angles]

    def prepare(self, spec: DatasetSpec, item: Item) -> None:
        """Write the exposure before each tilt."""
        acquisition = spec.geometry.acquisition(item.owner)
        order = acquisition_order(acquisition.tilt_angles, spec.config.microscope.tilt_order)
        before = exposure_before(order, acquisition.dose_e_per_A2)
        attributes = {"units": "e/angstrom^2", "long_name": "exposure before the tilt"}
        write_vector(spec.folder.specimen_tilts(item.owner), "exposure", "tilt", before, attributes)

    def arrays(self, spec: DatasetSpec, item: Item) -> list[OwnedArray]:
        """Return the benchmark stack."""
        tilts, rows, columns = spec.geometry.stack_shape(item.owner)
        benchmark = ArraySpec(
            "benchmark",
            ("tilt", "y", "x"),
            (tilts, rows, columns),
            (1, rows, columns),
            attributes={
                "units": "e/pixel",
                "long_name": MODALITIES.get("benchmark").description,
                "coordinates": f"{STACK_ATTRIBUTES['coordinates']} exposure",
            },
        )
        return [OwnedArray(spec.folder.specimen_tilts(item.owner), benchmark, unit_axes=(0,))]

    def compute(self, spec: DatasetSpec, item: Item, index: int) -> Findings:
        """Image and write one tilt."""
        from faket_dask.stages.imaging import simulate_counts

        microscope, acquisition = spec.config.microscope, spec.geometry.acquisition(item.owner)
        path = spec.folder.specimen_tilts(item.owner)
        exposure = Exposure(
            float(acquisition.tilt_angles[index]),
            microscope.to_defocus(acquisition.defocus_um),
            acquisition.dose_e_per_A2,
            float(read_vector(path, "exposure")[index]),
        )
        open_array(path, "benchmark")[index] = simulate_counts(
            read_tilt(path, "noiseless", index),
            acquisition.pixel_size_A,
            microscope.to_microscope(spec.geometry.volume_shape(item.owner)[0] * acquisition.pixel_size_A),
            exposure,
            generator(spec.config.dataset.seed, item.owner, Purpose.COUNTS, index),
        )
        return {}

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one tilt."""
        rates, pixels = load_kernel_rates(spec.threads_per_task), tilt_pixels(spec)
        memory = INTERPRETER_BYTES + IMAGE_BYTES_PER_PIXEL * pixels
        seconds = rates.unit_s + rates.image_s_per_pixel * pixels
        seconds += estimate_projection_reading(spec, rates) + rates.store_s_per_byte * 4 * pixels
        return UnitCost(seconds, memory, 4 * pixels)
