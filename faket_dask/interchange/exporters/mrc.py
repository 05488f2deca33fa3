"""MRC stacks and volumes with text files beside them, which nearly every program reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from faket_dask.dataset.grids import Grid
from faket_dask.dataset.pairing import Series
from faket_dask.formats.alignment import Alignment
from faket_dask.formats.ctffind import write_ctffind
from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mdoc import write_mdoc
from faket_dask.formats.mrc import write_stack, write_volume
from faket_dask.interchange.exporters.source import Source

MASKS = ("class_mask", "instance_mask")


class MrcExporter:
    """Writer of stacks, tomograms, labels and particle tables in one folder.

    Every series gives, for each modality, the stack ``<series>_<modality>.mrc``, its tilt angles with IMOD's sign
    (`.rawtlt`), SerialEM's ``.mrc.mdoc``, AreTomo3's ``<series>_<modality>_CTF.txt`` where its images carry a CTF,
    IMOD's `.xf` where they are displaced and the export tells so, and ``<series>_<modality>_rec.mrc`` where it has a
    tomogram, with ``<series>_<modality>_odd_rec.mrc`` and so on where it has those of halves of the tilts. Every
    specimen gives its volumes, cut to the field of view, and a table of the particles centred there. A series with
    tomograms has masks and a table of its own, ``<series>_class_mask.mrc``,
    ``<series>_instance_mask.mrc`` and ``<series>_particles.csv``, on the voxels of its tomograms, which may be larger
    or more.
    """

    name = "mrc"
    help = "MRC stacks and volumes, with angles, .mdoc files and particle tables beside them"

    def export(self, source: Source, folder: Path) -> Iterator[Path]:
        """Write a data set; yield each file."""
        for series in source.series:
            for modality in source.modalities:
                yield from _write_stack(source, series, modality, folder)
            if any(source.tomogram(series, modality) is not None for modality in source.modalities):
                grid = source.grid(series)
                yield from _write_labels(source, series.specimen, grid, MASKS, folder / series.name)
        for specimen in source.specimens:
            names = ("density", *MASKS)
            yield from _write_labels(source, specimen, source.view(specimen), names, folder / specimen)


def _write_labels(
    source: Source, specimen: str, grid: Grid, names: Sequence[str], prefix: Path
) -> Iterator[Path]:
    """Write volumes of a specimen and its particles on the voxels of a grid."""
    for name in names:
        path = prefix.with_name(f"{prefix.name}_{name}.mrc")
        write_volume(path, source.volume(specimen, name, grid), grid.voxel_size_A)
        yield path
    table = prefix.with_name(f"{prefix.name}_particles.csv")
    source.particles(specimen, grid).write_csv(table)
    yield table


def _write_stack(source: Source, series: Series, modality: str, folder: Path) -> Iterator[Path]:
    geometry = source.geometry(series, modality)
    stack = folder / f"{series.name}_{modality}.mrc"
    write_stack(stack, source.tilts(series, modality), source.stack_shape(series), geometry.pixel_size_A)
    yield stack
    angles = stack.with_suffix(".rawtlt")
    write_angles(angles, geometry.stage_angles)
    yield angles
    if not geometry.is_aligned:
        transforms, shape = stack.with_suffix(".xf"), source.stack_shape(series)[1:]
        write_transforms(transforms, Alignment.from_geometry(geometry, shape).to_transforms(shape))
        yield transforms
    mdoc = stack.with_name(stack.name + ".mdoc")
    voltage_kV, ctf = source.optics(series, modality).voltage_kV, source.ctf(series, modality)
    write_mdoc(mdoc, geometry, stack.name, source.stack_shape(series)[1:], voltage_kV, ctf)
    yield mdoc
    if ctf is not None:
        contrast = stack.with_name(f"{stack.stem}_CTF.txt")
        write_ctffind(contrast, ctf)
        yield contrast
    tomogram = source.tomogram(series, modality)
    if tomogram is not None:
        path = folder / f"{series.name}_{modality}_rec.mrc"
        write_volume(path, tomogram, source.grid(series).voxel_size_A)
        yield path
    for half, tomogram in source.half_tomograms(series, modality):
        path = folder / f"{series.name}_{modality}_{half}_rec.mrc"
        write_volume(path, tomogram, source.grid(series).voxel_size_A)
        yield path
