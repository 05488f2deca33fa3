"""Training data of DeepFinder: tomograms, targets and object lists in folders by split."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.atomic import write_text
from faket_dask.dataset.splits import split_series
from faket_dask.errors import InputError
from faket_dask.formats.deepfinder import write_object_list
from faket_dask.formats.mrc import write_volume
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.interchange.exporters.source import Source

TRAINING, VALIDATION = "train", "valid"
"""Folders that DeepFinder looks for."""

VALIDATION_NAMES = ("val", "validation")
"""Other names of splits that are written to the folder for validation."""

LARGEST_LABEL = int(np.iinfo(np.int8).max)


class DeepFinderExporter:
    """Writer of ``train``, ``valid`` and the folders of other splits, and of ``classes.txt``.

    A tomogram is ``<series>_<modality>.mrc``, with its class mask as ``<…>_target.mrc`` (int8) and its particles as
    ``<…>_objl.xml``. Membranes are in the targets and in no object list. Splits are those of ``outputs.splits``.
    """

    name = "deepfinder"
    help = "training data of DeepFinder: tomograms, int8 targets and object lists by split"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each file.

        Raises
        ------
        InputError
            If a modality has no tomogram, or there are more classes than int8 holds.

        Warns
        -----
        UserWarning
            If no series is for validation.
        """
        for modality in source.modalities:
            source.check_reconstructed(modality, "DeepFinder is trained on tomograms")
        labels = source.class_labels()
        largest = max(labels.values(), default=0)
        if largest > LARGEST_LABEL:
            raise InputError(
                f"DeepFinder's targets hold labels up to {LARGEST_LABEL}, and the largest here is {largest}; label "
                "fewer species"
            )
        splits = split_series(source.spec, source.spec.config.outputs.splits)
        folders = {series.name: _folder_name(splits.get(series.name, TRAINING)) for series in source.series}
        missing = [name for name in (TRAINING, VALIDATION) if name not in folders.values()]
        if missing:
            warnings.warn(
                f"no series is in a split called {' or '.join(missing)}, which DeepFinder needs to train; write "
                "their numbers of series into the run file, such as `outputs: {splits: {train: 8, valid: 2}}`, and "
                "run it again",
                stacklevel=2,
            )
        path = folder / "classes.txt"
        write_text(path, "0 background\n" + "".join(f"{label} {name}\n" for name, label in labels.items()))
        yield path
        counts: dict[str, int] = {}
        for series in source.series:
            directory = folder / folders[series.name]
            directory.mkdir(exist_ok=True)
            grid = source.grid(series)
            table = source.particles(series.specimen, grid)
            picked = table.select(~np.isin(table.class_name, source.membranes))
            for modality in source.modalities:
                prefix = f"{series.name}_{modality}"
                tomogram = source.tomogram(series, modality)
                assert tomogram is not None
                write_volume(directory / f"{prefix}.mrc", tomogram, grid.voxel_size_A)
                yield directory / f"{prefix}.mrc"
                target = directory / f"{prefix}_target.mrc"
                mask = _Int8(source.volume(series.specimen, "class_mask", grid))
                write_volume(target, mask, grid.voxel_size_A)
                yield target
                index = counts.setdefault(directory.name, 0)
                counts[directory.name] += 1
                objects = directory / f"{prefix}_objl.xml"
                write_object_list(objects, picked, grid.voxel_size_A, index)
                yield objects


def _folder_name(split: str) -> str:
    return VALIDATION if split in VALIDATION_NAMES else split


@dataclass(frozen=True)
class _Int8:
    """Labels as int8, cast where they are read."""

    labels: ArrayLike3D

    @property
    def dtype(self) -> Any:
        return np.dtype(np.int8)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.labels.shape

    def __getitem__(self, key: Any) -> NDArray[np.int8]:
        return np.asarray(self.labels[key]).astype(np.int8)
