"""Stage that makes the tilts of series: noisy ones, and those in the reference's style."""

from __future__ import annotations

from faket_dask.dataset.attributes import STACK_ATTRIBUTES
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, OwnedArray, open_array, read_vector
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.modalities import MODALITIES, Owner
from faket_dask.pipeline.costs import INTERPRETER_BYTES, cuda_bytes, tilt_pixels, transfer_task_bytes
from faket_dask.pipeline.kernel_rates import load_kernel_rates
from faket_dask.pipeline.noise import NOISE_BYTES_PER_PIXEL, SIGNAL_POWER, SIGNAL_VARIANCE, FitNoise
from faket_dask.pipeline.reference import MeasureGram
from faket_dask.stages.tiling import transfer_work


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
                spec.folder.series(item.owner),
                ArraySpec(
                    name,
                    ("tilt", "y", "x"),
                    (tilts, rows, columns),
                    (1, rows, columns),
                    attributes=STACK_ATTRIBUTES,
                ),
                unit_axes=(0,),
            )
            for name in kept_modalities(spec)
        ]

    def compute(self, spec: DatasetSpec, item: Item, index: int) -> Findings:
        """Draw, transfer and write one tilt."""
        from faket_dask.pipeline.noise_fit import SignalSpectra, fit_series_curves
        from faket_dask.pipeline.series_tilts import SeriesTilts

        tilts, kept = SeriesTilts.open(spec, item.owner), kept_modalities(spec)
        fitted = tilts.read_curves()
        needed = {*kept, *((tilts.start, "content") if spec.uses_network else ())}
        noisy = dict.fromkeys([*MODALITIES.select(Owner.SERIES, is_noise=True), tilts.start])
        curves = {name: fitted for name in noisy if name in needed}
        if "baseline" in kept:
            signal = None
            if spec.measures_spectra:
                signal = SignalSpectra(
                    *(read_vector(tilts.store, key) for key in (SIGNAL_POWER, SIGNAL_VARIANCE))
                )
            curves["baseline"] = fit_series_curves(spec, item.owner, 0, signal)
        images = tilts.draw(index, curves)
        if spec.uses_network:
            from faket_dask.pipeline.style_targets import transfer_series_tilt

            selected = tilts.select_reference_tilts(index)
            start = {"start": images[tilts.start], "content": images["content"]}
            images["faket"] = transfer_series_tilt(spec, item.owner, selected, start)
        for name in kept:
            open_array(tilts.store, name)[index] = images[name]
        return {}

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one tilt: the transfer where there is one, otherwise the noise."""
        rates, pixels = load_kernel_rates(spec.threads_per_task), tilt_pixels(spec)
        written = 4 * len(kept_modalities(spec)) * pixels
        if not spec.uses_network:
            memory = INTERPRETER_BYTES + NOISE_BYTES_PER_PIXEL * pixels
            return UnitCost(rates.noise_s_per_pixel * pixels, memory, written)
        style = spec.config.style
        work = transfer_work(style, spec.geometry.tilt_shape)
        memory = transfer_task_bytes(spec)
        gpu = cuda_bytes(memory) if style.device == "cuda" else 0
        return UnitCost(rates.transfer_s_per_pixel * pixels * work, memory, written, gpu)


def kept_modalities(spec: DatasetSpec) -> list[str]:
    """Return the kept modalities that belong to a series, in the order of the table of modalities."""
    return [name for name in MODALITIES.select(Owner.SERIES) if name in spec.config.outputs.modalities]
