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
    from faket_dask.stages.consistency import Coherence

_SIGNAL_CROP_PX = 512
_BYTES_PER_PIXEL = 64


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
        from faket_dask.stages.consistency import (
            CROP_PX,
            crop_middle,
            mask_artefacts,
            measure_coherence,
            tell_tomograms_apart,
        )

        series = spec.series_by_name[item.owner]
        acquisition = spec.geometry.acquisition(series.name)
        group = stack_group(spec.folder, owning_item(series, item.part), item.part)
        stack = np.stack(
            [
                crop_middle(read_tilt(group, item.part, tilt), CROP_PX)
                for tilt in range(acquisition.tilt_angles.size)
            ]
        )
        masks = mask_artefacts(stack)
        against: list[ReferenceConsistency] = []
        for name, weight in spec.blend_weights(series.reference).items():
            theirs = _read_reference(CachedSpec(spec), name)
            reference = open_reference(spec, name)
            verdict = None
            if theirs is not None:
                verdict = tell_tomograms_apart(
                    (stack, masks), acquisition.tilt_angles, theirs, reference.tilt_angles
                )
            against.append(
                {
                    "reference": name,
                    "weight": weight,
                    "coherence": None
                    if theirs is None
                    else measure_coherence(*theirs, reference.tilt_angles, reference.pixel_size_A),
                    "tomogram_accuracy": None if verdict is None else verdict.accuracy,
                    "tomogram_floor": None if verdict is None else verdict.floor,
                }
            )
        findings: ConsistencyFindings = {
            "coherence": measure_coherence(stack, masks, acquisition.tilt_angles, acquisition.pixel_size_A),
            "particles": _measure_particles(spec, item),
            "against": against,
        }
        return findings

    def cost(self, spec: DatasetSpec) -> UnitCost:
        """Estimate one stack."""
        from faket_dask.stages.consistency import CROP_PX, LAYERS

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


@lru_cache(maxsize=3)
def _read_reference(cached: CachedSpec, name: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    """Return the middle of a reference's aligned tilts with its valid pixels; ``None`` without an alignment."""
    from faket_dask.stages.consistency import CROP_PX, crop_middle

    reference: Reference = open_reference(cached.spec, name)
    images, masks = [], []
    try:
        for tilt in range(reference.tilt_angles.size):
            masked = reference.read_aligned_tilt(tilt)
            images.append(crop_middle(masked.pixels, CROP_PX))
            masks.append(crop_middle(masked.artefact_free, CROP_PX) > 0)
    except InputError:
        return None
    return np.stack(images), np.stack(masks)


def _measure_particles(spec: DatasetSpec, item: Item) -> dict[str, ParticleSignal]:
    """Measure the signal of a particle of each labelled class in the tilts whose realism is measured."""
    from faket_dask.kernels.moments import standardise
    from faket_dask.kernels.similarity.detectability import contrast_to_noise, detectability
    from faket_dask.kernels.similarity.signal_gain import measure_signal_gain
    from faket_dask.specimen.ice import ice_fluctuation
    from faket_dask.stages.consistency import crop_middle

    series = spec.series_by_name[item.owner]
    recipe = open_specimen_source(spec, series.specimen)
    if not isinstance(recipe, Recipe):
        return {}
    acquisition = spec.geometry.acquisition(series.name)
    group = stack_group(spec.folder, owning_item(series, item.part), item.part)
    tilts = measured_tilts(spec, series.name)
    images = [standardise(crop_middle(read_tilt(group, item.part, tilt), _SIGNAL_CROP_PX)) for tilt in tilts]
    specimen = spec.folder.specimen_tilts(series.specimen)
    noiseless = [crop_middle(read_tilt(specimen, "noiseless", tilt), _SIGNAL_CROP_PX) for tilt in tilts]
    paths = spec.geometry.volume_shape(series.specimen)[0] / np.cos(
        np.deg2rad(acquisition.tilt_angles[tilts])
    )
    ice_V = recipe.ice_texture * ice_fluctuation(acquisition.pixel_size_A)
    gain = measure_signal_gain(
        images, noiseless, ice_power=ice_V**2 * recipe.grid.ice_share * float(np.mean(paths))
    )
    energies = measure_energies(CachedSpec(spec), series.specimen)
    return {
        name: {
            "detectability": detectability(gain, energy),
            "contrast_to_noise": contrast_to_noise(gain, energy),
        }
        for name, energy in energies.items()
    }


@lru_cache(maxsize=2)
def measure_energies(cached: CachedSpec, specimen: str) -> dict[str, ParticleEnergy]:
    """Measure the energy of a particle of every labelled class, mean over its conformations.

    Parameters
    ----------
    cached
        Specification of the data set.
    specimen
        Name of a specimen that is made; its particles are as sharp as those that are measured.
    """
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
                for template in load_conformations(species, voxel_size_A, recipe.sampling)
            ]
            side = max(stack.shape[1] for stack in projections)
            padded = [np.pad(stack, ((0, 0), *[(0, side - stack.shape[1])] * 2)) for stack in projections]
            energies[species.name] = measure_particle_energy(np.concatenate(padded))
    return energies
