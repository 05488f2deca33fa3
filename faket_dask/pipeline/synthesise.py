"""Stage that makes the tilts of series: noisy ones, and those in the reference's style."""

from __future__ import annotations

from faket_dask.dataset.attributes import STACK_ATTRIBUTES
from faket_dask.dataset.modality_noise import find_noise_model
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, OwnedArray, open_array, read_tilt
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, Preview, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.geometry import format_tilt_angle
from faket_dask.modalities import MODALITIES, Owner
from faket_dask.pipeline.costs import (
    INTERPRETER_BYTES,
    cuda_bytes,
    estimate_projection_reading,
    tilt_pixels,
    transfer_task_bytes,
)
from faket_dask.pipeline.kernel_rates import load_kernel_rates
from faket_dask.pipeline.noise import NOISE_BYTES_PER_PIXEL, FitNoise
from faket_dask.pipeline.reference import GRAM_VALUES, MeasureGram
from faket_dask.pipeline.series_arrays import SCALED, read_stack_range
from faket_dask.stages.tiling import transfer_work

SERIES_ARRAYS, BASELINE_ARRAYS = 4, 4
"""Small arrays that are read for a tilt: of its series, and of each reference that a constant level is fitted to."""


class SynthesiseTilts(Stage[DatasetSpec]):
    """Make all kept modalities of one tilt of a series."""

    name = "synthesise"
    label = "synthesise"

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return all series, if any kept modality depends on a reference."""
        return [Item(series.name) for series in spec.series] if spec.makes_series else []

    def predecessors(self, spec: DatasetSpec, item: Item) -> list[BatchKey]:
        """Return the series' noise fit, and the Gram matrices of its references."""
        weights = spec.blend_weights(spec.series_by_name[item.owner].reference) if spec.uses_network else {}
        grams = [BatchKey(MeasureGram.name, Item(name)) for name in weights]
        return [BatchKey(FitNoise.name, item), *grams]

    def count(self, spec: DatasetSpec, item: Item) -> int:
        """Return the number of tilts."""
        return spec.geometry.stack_shape(item.owner)[0]

    def arrays(self, spec: DatasetSpec, item: Item) -> list[OwnedArray]:
        """Return one stack per kept modality."""
        tilts, rows, columns = spec.geometry.stack_shape(item.owner)
        return [
            OwnedArray(
                spec.folder.series_tilts(item.owner),
                ArraySpec(
                    name,
                    ("tilt", "y", "x"),
                    (tilts, rows, columns),
                    (1, rows, columns),
                    attributes={
                        "units": "arbitrary",
                        "long_name": MODALITIES.get(name).description,
                        **STACK_ATTRIBUTES,
                    },
                ),
                unit_axes=(0,),
            )
            for name in kept_modalities(spec)
        ]

    def unit_labels(self, spec: DatasetSpec, item: Item) -> list[str]:
        """Return the tilt angles."""
        return [format_tilt_angle(angle) for angle in spec.geometry.acquisition(item.owner).tilt_angles]

    def read_preview(self, spec: DatasetSpec, item: Item, index: int) -> Preview | None:
        """Read the tilt of the kept modality that is nearest to the final image."""
        kept = kept_modalities(spec)
        if not kept:
            return None
        tilt = read_tilt(spec.folder.series_tilts(item.owner), kept[-1], index)
        return Preview(tilt, f"{kept[-1]} of {item}, {self.unit_labels(spec, item)[index]}")

    def compute(self, spec: DatasetSpec, item: Item, index: int) -> Findings:
        """Draw, transfer and write one tilt."""
        from faket_dask.pipeline.noise_fit import SignalSpectra, fit_series_curves
        from faket_dask.pipeline.series_tilts import SeriesTilts

        tilts, kept = SeriesTilts.open(spec, item.owner), kept_modalities(spec)
        fitted = tilts.read_curves()
        noisy = (name for name in MODALITIES.select(Owner.SERIES, is_noise=True) if name in kept)
        curves = dict.fromkeys([*noisy, *(SCALED if spec.uses_network else ())], fitted)
        if "baseline" in kept and spec.config.noise.is_physical:
            curves["baseline"] = fitted.average()
        elif "baseline" in kept:
            signal = SignalSpectra.read(tilts.store) if spec.measures_spectra else None
            curves["baseline"] = fit_series_curves(spec, item.owner, 0, signal)
        images = tilts.draw(index, curves)
        if spec.uses_network:
            from faket_dask.methods.transfer import TiltImage
            from faket_dask.pipeline.style_targets import StyleTargets

            images["faket"] = StyleTargets.open(spec).transfer(
                content=TiltImage(images["content"], read_stack_range(spec, item.owner, "content")),
                start=TiltImage(images["start"], read_stack_range(spec, item.owner, "start")),
                reference=tilts.select_reference_tilts(index),
                moments=tilts.find_moments(
                    index, fitted, without_beads=spec.config.style.transfer.masks_artefacts
                ),
            )
        for name in kept:
            open_array(tilts.store, name)[index] = images[name]
        return {}

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one tilt: the transfer where there is one, otherwise the noise."""
        rates, pixels = load_kernel_rates(spec.threads_per_task), tilt_pixels(spec)
        kept, style = kept_modalities(spec), spec.config.style
        written = 4 * len(kept) * pixels
        seconds = rates.unit_s + estimate_projection_reading(spec, rates) + rates.store_s_per_byte * written
        seconds += (1 + len(kept)) * rates.noise_s_per_pixel * pixels
        if spec.config.signal.is_transferred:
            seconds += rates.signal_s_per_pixel * pixels
        if spec.shares_background:
            seconds += rates.load_s_per_byte * 4 * pixels
        shaped = {find_noise_model(name) for name in kept} | ({style.noise} if spec.uses_network else set())
        seconds += len(shaped - {None, "white"}) * rates.shape_s_per_pixel * pixels
        seconds += (SERIES_ARRAYS + len(kept)) * rates.array_s
        if "baseline" in kept:
            seconds += BASELINE_ARRAYS * len(spec.used_references) * rates.array_s
        if not spec.uses_network:
            return UnitCost(seconds, INTERPRETER_BYTES + NOISE_BYTES_PER_PIXEL * pixels, written)
        memory, start = transfer_task_bytes(spec), {"network": rates.network_start_s}
        if style.device == "cuda":
            return UnitCost(None, memory, written, cuda_bytes(memory), start)
        if style.transfer.masks_artefacts:
            side = min(spec.geometry.tilt_shape)
            grown = sum(
                rates.grow(rate, side) for rate in (rates.mask_s_per_pixel, rates.texture_s_per_pixel)
            )
            seconds += grown * pixels
        arrays = len(style.transfer.arrays(style.style_network.architecture))
        seconds += (arrays + SERIES_ARRAYS) * rates.array_s + rates.load_s_per_byte * 4 * GRAM_VALUES
        seconds += style.transfer.evaluations * rates.evaluation_s
        seconds += rates.transfer_s_per_pixel * pixels * transfer_work(style, spec.geometry.tilt_shape)
        return UnitCost(seconds, memory, written, start=start)


def kept_modalities(spec: DatasetSpec) -> list[str]:
    """Return the kept modalities that belong to a series, in the order of the table of modalities."""
    return [name for name in MODALITIES.select(Owner.SERIES) if name in spec.config.outputs.modalities]
