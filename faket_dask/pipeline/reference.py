"""Stages that measure references: statistics of all tilts at once, and the Gram matrices of each tilt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from faket_dask.dataset.attributes import STACK_ATTRIBUTES, describe_group, write_tilt_angles
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, OwnedArray, open_array
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.kernels.similarity.tilt_coherence import LOW_TILT_DEG
from faket_dask.pipeline.costs import (
    INTERPRETER_BYTES,
    STATISTICS_BYTES_PER_PIXEL,
    average_units,
    cuda_bytes,
    estimate_projection_reading,
    reference_pixels,
    transfer_task_bytes,
)
from faket_dask.pipeline.kernel_rates import KernelRates, load_kernel_rates
from faket_dask.pipeline.reference_costs import (
    count_pixels,
    count_style_pixels,
    estimate_reading,
    estimate_search,
)
from faket_dask.pipeline.simulate import SimulateImages
from faket_dask.references import Reference, open_reference
from faket_dask.references.common_power import COMMON_POWER, describe_common_power, write_common_power
from faket_dask.references.imaging import open_reference_imaging

MOMENTS = ("mean", "std", "low", "high", "excluded")
"""Statistics of the valid pixels of a tilt; `excluded` is the share of the others."""

PAIRED = ("signal_scale", "noise_scale")
"""Statistics of a tilt beside its noiseless counterpart."""

MOMENT_PASSES = 2
"""Time of the moments and extrema of a tilt's valid pixels over that of adding noise."""

COMMON_PASSES = 3
"""Time in which a tilt is flattened, stretched and compared with its neighbour over that of measuring its spectrum."""

GRAM_VALUES = 610_000
"""Values of the Gram matrices of the published layers of a VGG-19."""


def list_references(spec: DatasetSpec) -> list[Item]:
    """Return the plain references whose statistics are needed."""
    return [Item(name) for name in spec.used_references]


class MeasureStatistics(Stage[DatasetSpec]):
    """Measure moments, extrema, noise statistics and spectra of all tilts of a reference."""

    name = "reference_statistics"
    label = "reference_statistics-measure"

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return the references whose statistics are needed."""
        return list_references(spec)

    def predecessors(self, spec: DatasetSpec, item: Item) -> list[BatchKey]:
        """Return the images of a simulated reference."""
        specimen = open_reference(spec, item.owner).simulated_specimen
        return [] if specimen is None else [BatchKey(SimulateImages.name, Item(specimen))]

    def prepare(self, spec: DatasetSpec, item: Item) -> None:
        """Create the reference's groups and its tilt angles."""
        reference = open_reference(spec, item.owner)
        store, group = spec.folder.reference(item.owner), spec.folder.statistics(item.owner)
        for path in (store, group):
            describe_group(
                path,
                spec,
                reference.pixel_size_A,
                reference=item.owner,
                weights=spec.config.style.weights,
                weights_sha256=spec.inputs.weights_checksum,
            )
        write_tilt_angles(group, reference.tilt_angles)

    def arrays(self, spec: DatasetSpec, item: Item) -> list[OwnedArray]:
        """Return one vector per statistic, and the spectra where they are needed."""
        from faket_dask.references.statistics import count_rings

        tilts = open_reference(spec, item.owner).tilt_angles.size
        names = MOMENTS + (PAIRED if spec.config.noise.statistics == "paired" else ())
        arrays: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {name: (("tilt",), ()) for name in names}
        for model in spec.studied_noise_models:
            for layout in model.arrays(count_rings(spec)):
                arrays[layout.name] = (("tilt", *layout.dims), layout.shape)
        path = spec.folder.statistics(item.owner)
        owned = [
            OwnedArray(
                path,
                ArraySpec(name, dims, (tilts, *size), (tilts, *size), "float64", attributes=STACK_ATTRIBUTES),
            )
            for name, (dims, size) in arrays.items()
        ]
        return [*owned, describe_common_power(spec, path)] if spec.measures_common_power else owned

    def compute(self, spec: DatasetSpec, item: Item, index: int) -> Findings:
        """Measure and write all tilts; the findings are their number and the mean excluded share."""
        reference = open_reference(spec, item.owner)
        arrays = [owned for owned in self.arrays(spec, item) if owned.spec.name != COMMON_POWER]
        values: dict[str, list[Any]] = {owned.spec.name: [] for owned in arrays}
        for tilt in range(reference.tilt_angles.size):
            for name, value in _measure_tilt(spec, reference, tilt).items():
                values[name].append(value)
        for owned in arrays:
            open_array(owned.group, owned.spec.name)[...] = np.asarray(values[owned.spec.name])
        if spec.measures_common_power:
            write_common_power(spec, reference, np.asarray(values["std"]))
        return {"tilts": reference.tilt_angles.size, "excluded": float(np.mean(values["excluded"]))}

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one reference."""
        tilts = max(int(open_reference(spec, item.owner).tilt_angles.size) for item in self.items(spec))
        memory = INTERPRETER_BYTES + STATISTICS_BYTES_PER_PIXEL * reference_pixels(spec)
        seconds = max(_estimate_statistics(spec, item.owner) for item in self.items(spec))
        return UnitCost(seconds, memory, 32 * tilts)

    def mean_seconds(self, spec: DatasetSpec, units: Mapping[Item, int]) -> float:
        """Estimate the mean over the references."""
        return average_units(units, lambda item: _estimate_statistics(spec, item.owner))


def _estimate_statistics(spec: DatasetSpec, name: str) -> float:
    """Estimate the seconds of one reference."""
    rates, reference = load_kernel_rates(spec.threads_per_task), open_reference(spec, name)
    pixels = count_pixels(reference)
    seconds = (
        rates.array_s + estimate_reading(spec, name, rates) + MOMENT_PASSES * rates.noise_s_per_pixel * pixels
    )
    if spec.measures_spectra:
        seconds += rates.grow(rates.spectrum_s_per_pixel, min(reference.shape)) * pixels
    if spec.measures_spectra or spec.config.style.transfer.masks_artefacts:
        seconds += estimate_search(spec, name, rates)
    if spec.config.noise.statistics == "paired":
        simulated = reference.simulated_specimen is not None
        seconds += MOMENT_PASSES * rates.noise_s_per_pixel * pixels
        seconds += estimate_projection_reading(spec, rates) if simulated else rates.align_s_per_pixel * pixels
    return (
        rates.unit_s + seconds * reference.tilt_angles.size + _estimate_common_power(spec, reference, rates)
    )


def _estimate_common_power(spec: DatasetSpec, reference: Reference, rates: KernelRates) -> float:
    """Estimate the seconds in which neighbouring low tilts of one reference are compared."""
    if not spec.measures_common_power:
        return 0.0
    pixels, low = count_pixels(reference), np.count_nonzero(np.abs(reference.tilt_angles) <= LOW_TILT_DEG)
    tilt = estimate_reading(spec, reference.name, rates) + estimate_search(spec, reference.name, rates)
    if reference.simulated_specimen is None:
        tilt += rates.align_s_per_pixel * pixels
    return float(low) * (tilt + COMMON_PASSES * rates.spectrum_s_per_pixel * pixels)


def _measure_tilt(spec: DatasetSpec, reference: Reference, tilt: int) -> dict[str, Any]:
    """Return the statistics of one tilt by name."""
    from faket_dask.kernels.noise import noise_curves
    from faket_dask.kernels.style.scaling import tilt_extrema
    from faket_dask.methods.noise import ReferenceTilt
    from faket_dask.references.statistics import count_rings

    masked = reference.read_tilt(tilt)
    image, mask = masked.pixels, masked.valid_mask
    low, high = tilt_extrema(image[mask], spec.config.style.transfer.clip_percent)
    mean, std = (float(moment(image[mask], dtype=np.float64)) for moment in (np.mean, np.std))
    values: dict[str, Any] = {"low": low, "high": high, "excluded": 1 - float(mask.mean())}
    if spec.measures_spectra:
        filled = ReferenceTilt.from_image(image, count_rings(spec), masked.artefact_free)
        for model in spec.studied_noise_models:
            values |= model.estimate(filled)
        if spec.config.noise.measures_spectra:
            mean, std = filled.moments
    values["mean"], values["std"] = mean, std
    if spec.config.noise.statistics == "paired":
        clean = reference.read_clean_tilt(tilt)
        if clean is not None:
            imaging = (
                open_reference_imaging(spec, reference.name) if spec.config.signal.is_transferred else None
            )
            if imaging is not None:
                clean = imaging.transfer(clean, reference.pixel_size_A, tilt)
            curves = noise_curves(image[mask][None, None], clean[mask][None, None])
            values["signal_scale"] = float(curves.signal_scale[0])
            values["noise_scale"] = float(curves.noise_scale[0])
    return values


class MeasureGram(Stage[DatasetSpec]):
    """Measure the style of one tilt of a reference: its Gram matrices."""

    name = "reference_gram"
    label = "reference_gram"

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return the references whose style is transferred."""
        if not spec.uses_network:
            return []
        styled = {name for series in spec.series for name in spec.blend_weights(series.reference)}
        return [item for item in list_references(spec) if item.owner in styled]

    def predecessors(self, spec: DatasetSpec, item: Item) -> list[BatchKey]:
        """Return the statistics of the reference."""
        return [BatchKey(MeasureStatistics.name, item)]

    def count(self, spec: DatasetSpec, item: Item) -> int:
        """Return the number of tilts."""
        return int(open_reference(spec, item.owner).tilt_angles.size)

    def arrays(self, spec: DatasetSpec, item: Item) -> list[OwnedArray]:
        """Return the arrays that the transfer method stores per tilt."""
        from faket_dask.pipeline.style_targets import StyleTargets

        return StyleTargets.open(spec).list_arrays(open_reference(spec, item.owner))

    def compute(self, spec: DatasetSpec, item: Item, index: int) -> Findings:
        """Measure and write one tilt; the finding is its number of pixels."""
        from faket_dask.pipeline.style_targets import StyleTargets

        return {"pixels": StyleTargets.open(spec).measure(open_reference(spec, item.owner), index)}

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one tilt."""
        rates, memory = load_kernel_rates(spec.threads_per_task), transfer_task_bytes(spec)
        start = {"network": rates.network_start_s}
        if spec.config.style.device == "cuda":
            return UnitCost(None, memory, 4 * GRAM_VALUES, cuda_bytes(memory), start)
        seconds = max(_estimate_grams(spec, item.owner) for item in self.items(spec))
        return UnitCost(seconds, memory, 4 * GRAM_VALUES, start=start)

    def mean_seconds(self, spec: DatasetSpec, units: Mapping[Item, int]) -> float | None:
        """Estimate the mean over the references; GPUs are not calibrated."""
        if spec.config.style.device == "cuda":
            return None
        return average_units(units, lambda item: _estimate_grams(spec, item.owner))


def _estimate_grams(spec: DatasetSpec, name: str) -> float:
    """Estimate the seconds of one tilt of a reference."""
    rates, pixels = load_kernel_rates(spec.threads_per_task), count_style_pixels(spec, name)
    seconds = rates.unit_s + estimate_reading(spec, name, rates) + rates.store_s_per_byte * 4 * GRAM_VALUES
    seconds += rates.gram_s + rates.gram_s_per_pixel * pixels
    if spec.config.style.transfer.masks_artefacts:
        # Of either half alone.
        half = min(open_reference(spec, name).shape) // 2
        texture_s = rates.grow(rates.texture_s_per_pixel, half) * pixels
        seconds += rates.gram_s + estimate_search(spec, name, rates) + texture_s
    return seconds
