"""Sources of specimens: the recipe that one is built from, or the existing volume that it is."""

from __future__ import annotations

from faket_dask.config import BuiltSpecimen, ExistingVolume
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.input_warnings import hold_warnings
from faket_dask.specimen.particles import read_particles
from faket_dask.specimen.recipe import Recipe
from faket_dask.specimen.volume import SpecimenVolume, open_specimen_volume


def open_volume(section: ExistingVolume) -> SpecimenVolume:
    """Open an existing volume with its labels, if it has them.

    Raises
    ------
    InputError
        If one of its files cannot be used.
    """
    return open_specimen_volume(
        section.density,
        voxel_size_A=section.voxel_size_A,
        class_mask=section.class_mask,
        instance_mask=section.instance_mask,
        table=None if section.particles is None else read_particles(section.particles),
    )


def open_specimen_source(spec: DatasetSpec, specimen: str) -> Recipe | SpecimenVolume:
    """Return the recipe of a built specimen, or an existing one, opened; it was warned of when it was checked."""
    section = spec.config.specimen
    if isinstance(section, BuiltSpecimen):
        return section.recipe(
            spec.geometry.volume_shape(specimen),
            spec.geometry.acquisition(specimen).pixel_size_A,
            spec.config.acquisition.sampling,
        )
    with hold_warnings():
        return open_volume(section.volumes[spec.specimens.index(specimen)])
