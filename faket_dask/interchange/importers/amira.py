"""Import of label volumes: Amira's and Avizo's, and MRC files of labels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.amira import SUFFIX, AmiraVolume, open_amira
from faket_dask.formats.mrc import MrcArray, open_samples, open_volume
from faket_dask.interchange.importers.base import ForeignSpecimen, ForeignVolume, SpecimenOptions
from faket_dask.specimen.composition import PROTEIN_MAP_V
from faket_dask.specimen.instances import BLOCK_ROWS, find_instances
from faket_dask.specimen.particles import make_table
from faket_dask.specimen.volume import to_labels

_MRC_SUFFIXES = (".mrc", ".rec", ".map")
_LABELS = "labels"


class AmiraImporter:
    """Reader of a label volume, and of the density beside it.

    Connected voxels of a label are an instance, centred at their mean; there are no orientations, and those of the
    table are the identity. Without a density, labelled voxels have the mean potential of protein.
    """

    name = "amira"
    help = "labels of Amira and Avizo, NAME.Labels.am, or NAME.Labels.mrc, with NAME.am or NAME.mrc if there is one"
    options = ("voxel_size_A",)

    def recognises(self, source: Path) -> bool:
        """Tell whether a file is an AmiraMesh, or an MRC file that is called one of labels."""
        is_mrc = source.suffix.lower() in _MRC_SUFFIXES and source.stem.lower().endswith(_LABELS)
        return source.is_file() and (source.suffix.lower() == SUFFIX or is_mrc)

    def open(self, source: Path, options: SpecimenOptions) -> ForeignSpecimen:
        """Open a label volume.

        Raises
        ------
        InputError
            If a file is damaged, the two differ in shape, a label is none of the materials, or there are more instances
            than masks hold.
        """
        labels, edge, materials = _open_labels(source, options)
        names = _name_labels(labels, materials, source)
        density = _open_density(source, labels.shape, options)
        warnings.warn(
            f"{source}: label volumes record no orientations; the rotations in the table are the identity",
            stacklevel=2,
        )
        empty = make_table([], [], np.zeros((0, 3)), np.zeros((0, 3, 3)))
        instances = find_instances(labels, empty, edge, names)
        inputs = [source] if density is None else [source, density.path]
        return ForeignSpecimen(
            density or _FlatDensity(labels), edge, instances.table, tuple(inputs), labels, instances
        )


def _open_labels(
    source: Path, options: SpecimenOptions
) -> tuple[AmiraVolume | MrcArray, float, tuple[str, ...]]:
    """Open the labels; return their voxel size in Å, and the names of the materials."""
    if source.suffix.lower() == SUFFIX:
        volume = open_amira(source, voxel_size_A=options.voxel_size_A)
        return volume, volume.voxel_size_A, volume.materials
    return open_samples(source), open_volume(source, voxel_size_A=options.voxel_size_A).voxel_size_A, ()


def _open_density(source: Path, shape: tuple[int, ...], options: SpecimenOptions) -> ForeignVolume | None:
    stem = source.stem[: -len(_LABELS)].rstrip("._-") if source.stem.lower().endswith(_LABELS) else ""
    paths = [source.with_name(f"{stem}{suffix}") for suffix in (SUFFIX, *_MRC_SUFFIXES)]
    for path in paths if stem else []:
        if path.is_file():
            opened: ForeignVolume = (
                open_amira(path, voxel_size_A=options.voxel_size_A)
                if path.suffix == SUFFIX
                else open_volume(path, voxel_size_A=options.voxel_size_A)
            )
            if opened.shape != shape:
                raise InputError(f"{source} has the shape {shape} and {path} {opened.shape}; they must agree")
            return opened
    warnings.warn(
        f"{source} has no density beside it; its labelled voxels have {PROTEIN_MAP_V:g} V, as protein has",
        stacklevel=3,
    )
    return None


def _name_labels(labels: ForeignVolume, materials: tuple[str, ...], source: Path) -> dict[int, str]:
    """Return the name of each label that the volume has: that of its material, by the order of the list."""
    present: set[int] = set()
    for start in range(0, labels.shape[1], BLOCK_ROWS):
        block = labels.rows(start, min(start + BLOCK_ROWS, labels.shape[1]))
        present |= set(np.unique(to_labels(np.asarray(block), source, np.uint8, start)).tolist())
    present.discard(0)
    if not present:
        raise InputError(f"{source} has no labels: all of its voxels are 0")
    if materials and max(present) >= len(materials):
        raise InputError(
            f"{source}: there are voxels of the label {max(present)}, and {len(materials)} materials, which are "
            "numbered from 0; the two do not belong together"
        )
    names = {number: materials[number] if materials else f"label-{number}" for number in sorted(present)}
    repeated = sorted(name for name in names.values() if list(names.values()).count(name) > 1)
    if repeated:
        raise InputError(
            f"{source}: several materials are called {repeated[0]!r}; give them names of their own"
        )
    return names


@dataclass(frozen=True, eq=False)
class _FlatDensity:
    """Density of one value where there are labels."""

    labels: ForeignVolume

    @property
    def path(self) -> Path:
        return self.labels.path

    @property
    def shape(self) -> tuple[int, ...]:
        return self.labels.shape

    def rows(self, start: int, stop: int, /) -> NDArray[Any]:
        return np.where(
            np.asarray(self.labels.rows(start, stop)) > 0, np.float32(PROTEIN_MAP_V), np.float32(0)
        )
