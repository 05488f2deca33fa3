"""The SHREC 2021 layout: one ``model_N`` for each series."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faket_dask.errors import InputError
from faket_dask.formats.mrc import write_volume
from faket_dask.formats.shrec_writing import pad_to_cube, write_model
from faket_dask.interchange.exporters.source import Source

VOLUMES = {"grandmodel": "density", "class_mask": "class_mask", "occupancy_mask": "instance_mask"}


class ShrecExporter:
    """Writer of ``model_N`` for the N-th series of the data set.

    The first modality is called ``projections.mrc`` and its tomogram ``reconstruction.mrc``; further ones are called
    ``projections_<modality>.mrc``.
    """

    name = "shrec"
    help = "the SHREC 2021 layout, a folder model_N per series"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each model folder.

        Raises
        ------
        InputError
            If a specimen is deeper than it is wide, which a cube cannot hold.
        """
        for number, series in enumerate(source.series):
            view = source.view(series.specimen)
            depth, _, width = view.shape
            if depth > width:
                raise InputError(
                    f"{series.specimen} has {depth} layers and {width} columns in view; SHREC's cubes hold at most as "
                    "many layers as columns"
                )
            directory = folder / f"model_{number}"
            main = source.modalities[:1]
            write_model(
                directory,
                source.geometry(series, "noiseless"),
                source.particles(series.specimen, view),
                {name: source.volume(series.specimen, own, view) for name, own in VOLUMES.items()},
                {
                    "" if modality in main else modality: (
                        source.stack_shape(series),
                        source.tilts(series, modality),
                    )
                    for modality in source.modalities
                },
            )
            for modality in main:
                tomogram = source.tomogram(series, modality)
                if tomogram is not None and tomogram.shape[0] <= tomogram.shape[2]:
                    voxel_size_A = source.grid(series).voxel_size_A
                    write_volume(directory / "reconstruction.mrc", pad_to_cube(tomogram), voxel_size_A)
            yield directory
