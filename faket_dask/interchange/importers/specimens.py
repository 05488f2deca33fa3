"""Import of other programs' specimens: density, labels and particle table for a run file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.mrc import write_volume
from faket_dask.interchange.importers.base import (
    ForeignVolume,
    SpecimenImporter,
    SpecimenOptions,
    refuse_unused_options,
)
from faket_dask.outputs.claim import claim_outputs
from faket_dask.registry import Registry
from faket_dask.specimen.volume import check_finite, to_labels

IMPORTERS: Registry[type[SpecimenImporter]] = Registry(
    "faket_dask.importers",
    "importer",
    {
        "shrec": "faket_dask.interchange.importers.shrec:ShrecImporter",
        "cryotomosim": "faket_dask.interchange.importers.cryotomosim:CryoTomoSimImporter",
        "polnet": "faket_dask.interchange.importers.polnet:PolnetImporter",
        "cellpack": "faket_dask.interchange.importers.cellpack:CellpackImporter",
        "mesoscale": "faket_dask.interchange.importers.mesoscale:MesoscaleImporter",
        "amira": "faket_dask.interchange.importers.amira:AmiraImporter",
    },
)
"""Importers of specimens by name; a package adds one by an entry point ``module:class``."""


def import_specimen(
    source: Path,
    target: Path,
    options: SpecimenOptions = SpecimenOptions(),
    overwrite: bool = False,
    importer: str | None = None,
) -> Iterator[Path]:
    """Convert a specimen of another program to one for a run file.

    Parameters
    ----------
    source
        File or folder of the other program, as `docs/formats.md` lists them.
    target
        Folder to write ``density.mrc``, ``class_mask.mrc``, ``instance_mask.mrc`` and ``particles.csv`` to, as far as
        the specimen has them.
    options
        Facts that the files do not say.
    overwrite
        True to replace files of others, too.
    importer
        Name of the format, where it is not recognised by the names of files.

    Yields
    ------
    path
        Each written file, once it is written.

    Raises
    ------
    InputError
        Before anything is written, if the source is of no known format, is damaged or contradicts itself, or if a
        target is a file of the source or not this program's, or cannot be written.
    """
    reader = IMPORTERS.get(importer or recognise(source))()
    refuse_unused_options(source, options, reader.options)
    specimen = reader.open(source, options)
    volumes = {
        "density": _Checked(specimen.density, np.dtype(np.float32)),
        "class_mask": _checked_labels(specimen.class_mask),
        "instance_mask": _checked_labels(specimen.instance_mask),
    }
    present = {target / f"{name}.mrc": volume for name, volume in volumes.items() if volume is not None}
    particles = target / "particles.csv"
    with claim_outputs([*present, particles], inputs=specimen.inputs, overwrite=overwrite):
        for path, volume in present.items():
            write_volume(path, volume, specimen.voxel_size_A)
            yield path
        specimen.table.write_csv(particles)
        yield particles


def recognise(source: Path) -> str:
    """Return the name of the format of a file or folder.

    Raises
    ------
    InputError
        If it is absent, or of no known format.
    """
    if not source.exists():
        raise InputError(f"{source} does not exist; check the path")
    for name in IMPORTERS.names:
        if IMPORTERS.get(name)().recognises(source):
            return name
    known = "; ".join(f"{name}: {IMPORTERS.get(name)().help}" for name in IMPORTERS.names)
    raise InputError(f"{source} is a specimen of no known format ({known}); name one by --from")


def _checked_labels(mask: ForeignVolume | None) -> _Checked | None:
    return None if mask is None else _Checked(mask, np.dtype(np.uint16))


@dataclass(frozen=True)
class _Checked:
    """Volume whose blocks are checked as they are read, and have one type."""

    volume: ForeignVolume
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.volume.shape

    def __getitem__(self, key: Sequence[slice]) -> NDArray[Any]:
        start, stop, _ = key[1].indices(self.shape[1])
        block = np.asarray(self.volume.rows(start, stop))
        if self.dtype.kind == "u":
            return to_labels(block, self.volume.path, np.uint16, start)
        check_finite(block, self.volume.path, start)
        return block.astype(self.dtype)
