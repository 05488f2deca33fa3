"""Stage that measures how far a series is from its reference, for three tilts of every modality.

It also measures what a transfer may do to the specimen: how much of its signal is left in a tilt, and how many objects
the tilt shows that no label explains. The item is a series and a modality, so that a modality that is asked for later
is measured then, and the others stay as they are. The findings are small and lie in the marker, from where the report
reads them.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.modality_stores import owning_item, stack_group
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_tilt
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.modalities import MODALITIES
from faket_dask.pipeline.cached_spec import CachedSpec
from faket_dask.pipeline.costs import (
    INTERPRETER_BYTES,
    cuda_bytes,
    estimate_projection_reading,
    reference_pixels,
    tilt_pixels,
)
from faket_dask.pipeline.kernel_rates import load_kernel_rates
from faket_dask.pipeline.reference import MeasureStatistics
from faket_dask.pipeline.reference_costs import count_pixels, estimate_reading
from faket_dask.pipeline.synthesise import SynthesiseTilts
from faket_dask.references import open_reference

if TYPE_CHECKING:
    from faket_dask.kernels.similarity.texture_similarity import TextureSample
    from faket_dask.kernels.style.network import Network

REALISM_BYTES_PER_PIXEL = 64
"""Tilt and noiseless tilt with their masks and background, in double precision."""


SPECTRUM_PASSES = 3
"""Time of the distances of two tilts' spectra, of all pairs of their halves, over that of measuring a spectrum."""


class Distances(TypedDict):
    """Distances of two tilts: of their logarithmic spectra, and of Gram matrices by layer."""

    log_spectrum: float
    gram: dict[str, float]


class ReferenceFindings(TypedDict):
    """Comparison of a tilt with one reference."""

    reference: str
    weight: float
    distances: Distances
    intra_reference: Distances
    kurtosis: float
    artefacts: float


class RealismFindings(TypedDict):
    """Findings of one unit."""

    tilt_angle: float
    kurtosis: float
    artefacts: float
    signal: float
    spurious_per_Mpx: float
    against: list[ReferenceFindings]


def measured_modalities(spec: DatasetSpec) -> list[str]:
    """Return the modalities that are compared with the reference: all that are kept, and those drawn anyway."""
    kept = spec.config.outputs.modalities
    if not spec.makes_series:
        return list(kept)
    drawn = ["noisy", "spectral"] if spec.measures_spectra else ["noisy"]
    return list(dict.fromkeys([*drawn, *kept]))


def compared_layers(spec: DatasetSpec) -> tuple[int, ...]:
    """Return the layers whose Gram matrices are compared: the published, or the style layers of a flatter network."""
    from faket_dask.kernels.similarity.texture_similarity import GRAM_LAYERS

    style = spec.config.style
    if max(GRAM_LAYERS) < style.style_network.architecture.layers:
        return GRAM_LAYERS
    return tuple(sorted(style.transfer.style_layers))


def measured_tilts(spec: DatasetSpec, series: str) -> list[int]:
    """Return the tilt nearest 0°, the one tilted furthest, and one half way (on the positive side if there is one)."""
    angles = np.round(spec.geometry.acquisition(series).tilt_angles, 6)
    steepest = float(max(angles, key=lambda angle: (abs(angle), angle)))
    nearest = [int(np.argmin(np.abs(angles - angle))) for angle in (0.0, steepest / 2, steepest)]
    return list(dict.fromkeys(nearest))


class MeasureRealism(Stage[DatasetSpec]):
    """Measure the distances of one tilt of a modality to the reference's tilt at that angle."""

    name = "realism"
    label = "realism"

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return series and modality of everything that is measured, if there are a report and references."""
        if not (spec.config.outputs.report and spec.references):
            return []
        return [Item(series.name, name) for series in spec.series for name in measured_modalities(spec)]

    def predecessors(self, spec: DatasetSpec, item: Item) -> list[BatchKey]:
        """Return the stacks of the series, and the statistics of its references."""
        series = spec.series_by_name[item.owner]
        kept = dict.fromkeys(MODALITIES.kept(spec.config.outputs.modalities))
        stages = dict.fromkeys((MODALITIES.get(name).stage, owning_item(series, name)) for name in kept)
        stacks = [BatchKey(stage, Item(owner)) for stage, owner in stages]
        if spec.makes_series:
            stacks.append(BatchKey(SynthesiseTilts.name, Item(series.name)))
        references = [
            BatchKey(MeasureStatistics.name, Item(name)) for name in spec.blend_weights(series.reference)
        ]
        return list(dict.fromkeys([*stacks, *references]))

    def count(self, spec: DatasetSpec, item: Item) -> int:
        """Return the number of measured tilts."""
        return len(measured_tilts(spec, item.owner))

    def compute(self, spec: DatasetSpec, item: Item, index: int) -> Findings:
        """Measure one tilt; the findings are `RealismFindings`."""
        from faket_dask.kernels.similarity.spurious_objects import mask_labels, spurious_density
        from faket_dask.kernels.similarity.texture_similarity import (
            intra_reference_distances,
            sample_halves,
            texture_distances,
        )

        series = spec.series_by_name[item.owner]
        tilt = measured_tilts(spec, series.name)[index]
        angle = float(spec.geometry.acquisition(series.name).tilt_angles[tilt])
        image = _read_or_redraw(spec, series.name, item.part, tilt)
        noiseless = read_tilt(spec.folder.specimen_tilts(series.specimen), "noiseless", tilt)
        ours = sample_halves(image, _load_network(spec), compared_layers(spec))
        against = []
        for name, weight in spec.blend_weights(series.reference).items():
            theirs = _sample_reference(CachedSpec(spec), name, angle)
            against.append(
                {
                    "reference": name,
                    "weight": weight,
                    "distances": asdict(texture_distances(ours, theirs)),
                    "intra_reference": asdict(intra_reference_distances(theirs)),
                    "kurtosis": float(np.mean([part.kurtosis for part in theirs])),
                    "artefacts": float(np.mean([part.artefacts for part in theirs])),
                }
            )
        return {
            "tilt_angle": angle,
            "kurtosis": float(np.mean([part.kurtosis for part in ours])),
            "artefacts": float(np.mean([part.artefacts for part in ours])),
            "signal": _correlate(image, noiseless),
            "spurious_per_Mpx": spurious_density(image, mask_labels(noiseless)),
            "against": against,
        }

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one tilt."""
        from faket_dask.kernels.similarity.texture_similarity import CROP_PX
        from faket_dask.kernels.style.memory import targets_bytes

        architecture = spec.config.style.style_network.architecture
        rates = load_kernel_rates(spec.threads_per_task)
        rows, columns = (min(CROP_PX, size) for size in spec.geometry.tilt_shape)
        images = REALISM_BYTES_PER_PIXEL * max(tilt_pixels(spec), reference_pixels(spec))
        layers = compared_layers(spec)
        grams = targets_bytes((rows, columns // 2), None, architecture, layers) if layers else 0
        memory = INTERPRETER_BYTES + grams + images
        uses_network = bool(spec.inputs.weights_checksum and layers)
        start = {"network": rates.network_start_s}
        if uses_network and spec.config.style.device == "cuda":
            return UnitCost(None, memory, 0, cuda_bytes(memory), start)
        per_pixel = rates.grow(rates.texture_s_per_pixel, min(rows, columns) // 2) + (
            rates.gram_s_per_pixel if uses_network else 0.0
        )
        halves_s = 2 * rates.gram_s if uses_network else 0.0
        # One of all modalities of a series reads and samples the reference; the others find it in the cache.
        parts = [
            estimate_reading(spec, name, rates)
            + halves_s
            + (per_pixel + rates.mask_s_per_pixel) * min(CROP_PX**2, count_pixels(open_reference(spec, name)))
            for name in spec.used_references
        ]
        reference_s = float(np.mean(parts)) if parts else 0.0
        seconds = rates.unit_s + reference_s / max(1, len(measured_modalities(spec)))
        seconds += (
            halves_s + (per_pixel + rates.grow(rates.mask_s_per_pixel, min(rows, columns))) * rows * columns
        )
        seconds += SPECTRUM_PASSES * rates.spectrum_s_per_pixel * rows * columns
        seconds += 2 * estimate_projection_reading(spec, rates) + rates.blobs_s_per_pixel * tilt_pixels(spec)
        return UnitCost(seconds, memory, 0, start=start)


@lru_cache(maxsize=3)
def _sample_reference(cached: CachedSpec, name: str, angle: float) -> list[TextureSample]:
    """Return samples of a reference's tilt nearest an angle; all modalities of a series are compared with them."""
    from faket_dask.kernels.similarity.texture_similarity import sample_halves

    reference = open_reference(cached.spec, name)
    tilt = int(np.argmin(np.abs(reference.tilt_angles - angle)))
    image = reference.read_tilt(tilt)
    return sample_halves(
        image.pixels,
        _load_network(cached.spec),
        compared_layers(cached.spec),
        valid_mask=image.recorded_mask,
    )


def _load_network(spec: DatasetSpec) -> Network | None:
    """Return the style network; ``None`` where nothing is styled or no layer compared: spectra alone are then."""
    from faket_dask.stages.networks import load_network
    from faket_dask.stages.process import prepare_process

    checksum = spec.inputs.weights_checksum
    prepare_process(spec.threads_per_task)
    return load_network(spec.config.style, checksum) if checksum and compared_layers(spec) else None


def _read_or_redraw(spec: DatasetSpec, series: str, modality: str, tilt: int) -> NDArray[np.float32]:
    """Read a tilt that is kept, or draw it again."""
    from faket_dask.pipeline.series_tilts import SeriesTilts

    if modality in MODALITIES.kept(spec.config.outputs.modalities):
        owner = owning_item(spec.series_by_name[series], modality)
        return read_tilt(stack_group(spec.folder, owner, modality), modality, tilt)
    return SeriesTilts.open(spec, series).redraw(modality, tilt)


def _correlate(image: NDArray[np.float32], noiseless: NDArray[np.float32]) -> float:
    """Return the correlation of a tilt with its noiseless counterpart; 0 where that is constant."""
    from faket_dask.kernels.moments import standardise_float64

    return float(np.mean(standardise_float64(image) * standardise_float64(noiseless)))
