"""Specimens of other programs as they are read, and the protocol of an importer."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol, runtime_checkable

from faket_dask.errors import InputError
from faket_dask.specimen.instances import ClassMask
from faket_dask.specimen.particles import ParticleTable

ForeignVolume = ClassMask
"""Volume ``(z, y, x)`` in a file of another program, read in blocks of y; the file is named in messages."""


@dataclass(frozen=True)
class SpecimenOptions:
    """Choice of a specimen, and what its files do not say; each option suits some importers only.

    Parameters
    ----------
    voxel_size_A
        Edge of a voxel in Å, in place of the headers' value.
    name
        Number or name of the tomogram, where there are several.
    """

    voxel_size_A: float | None = None
    name: str | None = None


_FLAGS = {"voxel_size_A": "--voxel-size-A", "object_name": "--object"}


def refuse_unused_options(source: Path, options: object, used: Collection[str]) -> None:
    """Refuse options that say nothing about a source.

    Parameters
    ----------
    source
        File or folder to import.
    options
        Dataclass of options, ``None`` where one is not given.
    used
        Names of those that suit the source.

    Raises
    ------
    InputError
        Naming the first option that is given and does not suit.

    Examples
    --------
    >>> refuse_unused_options(Path("a.tbl"), SpecimenOptions(name="1"), ["voxel_size_A"])
    Traceback (most recent call last):
    faket_dask.errors.InputError: --name says nothing about a.tbl; leave it out
    """
    for field in fields(options):  # type: ignore[arg-type]
        if field.name not in used and getattr(options, field.name) is not None:
            flag = _FLAGS.get(field.name, f"--{field.name}")
            raise InputError(f"{flag} says nothing about {source}; leave it out")


def require_voxel_size(source: Path, options: SpecimenOptions) -> float:
    """Return the voxel size in Å of a specimen whose files have none.

    Raises
    ------
    InputError
        If it is not given, or is no size.

    Examples
    --------
    >>> require_voxel_size(Path("cell.cif"), SpecimenOptions())
    Traceback (most recent call last):
    faket_dask.errors.InputError: cell.cif has no voxels; give the size of the specimen's in Å by --voxel-size-A
    """
    if options.voxel_size_A is None:
        raise InputError(f"{source} has no voxels; give the size of the specimen's in Å by --voxel-size-A")
    if not (math.isfinite(options.voxel_size_A) and options.voxel_size_A > 0):
        raise InputError(f"a voxel of {options.voxel_size_A:g} Å is no size; give it in Å by --voxel-size-A")
    return options.voxel_size_A


@dataclass(frozen=True, eq=False)
class ForeignSpecimen:
    """Specimen of another program in the frame of this one; its volumes are opened, not read.

    Parameters
    ----------
    density
        Density, dense positive.
    voxel_size_A
        Edge of a voxel in Å.
    table
        Particles, centred in the volume, with the numbers of the masks.
    inputs
        Files that it is read from.
    class_mask, instance_mask
        Labels of the density's shape, where they are known.
    """

    density: ForeignVolume
    voxel_size_A: float
    table: ParticleTable
    inputs: tuple[Path, ...]
    class_mask: ForeignVolume | None = None
    instance_mask: ForeignVolume | None = None


@runtime_checkable
class SpecimenImporter(Protocol):
    """Reader of the specimens of one program."""

    @property
    def name(self) -> str:
        """Name of the format on the command line."""

    @property
    def help(self) -> str:
        """Description in one line."""

    @property
    def options(self) -> tuple[str, ...]:
        """Options of `SpecimenOptions` that it uses."""

    def recognises(self, source: Path) -> bool:
        """Tell by names of files alone whether a file or folder is of this format."""

    def open(self, source: Path, options: SpecimenOptions) -> ForeignSpecimen:
        """Open a specimen.

        Raises
        ------
        InputError
            If files are missing, damaged, or contradict each other.
        """
