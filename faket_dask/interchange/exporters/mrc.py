"""MRC stacks and volumes with text files beside them, which nearly every program reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faket_dask.dataset.pairing import Series
from faket_dask.formats.imod import write_angles
from faket_dask.formats.mdoc import write_mdoc
from faket_dask.formats.mrc import write_stack, write_volume
from faket_dask.interchange.exporters.source import Source

VOLUMES = ("density", "class_mask", "instance_mask")


class MrcExporter:
    """Writer of stacks, tomograms, labels and particle tables in one folder.

    Every series gives, for each modality, the stack ``<series>_<modality>.mrc``, its tilt angles with IMOD's sign
    (`.rawtlt`), SerialEM's ``.mrc.mdoc``, and ``<series>_<modality>_rec.mrc`` where it has a tomogram. Every specimen
    gives its volumes, cut to the field of view, and a table of the particles centred there.
    """

    name = "mrc"
    help = "MRC stacks and volumes, with angles, .mdoc files and particle tables beside them"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each file."""
        for series in source.series:
            for modality in source.modalities:
                yield from _write_stack(source, series, modality, folder)
        for specimen in source.specimens:
            view = source.view(specimen)
            for name in VOLUMES:
                path = folder / f"{specimen}_{name}.mrc"
                write_volume(path, source.volume(specimen, name, view), view.voxel_size_A)
                yield path
            table = folder / f"{specimen}_particles.csv"
            source.particles(specimen, view).write_csv(table)
            yield table


def _write_stack(source: Source, series: Series, modality: str, folder: Path) -> Iterator[Path]:
    geometry = source.geometry(series, modality)
    stack = folder / f"{series.name}_{modality}.mrc"
    write_stack(stack, source.tilts(series, modality), source.stack_shape(series), geometry.pixel_size_A)
    yield stack
    angles = stack.with_suffix(".rawtlt")
    write_angles(angles, geometry.stage_angles)
    yield angles
    mdoc = stack.with_name(stack.name + ".mdoc")
    microscope = source.spec.config.microscope
    defocus = source.defocus_um(series, modality)
    write_mdoc(mdoc, geometry, stack.name, source.stack_shape(series)[1:], microscope.voltage_kV, defocus)
    yield mdoc
    tomogram = source.tomogram(series, modality)
    if tomogram is not None:
        path = folder / f"{series.name}_{modality}_rec.mrc"
        write_volume(path, tomogram, source.grid(series).voxel_size_A)
        yield path
