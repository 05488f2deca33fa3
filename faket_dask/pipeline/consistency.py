"""Stage that judges the kept stacks of a series in three dimensions, where single tilts do not tell.

It measures what neighbouring tilts have in common, how well tomograms of the series and of its reference are told
apart, and how strong the signal of a single particle is. The findings are small and lie in the marker, from where the
report reads them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.modality_stores import owning_item, stack_group
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.specimens import open_specimen_source
from faket_dask.engine.arrays import read_tilt
from faket_dask.engine.marker import Findings
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.errors import InputError
from faket_dask.modalities import MODALITIES
from faket_dask.pipeline.cached_spec import CachedSpec
from faket_dask.pipeline.costs import INTERPRETER_BYTES, reference_pixels, tilt_pixels
from faket_dask.pipeline.kernel_rates import load_kernel_rates
from faket_dask.pipeline.realism import measured_tilts
from faket_dask.pipeline.reference import MeasureStatistics
from faket_dask.references import Reference, open_reference
from faket_dask.specimen.recipe import Recipe

if TYPE_CHECKING:
    from faket_dask.kernels.similarity.detectability import ParticleEnergy
    from faket_dask.kernels.similarity.discrimination import Discrimination

CROP_PX = 256
"""Side in pixels of the middle that is judged."""

LAYERS = 64
"""Layers of the tomograms that are told apart."""

PERIODS_PX = (32.0, 21.0, 14.0, 9.0, 6.0, 4.0, 2.5)
"""Wavelengths in pixels around which coherence is given."""

LEAST_TOMOGRAM = (11, 128)
"""Fewest tilts of a tomogram that is judged, and its shortest side in pixels."""

_SIGNAL_CROP_PX = 512
_BYTES_PER_PIXEL = 64


class Coherence(TypedDict):
    """Coherence of neighbouring tilts by wavelength."""

    step_deg: float
    wavelengths_A: list[float]
    coherence: list[float]
    standard_error: list[float]
    flipped: list[float]


class ReferenceConsistency(TypedDict):
    """Comparison with one reference; ``None`` for what it does not allow to measure."""

    reference: str
    weight: float
    coherence: Coherence | None
    tomogram_accuracy: float | None
    tomogram_floor: float | None


class ParticleSignal(TypedDict):
    """Signal of one particle of a class in one tilt."""

    detectability: float
    contrast_to_noise: float


class ConsistencyFindings(TypedDict):
    """Findings of one unit."""

    coherence: Coherence | None
    particles: dict[str, ParticleSignal]
    against: list[ReferenceConsistency]


class MeasureConsistency(Stage[DatasetSpec]):
    """Judge one stack of a series in three dimensions."""

    name = "consistency"
    label = "consistency"

    def items(self, spec: DatasetSpec) -> list[Item]:
        """Return series and modality of all kept stacks, if there are a report and references."""
        if not (spec.config.outputs.report and spec.references):
            return []
        return [Item(series.name, name) for series in spec.series for name in spec.config.outputs.modalities]

    def predecessors(self, spec: DatasetSpec, item: Item) -> list[BatchKey]:
        """Return the stack of the modality, and the statistics of its references."""
        series = spec.series_by_name[item.owner]
        stack = BatchKey(MODALITIES.get(item.part).stage, Item(owning_item(series, item.part)))
        references = spec.blend_weights(series.reference)
        return [stack, *(BatchKey(MeasureStatistics.name, Item(name)) for name in references)]

    def compute(self, spec: DatasetSpec, item: Item, index: int) -> Findings:
        """Judge one stack; the findings are `ConsistencyFindings`."""
        series = spec.series_by_name[item.owner]
        acquisition = spec.geometry.acquisition(series.name)
        group = stack_group(spec.folder, owning_item(series, item.part), item.part)
        stack = np.stack(
            [
                _crop(read_tilt(group, item.part, tilt), CROP_PX)
                for tilt in range(acquisition.tilt_angles.size)
            ]
        )
        masks = _mask_artefacts(stack)
        against: list[ReferenceConsistency] = []
        for name, weight in spec.blend_weights(series.reference).items():
            theirs = _read_reference(CachedSpec(spec), name)
            reference = open_reference(spec, name)
            verdict = None
            if theirs is not None:
                verdict = _tell_apart((stack, masks), acquisition.tilt_angles, theirs, reference.tilt_angles)
            against.append(
                {
                    "reference": name,
                    "weight": weight,
                    "coherence": None
                    if theirs is None
                    else _measure_coherence(*theirs, reference.tilt_angles, reference.pixel_size_A),
                    "tomogram_accuracy": None if verdict is None else verdict.accuracy,
                    "tomogram_floor": None if verdict is None else verdict.floor,
                }
            )
        findings: ConsistencyFindings = {
            "coherence": _measure_coherence(stack, masks, acquisition.tilt_angles, acquisition.pixel_size_A),
            "particles": _measure_particles(spec, item),
            "against": against,
        }
        return findings

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one stack."""
        rates = load_kernel_rates(spec.threads_per_task)
        tilts = max(spec.geometry.stack_shape(series.specimen)[0] for series in spec.series)
        crop = min(CROP_PX**2, tilt_pixels(spec))
        images = max(tilt_pixels(spec), reference_pixels(spec))
        memory = INTERPRETER_BYTES + _BYTES_PER_PIXEL * images + 16 * crop * (2 * tilts + 2 * LAYERS)
        # The stack and its reference: read, masked, filtered, back-projected, and compared.
        seconds = 2 * tilts * rates.load_s_per_byte * 4 * images
        seconds += 2 * tilts * crop * (rates.grow(rates.mask_s_per_pixel, CROP_PX) + rates.filter_s_per_pixel)
        seconds += 2 * tilts * LAYERS * crop * rates.back_project_s_per_voxel
        seconds += 6 * tilts * crop * rates.spectrum_s_per_pixel
        return UnitCost(rates.unit_s + seconds, memory, 0)


def _crop(image: NDArray[np.generic], size: int) -> NDArray[np.float32]:
    """Return the middle of an image; its tilt axis stays at half its columns."""
    rows, columns = (min(size, extent) for extent in image.shape)
    top, left = image.shape[0] // 2 - rows // 2, image.shape[1] // 2 - columns // 2
    return np.asarray(image[top : top + rows, left : left + columns], dtype=np.float32)


def _mask_artefacts(stack: NDArray[np.float32]) -> NDArray[np.bool_]:
    from faket_dask.kernels.artefacts import artefact_mask

    return np.stack([~artefact_mask(tilt) for tilt in stack])


@lru_cache(maxsize=3)
def _read_reference(cached: CachedSpec, name: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    """Return the middle of a reference's aligned tilts with its valid pixels; ``None`` without an alignment."""
    reference: Reference = open_reference(cached.spec, name)
    images, masks = [], []
    try:
        for tilt in range(reference.tilt_angles.size):
            masked = reference.read_aligned_tilt(tilt)
            images.append(_crop(masked.pixels, CROP_PX))
            masks.append(_crop(masked.artefact_free, CROP_PX) > 0)
    except InputError:
        return None
    return np.stack(images), np.stack(masks)


def _measure_coherence(
    stack: NDArray[np.float32],
    masks: NDArray[np.bool_],
    tilt_angles: NDArray[np.float64],
    pixel_size_A: float,
) -> Coherence | None:
    """Measure the coherence of neighbouring tilts; ``None`` where no two are neighbours."""
    from faket_dask.kernels.similarity.tilt_coherence import (
        centred_bands,
        measure_common_power,
        pair_neighbours,
    )
    from faket_dask.references.common_power import WIDEST_STEP_DEG

    pairs = pair_neighbours(tilt_angles)
    periods = [period for period in PERIODS_PX if period <= min(stack.shape[1:]) / 6]
    steps = [abs(tilt_angles[second] - tilt_angles[first]) for first, second in pairs]
    if not pairs or max(steps) > WIDEST_STEP_DEG or not periods:
        return None
    scaled = stack / np.where(masks, stack, np.nan).std(axis=(1, 2), where=masks, keepdims=True)
    try:
        power = measure_common_power(scaled, tilt_angles, masks)
    except ValueError:  # an empty stack, or one whose middle is masked
        return None
    bands = [power.average_bands(edges) for edges in centred_bands(1 / np.array(periods))]
    return {
        "step_deg": float(np.mean(steps)),
        "wavelengths_A": [period * pixel_size_A for period in periods],
        "coherence": [float(band.coherence[0]) for band in bands],
        "standard_error": [float(band.coherence_error[0]) for band in bands],
        "flipped": [float(band.null_coherence[0]) for band in bands],
    }


def _tell_apart(
    ours: tuple[NDArray[np.float32], NDArray[np.bool_]],
    our_angles: NDArray[np.float64],
    theirs: tuple[NDArray[np.float32], NDArray[np.bool_]],
    their_angles: NDArray[np.float64],
) -> Discrimination | None:
    """Tell tomograms of tilts at about the same angles apart; ``None`` where they are too small or too few."""
    from faket_dask.kernels.similarity.tomogram_judges import judge_ring_powers

    nearest = np.array([int(np.argmin(np.abs(our_angles - angle))) for angle in their_angles])
    first = np.unique(nearest, return_index=True)[1]
    chosen = nearest[first], first
    side = min(*ours[0].shape[1:], *theirs[0].shape[1:])
    if len(first) < LEAST_TOMOGRAM[0] or side < LEAST_TOMOGRAM[1]:
        return None
    try:
        return judge_ring_powers(
            _reconstruct(*ours, our_angles, chosen[0]), _reconstruct(*theirs, their_angles, chosen[1])
        )
    except ValueError:  # too few patches in a quarter of the recorded tomogram
        return None


def _reconstruct(
    stack: NDArray[np.float32],
    masks: NDArray[np.bool_],
    tilt_angles: NDArray[np.float64],
    tilts: NDArray[np.intp],
) -> NDArray[np.float32]:
    """Reconstruct a tomogram of some tilts, standardised and without artefacts."""
    from faket_dask.kernels.artefacts import fill
    from faket_dask.kernels.backprojection import back_project
    from faket_dask.kernels.moments import standardise
    from faket_dask.stages.reconstruction import prepare_tilt

    angles = tilt_angles[tilts]
    filtered = [
        prepare_tilt(
            tilt=standardise(fill(stack[tilt], ~masks[tilt])),
            kind="hann",
            tilt_angles=angles,
            index=index,
            thickness_px=LAYERS,
        )
        for index, tilt in enumerate(tilts)
    ]
    return back_project(np.stack(filtered), angles, LAYERS)


def _measure_particles(spec: DatasetSpec, item: Item) -> dict[str, ParticleSignal]:
    """Measure the signal of a particle of each labelled class in the tilts whose realism is measured."""
    from faket_dask.kernels.moments import standardise
    from faket_dask.kernels.similarity.detectability import contrast_to_noise, detectability
    from faket_dask.kernels.similarity.signal_gain import measure_signal_gain
    from faket_dask.specimen.ice import ice_fluctuation

    series = spec.series_by_name[item.owner]
    recipe = open_specimen_source(spec, series.specimen)
    if not isinstance(recipe, Recipe):
        return {}
    acquisition = spec.geometry.acquisition(series.name)
    group = stack_group(spec.folder, owning_item(series, item.part), item.part)
    tilts = measured_tilts(spec, series.name)
    images = [standardise(_crop(read_tilt(group, item.part, tilt), _SIGNAL_CROP_PX)) for tilt in tilts]
    specimen = spec.folder.specimen_tilts(series.specimen)
    noiseless = [_crop(read_tilt(specimen, "noiseless", tilt), _SIGNAL_CROP_PX) for tilt in tilts]
    paths = spec.geometry.volume_shape(series.specimen)[0] / np.cos(
        np.deg2rad(acquisition.tilt_angles[tilts])
    )
    ice_V = recipe.ice_texture * ice_fluctuation(acquisition.pixel_size_A)
    gain = measure_signal_gain(images, noiseless, ice_power=ice_V**2 * float(np.mean(paths)))
    energies = _measure_energies(CachedSpec(spec), series.specimen)
    return {
        name: {
            "detectability": detectability(gain, energy),
            "contrast_to_noise": contrast_to_noise(gain, energy),
        }
        for name, energy in energies.items()
    }


@lru_cache(maxsize=2)
def _measure_energies(cached: CachedSpec, specimen: str) -> dict[str, ParticleEnergy]:
    """Measure the energy of a particle of every labelled class, mean over its conformations."""
    from faket_dask.kernels.similarity.detectability import measure_particle_energy
    from faket_dask.specimen.particle_projections import project_particle
    from faket_dask.specimen.sources import load_conformations

    recipe = open_specimen_source(cached.spec, specimen)
    assert isinstance(recipe, Recipe)
    voxel_size_A = cached.spec.geometry.acquisition(specimen).pixel_size_A
    energies = {}
    for species in recipe.species:
        if species.labelled:
            projections = [
                project_particle(template, voxel_size_A)
                for template in load_conformations(species, voxel_size_A)
            ]
            side = max(stack.shape[1] for stack in projections)
            padded = [np.pad(stack, ((0, 0), *[(0, side - stack.shape[1])] * 2)) for stack in projections]
            energies[species.name] = measure_particle_energy(np.concatenate(padded))
    return energies
