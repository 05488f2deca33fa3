"""A data set as the files that other programs read: MRC stacks and volumes, angle files, particle tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from faket_dask.dataset.field_of_view import columns_in_view, particles_in_view
from faket_dask.dataset.handle import Dataset
from faket_dask.dataset.ledger import Ledger
from faket_dask.dataset.pairing import Series
from faket_dask.dataset.plan import Plan
from faket_dask.dataset.presence import lack
from faket_dask.dataset.stores import open_array, read_tilt
from faket_dask.errors import InputError
from faket_dask.formats.imod import write_angles
from faket_dask.formats.mrc import write_stack, write_volume
from faket_dask.specimen.particles import read_particles

VOLUMES = ("density", "class_mask", "instance_mask")

_STAGES = {"noiseless": "project", "benchmark": "image"}
"""Stages that make what belongs to the specimen; all other stacks belong to the series."""


def export_mrc(dataset: Dataset, target: Path, modalities: Sequence[str] = ("faket",)) -> Iterator[Path]:
    """Write a data set's tilt-series, volumes and particles as files, one after the other.

    Every series gives, for each modality, the stack ``<series>_<modality>.mrc`` (float32, pixel size in the
    header) and its tilt angles ``<series>_<modality>.rawtlt``. Every specimen gives its ``density``,
    ``class_mask`` and ``instance_mask`` as ``<specimen>_<name>.mrc``, cut to the field of view, and
    ``<specimen>_particles.csv``.

    Parameters
    ----------
    dataset
        Data set whose series are complete, as far as they are asked for.
    target
        Folder to write to; made where it does not exist. Files of the same names are replaced.
    modalities
        Of the stacks: ``"noiseless"`` and what the data set keeps.

    Yields
    ------
    path
        Of each file, when it is written.

    Raises
    ------
    InputError
        Before anything is written: when a modality is unknown or was not kept, or units of work that make
        what is asked for are not done.

    Notes
    -----
    Specimens are wider than the field of view, the exported volumes are not. The particle table holds the
    labelled particles with their centre inside the exported volume, in Å from the centre of its corner
    voxel: divided by the voxel size, ``x_A``, ``y_A`` and ``z_A`` are indices into ``(z, y, x)``. Instance
    numbers are those of the mask; a particle that reaches in from outside is in the mask but not in the table.
    """
    wanted = list(dict.fromkeys(modalities))
    _check(dataset, wanted)
    return _write(dataset, target, wanted)


def _check(dataset: Dataset, modalities: Sequence[str]) -> None:
    blueprint = dataset.blueprint
    kept = list(dict.fromkeys(("noiseless", *blueprint.config.outputs.modalities)))
    for name in modalities:
        if name not in kept:
            raise InputError(
                f"{blueprint.layout.root} has no modality {name!r}; it has {', '.join(kept)}. What is possible "
                "and missing can be added to outputs.modalities, and made by running again"
            )
    ledger = Ledger.read(Plan(blueprint))
    needed = [(stage, specimen) for specimen in blueprint.specimens for stage in ("place", "build")]
    needed += [
        (_STAGES.get(name, "style"), series.specimen if name in _STAGES else series.name)
        for name in modalities
        for series in blueprint.series
    ]
    missing = [reason for key in dict.fromkeys(needed) if (reason := lack(ledger, *key))]
    if missing:
        raise InputError(
            f"{blueprint.layout.root} is not complete: {missing[0]}"
            + (f", and {len(missing) - 1} more like this" if len(missing) > 1 else "")
            + "; finish it with `faket-dask run` and export again"
        )


def _write(dataset: Dataset, target: Path, modalities: Sequence[str]) -> Iterator[Path]:
    target.mkdir(parents=True, exist_ok=True)
    for series in dataset.blueprint.series:
        for modality in modalities:
            yield from _write_stack(dataset, series, modality, target)
    for specimen in dict.fromkeys(series.specimen for series in dataset.blueprint.series):
        yield from _write_specimen(dataset, specimen, target)


def _write_stack(dataset: Dataset, series: Series, modality: str, target: Path) -> Iterator[Path]:
    blueprint = dataset.blueprint
    layout = blueprint.layout
    store = layout.specimen(series.specimen) if modality in _STAGES else layout.series(series.name)
    stack = target / f"{series.name}_{modality}.mrc"
    tilts = (read_tilt(store, modality, tilt) for tilt in range(blueprint.stack_shape[0]))
    write_stack(stack, tilts, blueprint.stack_shape, blueprint.pixel_size_A)
    yield stack
    angles = stack.with_suffix(".rawtlt")
    write_angles(angles, blueprint.tilt_angles)
    yield angles


def _write_specimen(dataset: Dataset, specimen: str, target: Path) -> Iterator[Path]:
    blueprint = dataset.blueprint
    columns = columns_in_view(blueprint, specimen)
    for name in VOLUMES:
        path = target / f"{specimen}_{name}.mrc"
        whole = open_array(blueprint.layout.volume(specimen), name, "r")
        write_volume(path, np.asarray(whole[:, :, columns]), blueprint.pixel_size_A)
        yield path
    table = target / f"{specimen}_particles.csv"
    particles = read_particles(blueprint.layout.particles(specimen))
    particles_in_view(blueprint, specimen, particles).write_csv(table)
    yield table
