"""Import of the models of SHREC."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats import shrec
from faket_dask.formats.mrc import MrcVolume
from faket_dask.interchange.importers.base import ForeignSpecimen, SpecimenOptions
from faket_dask.interchange.importers.particles import to_particle_table
from faket_dask.specimen.instances import BLOCK_ROWS
from faket_dask.specimen.label_evidence import (
    MaskBlock,
    adopt_labels,
    find_contradictions,
    gather_evidence,
)
from faket_dask.specimen.particles import ParticleTable
from faket_dask.specimen.volume import to_labels


class ShrecImporter:
    """Reader of a folder ``model_N``.

    Empty layers of the cube are left out, the same number on either side of layer ``N // 2``, where the tilt axis lies.
    """

    name = "shrec"
    help = "SHREC, a folder model_N with grandmodel.mrc and particle_locations.txt"
    options = ("voxel_size_A",)

    def recognises(self, source: Path) -> bool:
        """Tell whether a folder has files of a model."""
        return any((source / name).exists() for name in ("particle_locations.txt", "grandmodel.mrc"))

    def open(self, source: Path, options: SpecimenOptions) -> ForeignSpecimen:
        """Open a model.

        Raises
        ------
        InputError
            If the folder is no model, has no density, or the density is empty.
        """
        model = shrec.read_model(source, voxel_size_A=options.voxel_size_A)
        if "grandmodel" not in model.volumes:
            raise InputError(f"{source} has no grandmodel.mrc, so there is no specimen in it")
        density = model.volumes["grandmodel"]
        layers = _filled_layers(density)
        above = np.array([0.0, 0.0, layers.start * density.voxel_size_A])
        table = to_particle_table(replace(model.particles, centre_A=model.particles.centre_A - above))
        volumes = {name: _Layers(volume, layers) for name, volume in model.volumes.items()}
        masks = volumes.get("class_mask"), volumes.get("occupancy_mask")
        table = _match_masks(table, source, volumes["grandmodel"], *masks)
        return ForeignSpecimen(
            volumes["grandmodel"], density.voxel_size_A, table, tuple(source.iterdir()), *masks
        )


@dataclass(frozen=True)
class _Layers:
    """Range of layers of a volume on disk, read in blocks of rows."""

    volume: MrcVolume
    layers: slice

    @property
    def path(self) -> Path:
        return self.volume.path

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.layers.stop - self.layers.start, *self.volume.shape[1:])

    def rows(self, start: int, stop: int, /) -> NDArray[np.float32]:
        return self.volume.rows(start, stop)[self.layers]


def _filled_layers(volume: MrcVolume) -> slice:
    depth, height, _ = volume.shape
    filled = np.zeros(depth, dtype=np.bool_)
    for start in range(0, height, BLOCK_ROWS):
        filled |= volume.rows(start, min(start + BLOCK_ROWS, height)).any(axis=(1, 2))
    if not filled.any():
        raise InputError(f"{volume.path} is empty")
    first, last = np.nonzero(filled)[0][[0, -1]]
    middle = depth // 2
    half = max(middle - int(first), int(last) + 1 - middle, 1)
    return slice(max(0, middle - half), min(depth, middle + half))


def _match_masks(
    table: ParticleTable,
    folder: Path,
    density: _Layers,
    class_mask: _Layers | None,
    instance_mask: _Layers | None,
) -> ParticleTable:
    """Return the table with the labels of the class mask, and without particles outside the volume; warn of both."""
    depth, height, width = density.shape

    def read_masks() -> Iterator[MaskBlock]:
        for start in range(0, height, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, height)
            masks = [
                np.zeros((depth, stop - start, width), np.uint16)
                if mask is None
                else to_labels(mask.rows(start, stop), mask.path, np.uint16, start)
                for mask in (class_mask, instance_mask)
            ]
            yield MaskBlock(start, *masks)

    evidence = gather_evidence(table, read_masks(), (depth, height, width), density.volume.voxel_size_A)
    table, changes = adopt_labels(table, evidence)
    if changes:
        warnings.warn(
            f"{folder}: class mask and particle table disagree, and the mask is believed: {'; '.join(changes)}",
            stacklevel=3,
        )
    evidence = replace(evidence, table=table)
    outside = evidence.is_outside
    if outside.any():
        first = int(np.argmax(outside))
        warnings.warn(
            f"{folder}: {np.count_nonzero(outside)} of {len(table)} particles are centred outside the volume "
            f"and left out, number {table.instance[first]} ({table.class_name[first]}) first",
            stacklevel=3,
        )
    for fault in find_contradictions(replace(evidence, is_outside=np.zeros_like(outside))):
        warnings.warn(f"{folder}: {fault}", stacklevel=3)
    return table.select(~outside)
