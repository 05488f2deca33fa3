"""Stage that images specimens by the microscope model: the modality `benchmark`, and simulated references."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.attributes import STACK_ATTRIBUTES
from faket_dask.dataset.contents import read_contents
from faket_dask.dataset.imaging import ImagingConditions, draw_faults, draw_imaging_conditions
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import (
    ArraySpec,
    OwnedArray,
    create_array,
    open_array,
    read_tilt,
    write_vector,
)
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.geometry import format_tilt_angle
from faket_dask.kernels.optics import Defocus
from faket_dask.modalities import MODALITIES
from faket_dask.pipeline.build import list_imaged_specimens
from faket_dask.pipeline.costs import (
    INTERPRETER_BYTES,
    STATISTICS_BYTES_PER_PIXEL,
    block_voxels,
    estimate_projection_reading,
    reference_pixels,
    tilt_pixels,
)
from faket_dask.pipeline.kernel_rates import load_kernel_rates
from faket_dask.pipeline.project import TRUE_PROJECTION, ProjectVolume, has_true_projection
from faket_dask.stages.seeds import Purpose, generator

IMAGE_BYTES_PER_PIXEL = 120
"""Padded potential, complex wave, its transform and the aberration of a strip, in double precision."""

SLICE_SHARE = 0.25
"""Time of a slice over that of an image of one thin specimen."""

MATCHED_RINGS = 64
"""Rings in which amplitudes are matched: few enough that each is known well."""

STRIP_SHARE = 0.1
"""Part of an image's time that grows with the pixels of its strips."""

TRUTH = {
    "true_tilt_angle": ("degrees", "tilt angle of the specimen in the images of the microscope model"),
    "defocus": ("micrometer", "defocus at the tilt axis, underfocus positive"),
    "astigmatism": ("micrometer", "defocus along the astigmatism's axis minus defocus across it"),
    "astigmatism_angle": ("degrees", "axis of the larger defocus, from x to y"),
    "shift_x": ("angstrom", "displacement of the image along x"),
    "shift_y": ("angstrom", "displacement of the image along y"),
    "drift_x": ("angstrom", "drift during the exposure along x"),
    "drift_y": ("angstrom", "drift during the exposure along y"),
    "exposure": ("e/angstrom^2", "exposure before the tilt"),
}
"""Vectors of what is true of each image, with units and description."""


class SimulateImages(Stage[DatasetSpec]):
    """Image one tilt of a specimen."""

    name = "simulate"
    label = "simulate"

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return the specimens whose benchmark is kept, and those that simulated references image."""
        return list_imaged_specimens(spec)

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
        """Write what is true of each image, and the faults of the detector that makes them."""
        path = spec.folder.specimen_tilts(item.owner)
        conditions = _draw_conditions(spec, item)
        for name, values in _list_truth(conditions).items():
            units, description = TRUTH[name]
            write_vector(path, name, "tilt", values, {"units": units, "long_name": description})
        faults = draw_faults(spec.config, item.owner)
        if faults is not None:
            _write_map(path, "gain", faults.gain)
            _write_map(path, "hot_pixels", faults.hot.astype(np.uint8))

    def arrays(self, spec: DatasetSpec, item: Item) -> list[OwnedArray]:
        """Return the benchmark stack."""
        tilts, rows, columns = spec.geometry.stack_shape(item.owner)
        benchmark = ArraySpec(
            "benchmark",
            ("tilt", "y", "x"),
            (tilts, rows, columns),
            (1, rows, columns),
            attributes={
                "units": "e/pixel" if spec.config.microscope.match_amplitudes is None else "1",
                "long_name": MODALITIES.get("benchmark").description,
                "coordinates": " ".join((STACK_ATTRIBUTES["coordinates"], *TRUTH)),
            },
        )
        return [OwnedArray(spec.folder.specimen_tilts(item.owner), benchmark, unit_axes=(0,))]

    def compute(self, spec: DatasetSpec, item: Item, index: int) -> Findings:
        """Image and write one tilt."""
        from faket_dask.stages.imaging import Slab, simulate_counts

        microscope, pixel = spec.config.microscope, spec.geometry.acquisition(item.owner).pixel_size_A
        path = spec.folder.specimen_tilts(item.owner)
        conditions = _draw_conditions(spec, item)
        depth = spec.geometry.volume_shape(item.owner)[0]
        slab = None
        if microscope.multislice is not None:
            per_slice = max(1, round(microscope.multislice.slice_A / pixel))
            slab = Slab(depth, per_slice, partial(_read_blocks, spec, item))
        source = TRUE_PROJECTION if has_true_projection(spec, item) else "noiseless"
        counts = simulate_counts(
            read_tilt(path, source, index),
            pixel,
            microscope.to_microscope(depth * pixel),
            conditions.exposure(index),
            generator(spec.config.dataset.seed, item.owner, Purpose.COUNTS, index),
            contents=read_contents(spec, item.owner),
            displacement=conditions.displacement(index),
            faults=draw_faults(spec.config, item.owner),
            slab=slab,
        )
        if microscope.match_amplitudes is not None:
            counts = _match_recording(spec, item, index, counts)
        open_array(path, "benchmark")[index] = counts
        return {}

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one tilt."""
        from faket_dask.stages.imaging import STACK_BYTES

        rates, pixels = load_kernel_rates(spec.threads_per_task), tilt_pixels(spec)
        memory = INTERPRETER_BYTES + IMAGE_BYTES_PER_PIXEL * pixels
        images = _estimate_images(spec)
        seconds = rates.unit_s + estimate_projection_reading(spec, rates)
        if spec.config.microscope.multislice is not None:
            slices = _count_slices(spec)
            stack_bytes = 4 * slices * pixels
            held_bytes = min(stack_bytes, max(STACK_BYTES, 4 * pixels))
            groups = math.ceil(stack_bytes / held_bytes)
            voxels = spec.geometry.block_count * block_voxels(spec)
            images += SLICE_SHARE * slices
            seconds += groups * voxels * (4 * rates.load_s_per_byte + rates.project_s_per_sample)
            memory += held_bytes + 12 * block_voxels(spec)
        if spec.config.microscope.match_amplitudes is not None:
            recorded = reference_pixels(spec)
            seconds += (rates.mask_s_per_pixel + rates.spectrum_s_per_pixel) * (pixels + recorded)
            memory = max(memory, INTERPRETER_BYTES + STATISTICS_BYTES_PER_PIXEL * recorded)
        seconds += images * rates.image_s_per_pixel * pixels + rates.store_s_per_byte * 4 * pixels
        return UnitCost(seconds, memory, 4 * pixels)


def _draw_conditions(spec: DatasetSpec, item: Item) -> ImagingConditions:
    return draw_imaging_conditions(spec.config, item.owner, spec.geometry.acquisition(item.owner))


def _write_map(path: Path, name: str, values: NDArray[np.generic]) -> None:
    """Create and write a map of the detector, whole."""
    create_array(path, ArraySpec(name, ("y", "x"), values.shape, values.shape, str(values.dtype)))
    open_array(path, name)[...] = values


def _list_truth(conditions: ImagingConditions) -> dict[str, NDArray[np.float64]]:
    """Return the values of `TRUTH`, ``(tilt,)`` each."""
    return {
        "true_tilt_angle": conditions.tilt_angles,
        "defocus": np.array([defocus.mean_um for defocus in conditions.defocus]),
        "astigmatism": np.array([defocus.astigmatism_um for defocus in conditions.defocus]),
        "astigmatism_angle": np.array([defocus.astigmatism_angle for defocus in conditions.defocus]),
        "shift_x": conditions.shift_A[:, 0],
        "shift_y": conditions.shift_A[:, 1],
        "drift_x": conditions.drift_A[:, 0],
        "drift_y": conditions.drift_A[:, 1],
        "exposure": conditions.exposure_before_e_per_A2,
    }


def _match_recording(
    spec: DatasetSpec, item: Item, index: int, counts: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return an image with the amplitudes of the recorded tilt that is nearest in angle."""
    from faket_dask.kernels.amplitude_matching import match_amplitudes
    from faket_dask.methods.noise import ReferenceTilt
    from faket_dask.references import open_reference

    name = spec.config.microscope.match_amplitudes
    assert name is not None
    reference = open_reference(spec, name)
    angle = spec.geometry.acquisition(item.owner).tilt_angles[index]
    tilt = reference.read_tilt(int(np.argmin(np.abs(reference.tilt_angles - angle))))
    rings = min(MATCHED_RINGS, *(side // 2 for side in (*counts.shape, *tilt.pixels.shape)))
    own = ReferenceTilt.from_image(counts, rings)
    recorded = ReferenceTilt.from_image(tilt.pixels, rings, tilt.artefact_free)
    return match_amplitudes(counts, own.ring_power[0], recorded.ring_power[0], *recorded.moments)


def _read_blocks(spec: DatasetSpec, item: Item) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    density = open_array(spec.folder.volume(item.owner), "density", "r")
    for block in range(spec.geometry.block_count):
        rows = spec.geometry.block_rows(block)
        yield rows, np.asarray(density[:, rows, :])


def _count_slices(spec: DatasetSpec) -> int:
    """Return the number of slices of a specimen."""
    multislice = spec.config.microscope.multislice
    assert multislice is not None
    layers = max(1, round(multislice.slice_A / spec.geometry.nominal_pixel_size_A))
    return math.ceil(spec.geometry.volume_shape(spec.specimens[0])[0] / layers)


def _estimate_images(spec: DatasetSpec) -> float:
    """Return the time of an image of a thin specimen over that of one without tilt: strips overlap."""
    from faket_dask.kernels.defocus_gradient import count_strip_pixels

    acquisition = spec.geometry.acquisition(spec.specimens[0])
    conditions = draw_imaging_conditions(spec.config, spec.specimens[0], acquisition)

    def count(tilt_angle: float, defocus: Defocus) -> int:
        optics = spec.config.microscope.optics
        return count_strip_pixels(
            spec.geometry.tilt_shape, acquisition.pixel_size_A, optics, tilt_angle, defocus
        )

    tilts = zip(conditions.tilt_angles, conditions.defocus, strict=True)
    ratios = [count(angle, defocus) / count(0.0, defocus) for angle, defocus in tilts]
    return 1 + STRIP_SHARE * (float(np.mean(ratios)) - 1)
