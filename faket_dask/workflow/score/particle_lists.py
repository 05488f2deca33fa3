"""Two lists of particles of one tomogram, read from files of any known format."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.layout import VOLUME
from faket_dask.engine.arrays import open_array
from faket_dask.errors import InputError, wrap_as_input_error
from faket_dask.formats import copick
from faket_dask.interchange.importers.base import refuse_unused_options
from faket_dask.interchange.importers.particles import ParticleOptions, import_particles, list_options
from faket_dask.specimen.class_names import DEPOSITS
from faket_dask.specimen.particles import ParticleTable, read_particles

TABLE_SUFFIX = ".csv"
_SPECIMEN_TABLE = ".particles.csv"

_SHARED = ("name", "voxel_size_A", "tomograms")
"""Options that hold for the truth, too, unless it has its own: both lists are of one tomogram."""


@dataclass(frozen=True, eq=False)
class ListedParticles:
    """Particles of a file.

    Parameters
    ----------
    path
        File.
    table
        Particles, in Å from the centre of the corner voxel; carbon and contamination, which are in the masks of a data
        set, are none.
    size_A
        ``(3,)`` float64: distance ``(x, y, z)`` of the last voxel from the corner voxel, in Å; ``None`` where the
        volume is not known.
    """

    path: Path
    table: ParticleTable
    size_A: NDArray[np.float64] | None = None


def read_lists(
    predicted: Path, truth: Path, options: ParticleOptions, truth_options: ParticleOptions
) -> tuple[ListedParticles, ListedParticles]:
    """Read the picks and what is there.

    Parameters
    ----------
    predicted, truth
        Particle tables (``.csv``) of data sets or of ``import particles``, or lists that `import_particles` reads.
    options
        Options of the picks. Name, voxel size and table of tomograms are those of the truth, too.
    truth_options
        Options of the truth alone.

    Raises
    ------
    InputError
        If a file is damaged or of an unknown kind, needs an option that is missing, or neither of them has a use for
        one that is given.
    """
    own, others = _divide_options(predicted, truth, options, truth_options)
    return _read_list(predicted, own), _read_list(truth, others)


def needs_voxel_size(path: Path) -> bool:
    """Tell by its name whether a list counts in voxels, whose size it does not have.

    Raises
    ------
    InputError
        If the file is of an unknown kind.
    """
    return "voxel_size_A" in _list_options(path)


def _divide_options(
    predicted: Path, truth: Path, options: ParticleOptions, truth_options: ParticleOptions
) -> tuple[ParticleOptions, ParticleOptions]:
    used, truth_used = _list_options(predicted), _list_options(truth)
    for field in fields(truth_options):
        if getattr(truth_options, field.name) is not None and field.name not in truth_used:
            flag = field.name.replace("_", "-")
            raise InputError(f"--truth-{flag} says nothing about {truth}; leave it out")
    inherited = {
        name: getattr(options, name)
        for name in _SHARED
        if name in truth_used and getattr(truth_options, name) is None
    }
    leftover = {name: None for name in inherited if name not in used}
    return replace(options, **leftover), replace(truth_options, **inherited)


def _list_options(path: Path) -> tuple[str, ...]:
    return () if path.suffix == TABLE_SUFFIX else list_options(path)


def _read_list(path: Path, options: ParticleOptions) -> ListedParticles:
    if path.suffix == TABLE_SUFFIX:
        refuse_unused_options(path, options, ())
        table = read_particles(path).labelled()
        return ListedParticles(path, table.select(~np.isin(table.class_name, DEPOSITS)), _find_size(path))
    table = import_particles(path, options)
    if path.suffix == ".json":
        radius = {item.name: item.radius_A for item in copick.open_project(path).objects}
        radii = np.array([radius.get(str(name), 0.0) for name in table.class_name], dtype=np.float64)
        table = replace(table, radius_A=radii)
    return ListedParticles(path, table)


def _find_size(path: Path) -> NDArray[np.float64] | None:
    """Return the extent of the volume beside a specimen's table in a data set, if it is one."""
    volume = path.with_name(path.name.removesuffix(_SPECIMEN_TABLE) + ".zarr") / VOLUME
    if not path.name.endswith(_SPECIMEN_TABLE) or not volume.is_dir():
        return None
    with wrap_as_input_error(f"the size of the volume {volume} cannot be read"):
        coordinates = [open_array(volume, axis, "r") for axis in "xyz"]
        return np.array([np.asarray(values[-1]) for values in coordinates], dtype=np.float64)
