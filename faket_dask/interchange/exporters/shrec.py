"""The SHREC 2021 layout: one ``model_N`` for each series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from faket_dask.dataset.grids import Grid
from faket_dask.dataset.pairing import Series
from faket_dask.errors import InputError
from faket_dask.formats.mrc import write_stack
from faket_dask.formats.mrc_writing import ArrayLike3D
from faket_dask.formats.shrec_writing import write_model
from faket_dask.interchange.exporters.hollows import fill_hollows
from faket_dask.interchange.exporters.source import Source
from faket_dask.kernels.binning import bin_axes


class ShrecExporter:
    """Writer of ``model_N`` for the N-th series of the data set.

    All volumes of a model are on the voxels of its tomogram, where there is one. The first modality is called
    ``projections.mrc`` and its tomogram ``reconstruction.mrc``; further ones are called
    ``projections_<modality>.mrc``. Where the tomogram's voxels are larger than the pixels, these stacks are binned
    alike, and ``projections_unbinned.mrc`` or ``projections_<modality>_unbinned.mrc`` lies beside each.
    """

    name = "shrec"
    help = "the SHREC 2021 layout, a folder model_N per series"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each model folder.

        Raises
        ------
        InputError
            If a volume is deeper than it is wide, which a cube cannot hold.
        """
        for number, series in enumerate(source.series):
            tomogram = source.tomogram(series, source.modalities[0]) if source.modalities else None
            grid = source.view(series.specimen) if tomogram is None else source.grid(series)
            depth, _, width = grid.shape
            if depth > width:
                raise InputError(
                    f"{series.name} has {depth} layers and {width} columns in view; SHREC's cubes hold at most as many "
                    "layers as columns"
                )
            directory = folder / f"model_{number}"
            particles = source.particles(series.specimen, grid)
            volumes: dict[str, ArrayLike3D] = {
                "grandmodel": source.density(series.specimen, grid),
                "class_mask": source.volume(series.specimen, "class_mask", grid),
                "occupancy_mask": fill_hollows(
                    source.volume(series.specimen, "instance_mask", grid), particles, grid.voxel_size_A
                ),
            }
            if tomogram is not None:
                volumes["reconstruction"] = tomogram
            tilts, rows, columns = source.stack_shape(series)
            shape = (tilts, rows // grid.step, columns // grid.step)
            stacks = {
                ("" if modality in source.modalities[:1] else modality): (
                    shape,
                    (bin_axes(tilt, grid.step, (0, 1)) for tilt in source.tilts(series, modality)),
                )
                for modality in source.modalities
            }
            geometry = replace(source.geometry(series, "noiseless"), pixel_size_A=grid.voxel_size_A)
            write_model(directory, geometry, particles, volumes, stacks)
            if grid.step > 1:
                _write_unbinned(source, series, grid, directory)
            yield directory


def _write_unbinned(source: Source, series: Series, grid: Grid, directory: Path) -> None:
    for modality in source.modalities:
        infix = "" if modality in source.modalities[:1] else f"_{modality}"
        path = directory / f"projections{infix}_unbinned.mrc"
        tilts = source.tilts(series, modality)
        write_stack(path, tilts, source.stack_shape(series), grid.specimen_voxel_size_A)
