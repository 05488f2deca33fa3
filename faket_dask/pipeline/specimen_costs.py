"""Estimated time of placing and rendering the objects of a built specimen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faket_dask.config import BuiltSpecimen
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.pipeline.kernel_rates import KernelRates
from faket_dask.specimen.component import Component
from faket_dask.specimen.placement import choose_margin
from faket_dask.specimen.recipe import Recipe
from faket_dask.specimen.species import Species

CROWDED_SHARE = 0.25
"""Share of the volume that all objects take in the masks, beyond which nobody knows how often packing tries."""

OCCUPANCY_BYTES = 2
"""Bytes of a voxel while particles are placed."""


@dataclass(frozen=True)
class SpecimenCost:
    """Estimated time of one specimen.

    Parameters
    ----------
    templates_s
        Seconds in which a process loads all templates, once.
    place_s
        Seconds of packing; ``None`` where the specimen is too crowded to know.
    place_bytes
        Memory of packing: two bytes for each voxel, those beyond the volume included.
    render_s
        Seconds of rendering all objects, without the ice.
    """

    templates_s: float
    place_s: float | None
    place_bytes: int
    render_s: float


def estimate_specimen(spec: DatasetSpec, rates: KernelRates) -> SpecimenCost:
    """Estimate the time of one specimen from the number and size of its objects.

    The templates' times are those that they took when the inputs were checked.
    """
    section = spec.config.specimen
    if not isinstance(section, BuiltSpecimen):
        return SpecimenCost(0.0, 0.0, 0, 0.0)
    voxel_A = spec.config.acquisition.pixel_sizes_A[0]
    shape = spec.config.built_shape(section, voxel_A)
    recipe = section.recipe(shape, voxel_A, spec.config.acquisition.sampling)
    work = [
        component.estimate(recipe.grid, _mean_count(recipe, component)) for component in recipe.components
    ]
    objects = sum(part.objects for part in work)
    crowded = (
        sum(part.claimed_voxels for part in work) > CROWDED_SHARE * np.prod(shape) * recipe.grid.ice_share
    )
    place_s = rates.place_s_per_object * objects
    place_s += rates.render_s_per_voxel * sum(part.drawn_voxels for part in work)
    place_s += rates.membrane_s_per_voxel * sum(part.surface_voxels for part in work)
    render_s = rates.render_s_per_voxel * sum(part.particle_voxels for part in work)
    render_s += rates.membrane_s_per_voxel * sum(part.surface_voxels for part in work)
    padded = np.array(shape) + 2 * np.array(choose_margin(recipe))
    return SpecimenCost(
        sum(part.templates_s for part in work),
        None if crowded else place_s,
        OCCUPANCY_BYTES * int(np.prod(padded)),
        render_s,
    )


def _mean_count(recipe: Recipe, component: Component) -> float:
    balanced = recipe.balanced and isinstance(component, Species) and component.labelled
    return float(np.mean(recipe.common_range if balanced else component.count_range(recipe.grid)))
