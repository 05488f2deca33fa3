"""Data set of nnU-Net: tomograms and segmentations as TIFF, with ``dataset.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.atomic import write_text
from faket_dask.dataset.grids import Grid
from faket_dask.dataset.pairing import Series
from faket_dask.dataset.splits import split_series
from faket_dask.errors import InputError
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.formats.tiff import write_tiff
from faket_dask.interchange.exporters.source import Source

TEST = "test"
"""Name of the split whose cases nnU-Net does not train on."""

LARGEST_LABEL = int(np.iinfo(np.uint8).max)


class NnUnetExporter:
    """Writer of ``Dataset501_faket``, to be moved into the folder that ``nnUNet_raw`` names.

    A case is one tomogram, ``<series>_<modality>_0000.tif`` in ``imagesTr``, with its segmentation of the same name in
    ``labelsTr``; those of the split ``test`` are in ``imagesTs`` and ``labelsTs``, and all others are for training,
    which nnU-Net divides itself. Labels are numbered without gaps, as it demands.
    """

    name = "nnunet"
    help = "data set of nnU-Net: tomograms and segmentations as .tif, with dataset.json"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each file.

        Raises
        ------
        InputError
            If no modality is asked for, one has no tomogram, all series are for testing, or there are more classes
            than a byte holds.
        """
        if not source.modalities:
            raise InputError("nnU-Net is trained on tomograms, and no modality is asked for; name one")
        for modality in source.modalities:
            source.check_reconstructed(modality, "nnU-Net is trained on tomograms")
        labels = source.class_labels()
        if len(labels) > LARGEST_LABEL:
            raise InputError(
                f"segmentations hold {LARGEST_LABEL} classes, and there are {len(labels)}; label fewer species"
            )
        numbers = {label: number for number, label in enumerate(labels.values(), start=1)}
        splits = split_series(source.spec, source.spec.config.outputs.splits)
        training = [series for series in source.series if splits.get(series.name) != TEST]
        if not training:
            raise InputError(
                f"all series are in the split {TEST!r}, and none is left to train on; add another"
            )
        root = folder / "Dataset501_faket"
        for name in ("imagesTr", "labelsTr", "imagesTs", "labelsTs"):
            (root / name).mkdir(parents=True, exist_ok=True)
        description = {
            "channel_names": {"0": "tomogram"},
            "labels": {"background": 0, **{name: numbers[label] for name, label in labels.items()}},
            "numTraining": len(training) * len(source.modalities),
            "file_ending": ".tif",
            "overwrite_image_reader_writer": "Tiff3DIO",
        }
        for series in source.series:
            end = "Ts" if splits.get(series.name) == TEST else "Tr"
            yield from _write_cases(source, series, root, end, numbers)
        write_text(root / "dataset.json", json.dumps(description, indent=2) + "\n")
        yield root / "dataset.json"


def _write_cases(
    source: Source, series: Series, root: Path, end: str, numbers: Mapping[int, int]
) -> Iterator[Path]:
    """Write the tomogram of each modality, its segmentation, and the sizes of their voxels."""
    grid: Grid = source.grid(series)
    segmentation = _Numbered(source.volume(series.specimen, "class_mask", grid), numbers)
    spacing = json.dumps({"spacing": [grid.voxel_size_A] * 3}) + "\n"
    for modality in source.modalities:
        case = f"{series.name}_{modality}"
        tomogram = source.tomogram(series, modality)
        assert tomogram is not None
        for path, volume in (
            (root / f"images{end}" / f"{case}_0000.tif", tomogram),
            (root / f"labels{end}" / f"{case}.tif", segmentation),
        ):
            write_tiff(path, volume)
            yield path
            sizes = path.with_name(f"{case}.json")
            write_text(sizes, spacing)
            yield sizes


@dataclass(frozen=True)
class _Numbered:
    """Labels by their numbers in a segmentation, 0 for those without one; converted where they are read."""

    labels: ArrayLike3D
    numbers: Mapping[int, int]

    @property
    def dtype(self) -> Any:
        return np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.labels.shape

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        labels = np.asarray(self.labels[key])
        table = np.zeros(max(int(labels.max(initial=0)), *self.numbers, 0) + 1, np.uint8)
        table[list(self.numbers)] = list(self.numbers.values())
        return table[labels]
