"""A copick project of all series: tomograms, picks with orientations, segmentations, and targets for octopi."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from faket_dask.formats.copick import PickableObject
from faket_dask.formats.copick_writing import write_config, write_octopi_targets, write_run
from faket_dask.interchange.exporters.source import Source
from faket_dask.specimen.class_names import DEPOSITS

SMALLEST_RADIUS_A = 10.0
"""Displayed radius of classes that no series shows."""


class CopickExporter:
    """Writer of ``copick.json`` and a run for each series, with labels on the voxels of its tomograms.

    Particles are picked, membranes are segmented; one more segmentation has all classes, and octopi trains on it.
    """

    name = "copick"
    help = "a copick project: tomograms, oriented picks, segmentations, and training targets for octopi"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each run folder.

        Raises
        ------
        InputError
            If a modality has no tomogram, or specimens disagree about the label of a class.
        """
        for modality in source.modalities:
            source.check_reconstructed(modality, "copick shows tomograms")
        objects = _list_objects(source)
        config = write_config(folder, source.dataset.folder.name, objects, source.root)
        yield config
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
                objects,
            )
            yield folder / "ExperimentRuns" / series.name
        if [item.label for item in objects] == list(range(1, len(objects) + 1)):
            yield write_octopi_targets(folder, objects)
        else:
            warnings.warn(
                "octopi trains on labels from 1 without a gap, so no targets of it were written for the labels "
                f"{', '.join(str(item.label) for item in objects) or 'without names'}",
                stacklevel=2,
            )
        _warn_of_spacings(source)
        if source.root is None:
            warnings.warn(
                f"{config} holds the path of its folder, and copick finds nothing once that is moved: write the new "
                "path as overlay_root there, or export with --root NEW_FOLDER",
                stacklevel=2,
            )


def _warn_of_spacings(source: Source) -> None:
    spacings = sorted({source.grid(series).voxel_size_A for series in source.series})
    names = list(dict.fromkeys(f"{spacing:.3f}" for spacing in spacings))
    if len(names) > 1:
        shown = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
        warnings.warn(
            f"the runs have {len(names)} voxel spacings ({shown} Å), and programs take tomograms by their spacing: "
            "octopi leaves out runs of a spacing that no --tomo-uri names",
            stacklevel=3,
        )


def _list_objects(source: Source) -> list[PickableObject]:
    radius: dict[str, float] = {}
    for specimen in source.specimens:
        table = source.particles(specimen, source.view(specimen))
        for name in np.unique(table.class_name):
            largest = float(table.radius_A[table.class_name == name].max())
            radius[str(name)] = max(radius.get(str(name), SMALLEST_RADIUS_A), largest)
    return [
        PickableObject(
            name, label, name not in (*source.membranes, *DEPOSITS), radius.get(name, SMALLEST_RADIUS_A)
        )
        for name, label in source.class_labels().items()
    ]
