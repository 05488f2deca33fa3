"""A copick project of all series: tomograms, picks with orientations, multilabel segmentations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from faket_dask.errors import InputError
from faket_dask.formats.copick import PickableObject, write_config, write_run
from faket_dask.interchange.exporters.source import Source
from faket_dask.specimen.recipe import SHEET, VESICLE

SMALLEST_RADIUS_A = 10.0
"""Displayed radius of classes that no series shows."""


class CopickExporter:
    """Writer of ``copick.json`` and a run for each series, with labels on the voxels of its tomograms."""

    name = "copick"
    help = "a copick project: tomograms, oriented picks and multilabel segmentations"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each run folder.

        Raises
        ------
        InputError
            If a modality has no tomogram.
        """
        for modality in source.modalities:
            if source.tomogram(source.series[0], modality) is None:
                raise InputError(
                    f"copick shows tomograms, and there are none of {modality}; make them first: "
                    f"`faket-dask reconstruct {source.dataset.folder} --modality {modality}`"
                )
        yield write_config(folder, source.dataset.folder.name, _list_objects(source))
        for series in source.series:
            grid = source.grid(series)
            volumes = {name: source.tomogram(series, name) for name in source.modalities}
            write_run(
                folder,
                series.name,
                grid.voxel_size_A,
                {name: volume for name, volume in volumes.items() if volume is not None},
                source.volume(series.specimen, "class_mask", grid),
                source.particles(series.specimen, grid),
            )
            yield folder / "ExperimentRuns" / series.name


def _list_objects(source: Source) -> list[PickableObject]:
    radius: dict[str, float] = {}
    for specimen in source.specimens:
        table = source.particles(specimen, source.view(specimen))
        for name in np.unique(table.class_name):
            largest = float(table.radius_A[table.class_name == name].max())
            radius[str(name)] = max(radius.get(str(name), SMALLEST_RADIUS_A), largest)
    labels = {
        name: label for specimen in source.specimens for name, label in source.class_ids(specimen).items()
    }
    return [
        PickableObject(name, label, name not in (VESICLE, SHEET), radius.get(name, SMALLEST_RADIUS_A))
        for name, label in labels.items()
    ]
