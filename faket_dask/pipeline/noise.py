"""Stage that fits the noise of a series: statistics per tilt, and the extrema that scale its stacks to [0, 1].

Scaling needs the extrema of whole stacks, so the noise of every tilt is drawn twice: here to find them, and again by
the tilt's own unit of `synthesise`, which writes everything that is kept of the tilt. Drawing is cheap and seeded;
storing whole stacks in between is neither needed nor small.
"""

from __future__ import annotations

from faket_dask.dataset.attributes import STACK_ATTRIBUTES
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, OwnedArray, open_array
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.pipeline.background import DrawBackground
from faket_dask.pipeline.costs import INTERPRETER_BYTES, estimate_projection_reading, tilt_pixels
from faket_dask.pipeline.kernel_rates import load_kernel_rates
from faket_dask.pipeline.project import ProjectVolume
from faket_dask.pipeline.reference import MeasureStatistics
from faket_dask.pipeline.series_arrays import (
    CURVES,
    EXPLAINED_POWER,
    SCALED,
    SIGNAL_POWER,
    SIGNAL_STD,
    SIGNAL_VARIANCE,
    describe_series,
)

NOISE_BYTES_PER_PIXEL = 64
"""Projection, noise, its transform in double precision, and the tilt."""

TILT_ARRAYS = 3
"""Arrays that are opened for each tilt."""

COMMON_RATIO = "common_ratio"
"""Finding: power of the signal by unpaired statistics over what neighbouring tilts of the reference share."""

EXCESS = "excess"
"""Finding: variance that the signal alone has over the reference's, relative to that."""


class FitNoise(Stage[DatasetSpec]):
    """Fit noise statistics of a series over its references, and find the extrema of its noisy tilts."""

    name = "fit_noise"
    label = "fit_noise-levels"
    milestone = "noise fitted"

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return all series, if any kept modality depends on a reference."""
        return [Item(series.name) for series in spec.series] if spec.makes_series else []

    def predecessors(self, spec: DatasetSpec, item: Item) -> list[BatchKey]:
        """Return the specimen's projections and the statistics of the references."""
        series = spec.series_by_name[item.owner]
        whole = spec.config.noise.fit_over == "all_references"
        references = spec.used_references if whole else spec.blend_weights(series.reference)
        statistics = [BatchKey(MeasureStatistics.name, Item(name)) for name in references]
        background = [BatchKey(DrawBackground.name, item)] if spec.shares_background else []
        return [BatchKey(ProjectVolume.name, Item(series.specimen)), *statistics, *background]

    def prepare(self, spec: DatasetSpec, item: Item) -> None:
        """Create the series' groups and coordinates."""
        describe_series(spec, item.owner)

    def arrays(self, spec: DatasetSpec, item: Item) -> list[OwnedArray]:
        """Return one vector per statistic, and the signal's spectra where they are needed."""
        from faket_dask.references.statistics import count_rings

        tilts = spec.geometry.stack_shape(item.owner)[0]
        names = [*CURVES, *(f"{name}_{end}" for name in SCALED for end in ("low", "high"))]
        arrays: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {name: (("tilt",), ()) for name in names}
        if spec.measures_spectra:
            arrays[SIGNAL_POWER] = (("tilt", "off_or_on_axes", "ring"), (2, count_rings(spec)))
            arrays |= {name: (("tilt",), ()) for name in (SIGNAL_VARIANCE, SIGNAL_STD)}
        if spec.config.noise.is_physical:
            arrays[EXPLAINED_POWER] = (("tilt", "ring"), (count_rings(spec),))
        path = spec.folder.series_tilts(item.owner)
        return [
            OwnedArray(
                path,
                ArraySpec(name, dims, (tilts, *size), (tilts, *size), "float64", attributes=STACK_ATTRIBUTES),
            )
            for name, (dims, size) in arrays.items()
        ]

    def compute(self, spec: DatasetSpec, item: Item, index: int) -> Findings:
        """Fit and write the statistics of all tilts; findings are how well the specimen fits the reference."""
        from faket_dask.kernels.style.scaling import tilt_extrema
        from faket_dask.pipeline.noise_fit import (
            compare_common_power,
            fit_physically,
            fit_series_curves,
            measure_signal,
        )
        from faket_dask.pipeline.series_tilts import SeriesTilts

        path = spec.folder.series_tilts(item.owner)
        signal, findings = None, {}
        if spec.measures_spectra:
            signal = measure_signal(spec, item.owner)
            for name, measured in signal.arrays.items():
                open_array(path, name)[...] = measured
        if spec.config.noise.is_physical:
            assert signal is not None
            fit = fit_physically(spec, item.owner, signal)
            curves, findings = fit.curves, {EXCESS: fit.excess}
            open_array(path, EXPLAINED_POWER)[...] = fit.explained
        else:
            curves = fit_series_curves(spec, item.owner, spec.config.noise.order, signal)
        if spec.config.noise.statistics == "unpaired" and signal is not None:
            ratio = compare_common_power(spec, item.owner, signal, curves)
            findings = {} if ratio is None else {COMMON_RATIO: ratio}
        for name in CURVES:
            open_array(path, name)[...] = getattr(curves, name)
        tilts = SeriesTilts.open(spec, item.owner)
        extrema: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in SCALED}
        for tilt in range(spec.geometry.stack_shape(item.owner)[0]):
            images = tilts.draw(tilt, dict.fromkeys(SCALED, curves))
            for name in SCALED:
                low, high = tilt_extrema(images[name], spec.config.style.transfer.clip_percent)
                extrema[name][0].append(low)
                extrema[name][1].append(high)
        for name, ends in extrema.items():
            for end, values in zip(("low", "high"), ends, strict=True):
                open_array(path, f"{name}_{end}")[...] = values
        return findings

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one series."""
        rates, pixels = load_kernel_rates(spec.threads_per_task), tilt_pixels(spec)
        tilts = spec.geometry.tilt_counts[1]
        memory = INTERPRETER_BYTES + NOISE_BYTES_PER_PIXEL * pixels
        seconds = (1 + len(SCALED)) * rates.noise_s_per_pixel
        seconds += len(SCALED) * rates.extrema_s_per_pixel
        if spec.measures_spectra:
            seconds += rates.grow(rates.spectrum_s_per_pixel, min(spec.geometry.tilt_shape))
        if spec.config.style.noise != "white":
            seconds += rates.shape_s_per_pixel
        if spec.config.signal.is_transferred:
            seconds += (2 if spec.measures_spectra else 1) * rates.signal_s_per_pixel
        passes = 2 if spec.measures_spectra else 1
        per_tilt = TILT_ARRAYS * rates.array_s + passes * estimate_projection_reading(spec, rates)
        per_tilt += seconds * pixels
        return UnitCost(rates.unit_s + per_tilt * tilts, memory, 64 * tilts)
