"""Estimated time of placing and rendering the objects of a built specimen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faket_dask.config import BuiltSpecimen
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.pipeline.kernel_rates import KernelRates
from faket_dask.specimen.membrane import HALF_THICKNESS_A
from faket_dask.specimen.recipe import Fiducials, Recipe, Sheets, Species, Vesicles, largest
from faket_dask.specimen.sources import load_conformations, measure_loading

CROWDED_SHARE = 0.25
"""Share of the volume that the spheres about all objects take, beyond which nobody knows how often packing tries."""

MEMBRANE_TRIES = 10
"""Time of a particle that is placed on a membrane over that of another."""


@dataclass(frozen=True)
class SpecimenCost:
    """Estimated time of one specimen.

    Parameters
    ----------
    templates_s
        Seconds in which a process loads all templates, once.
    place_s
        Seconds of packing; ``None`` where the specimen is too crowded to know.
    render_s
        Seconds of rendering all objects, without the ice.
    """

    templates_s: float
    place_s: float | None
    render_s: float


def estimate_specimen(spec: DatasetSpec, rates: KernelRates) -> SpecimenCost:
    """Estimate the time of one specimen from the number and size of its objects.

    The templates' times are those that they took when the inputs were checked.
    """
    section = spec.config.specimen
    if not isinstance(section, BuiltSpecimen):
        return SpecimenCost(0.0, 0.0, 0.0)
    voxel_A = spec.config.acquisition.pixel_sizes_A[0]
    shape = spec.config.built_shape(section, voxel_A)
    recipe = section.recipe(shape, voxel_A, spec.config.acquisition.sampling)
    templates_s = render_s = objects = 0.0
    occupied_A3 = 0.0
    for species in recipe.species:
        count = _mean_count(recipe, species)
        templates = load_conformations(species, voxel_A, recipe.sampling)
        templates_s += measure_loading(species, voxel_A, recipe.sampling)
        objects += count * (MEMBRANE_TRIES if species.on_membrane else 1)
        supports = [_ball(template.support_A / voxel_A) for template in templates]
        render_s += rates.render_s_per_voxel * count * float(np.mean(supports))
        covers = [_ball(template.spheres_A[:, 3]).sum() for template in templates]
        occupied_A3 += count * float(np.mean(covers))
    for group in (recipe.vesicles, recipe.sheets):
        if group is None:
            continue
        count = _mean_count(recipe, group)
        radius_A = largest(group.radius_A) + HALF_THICKNESS_A
        side = 2 * radius_A / voxel_A
        objects += count
        occupied_A3 += count * float(_ball(radius_A))
        render_s += rates.membrane_s_per_voxel * count * side**2 * min(side, recipe.shape[0])
    if recipe.fiducials is not None:
        objects += _mean_count(recipe, recipe.fiducials)
    crowded = occupied_A3 > CROWDED_SHARE * 1e12 * recipe.volume_um3
    return SpecimenCost(templates_s, None if crowded else rates.place_s_per_object * objects, render_s)


def _mean_count(recipe: Recipe, group: Species | Vesicles | Sheets | Fiducials) -> float:
    balanced = recipe.balanced and isinstance(group, Species) and group.labelled
    return float(np.mean(recipe.common_range if balanced else recipe.count_range(group)))


def _ball(radius: float | np.ndarray) -> np.ndarray:
    """Return the volume of a ball."""
    return np.asarray(4 / 3 * np.pi * np.asarray(radius) ** 3)
