"""Labelled tomograms of data sets of this program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from faket_dask.config.training import DatasetTomograms
from faket_dask.dataset.dataset import open_dataset
from faket_dask.dataset.grids import tomogram_grid
from faket_dask.dataset.modality_stores import owning_item
from faket_dask.dataset.pairing import Series
from faket_dask.dataset.spec import PIPELINE, DatasetSpec
from faket_dask.dataset.tomograms import Tomogram
from faket_dask.engine.arrays import open_array
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.pipeline import find_pipeline
from faket_dask.engine.plan import Batch, Plan
from faket_dask.engine.specification import digest_inputs
from faket_dask.errors import InputError, UnfinishedError, wrap_as_input_error
from faket_dask.pickers.chunk_cache import CachedArray, ChunkCache
from faket_dask.pickers.training_tomogram import TrainingTomogram
from faket_dask.specimen.class_names import DEPOSITS
from faket_dask.specimen.particles import read_particles


def open_dataset_tomograms(section: DatasetTomograms, cache: ChunkCache) -> list[TrainingTomogram]:
    """Open the tomograms of a data set with the labels of their specimens on their grids.

    Parameters
    ----------
    section
        Data set, modality and series.
    cache
        Cache that all chunks are read through.

    Raises
    ------
    InputError
        If there is no data set, or it has no such series, makes no tomograms of the modality, or has yet to make one.
    """
    spec = open_dataset(section.folder).spec
    return [_open_tomogram(tomogram, cache) for tomogram in _list_tomograms(spec, section)]


def fingerprint_dataset_tomograms(section: DatasetTomograms) -> str:
    """Return the digest of all that the tomograms of a data set and their labels depend on.

    Raises
    ------
    InputError
        As for `open_dataset_tomograms`.
    UnfinishedError
        If units that make them are not done.
    """
    spec = open_dataset(section.folder).spec
    tomograms = _list_tomograms(spec, section)
    _check_complete(spec, section.folder, tomograms)
    facts = {
        "dataset": spec.fingerprint,
        "reconstruction": spec.config.reconstruction.model_dump(mode="json", exclude={"modalities"}),
        "tomograms": [str(tomogram.item) for tomogram in tomograms],
    }
    return digest_inputs(facts)


def _list_tomograms(spec: DatasetSpec, section: DatasetTomograms) -> list[Tomogram]:
    modalities = spec.config.reconstruction.modalities
    if section.modality not in modalities:
        raise InputError(
            f"{section.folder} has tomograms of {', '.join(modalities) or 'nothing'}, not of {section.modality}; make "
            f"them with `faket-dask reconstruct {section.folder} --modality {section.modality}`"
        )
    names = spec.series_by_name if section.series is None else section.series
    return [
        Tomogram(spec, owning_item(_find_series(spec, name), section.modality), section.modality)
        for name in names
    ]


def _find_series(spec: DatasetSpec, name: str) -> Series:
    if name not in spec.series_by_name:
        raise InputError(
            f"{spec.folder.root} has no series {name}; its first is {next(iter(spec.series_by_name))}"
        )
    return spec.series_by_name[name]


def _check_complete(spec: DatasetSpec, folder: Path, tomograms: list[Tomogram]) -> None:
    """Refuse tomograms any of whose predecessors has units that are not done."""
    plan = Plan(spec, find_pipeline(PIPELINE))
    completed = CompletedUnits.read(plan)
    batches = {batch.key: batch for batch in plan.batches}
    pending = [batch for batch in plan.batches if batch.item in {tomogram.item for tomogram in tomograms}]
    needed: dict[Any, Batch] = {}
    while pending:
        batch = pending.pop()
        if batch.key not in needed:
            needed[batch.key] = batch
            pending += [batches[key] for key in batch.after]
    for batch in plan.batches:
        reason = completed.why_missing(*batch.key) if batch.key in needed else None
        if reason:
            raise UnfinishedError(
                f"{folder} is not complete: {reason}; finish it with `faket-dask run` and train then"
            )


def _open_tomogram(tomogram: Tomogram, cache: ChunkCache) -> TrainingTomogram:
    spec, grid, specimen = tomogram.spec, tomogram_grid(tomogram), tomogram.specimen
    volume = spec.folder.volume(specimen)
    with wrap_as_input_error(
        f"{volume} cannot be read; run `faket-dask validate {spec.folder.root} --repair`"
    ):
        attributes: Any = zarr.open_group(volume, mode="r").attrs.asdict()
        class_ids = {str(name): int(label) for name, label in attributes["class_ids"].items()}
        density = CachedArray(open_array(tomogram.group, tomogram.array_name, "r"), cache)
        mask = CachedArray(open_array(volume, "class_mask", "r"), cache)
    table = grid.particles(read_particles(spec.folder.particles(specimen)))
    table = table.select(~np.isin(table.class_name, DEPOSITS))
    return TrainingTomogram(
        f"{tomogram.owner} {tomogram.array_name}",
        density,
        grid.sample(mask),
        table.centre_A[:, ::-1] / grid.voxel_size_A,
        table.class_id,
        class_ids,
        grid.voxel_size_A,
    )
