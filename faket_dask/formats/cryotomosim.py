"""Read the models of CryoTomoSim (Purnell et al., bioRxiv 2023.04.28.538636).

A folder ``model_…`` has the density ``NAMES.mrc``, the positions of each class in ``zcoords_CLASS.csv``, and a MATLAB
file of everything, which is not read. Positions are voxels ``x, y, z``, counted from 1 as MATLAB counts; orientations
are not recorded. Simulating a tilt-series adds a folder with ``Atlas.mrc``, the class mask, and ``Atlas.txt``, the name
of each of its numbers from 0, the background.

This is read from the program's source (commit 47f5ecd); no model of it was had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faket_dask.errors import InputError
from faket_dask.formats.files import read_text
from faket_dask.formats.mrc import MrcArray, MrcVolume, open_samples, open_volume
from faket_dask.formats.particle_list import ParticleList

COORDINATES = "zcoords_"
"""Begin of the names of files of positions."""

_ATLAS = "Atlas"


@dataclass(frozen=True, eq=False)
class CryoTomoSimModel:
    """One model; volumes are opened, not read.

    Parameters
    ----------
    density
        Density, dense positive.
    atlas
        Class mask.
    particles
        Positions of all classes; ``class_id`` is the number in the atlas.
    others
        Name of each number in the atlas that has no list: membranes, beads, carbon.
    inputs
        Files that were read.
    """

    density: MrcVolume
    atlas: MrcArray
    particles: ParticleList
    others: dict[int, str]
    inputs: tuple[Path, ...]


def read_model(
    folder: Path, *, name: str | None = None, voxel_size_A: float | None = None
) -> CryoTomoSimModel:
    """Read one model.

    Parameters
    ----------
    folder
        Folder of the model.
    name
        Name of the folder of a simulation, where several have an atlas.
    voxel_size_A
        Edge of a voxel in Å, in place of the header's value.

    Raises
    ------
    InputError
        If files are absent, damaged, or of differing shape, or a class has positions and no number in the atlas.
    """
    lists = sorted(folder.glob(f"{COORDINATES}*.csv"))
    atlas_path = _find_atlas(folder, name)
    names = [
        line.strip() for line in read_text(atlas_path.with_suffix(".txt"), "list of classes").splitlines()
    ]
    names = [line for line in names if line]
    if len(set(names)) != len(names) or not 2 <= len(names) <= 256:
        raise InputError(
            f"list of classes {atlas_path.with_suffix('.txt')} has {len(names)} lines; expected the background and up "
            "to 255 classes, each once"
        )
    density = open_volume(_find_density(folder), voxel_size_A=voxel_size_A)
    atlas = open_samples(atlas_path)
    if atlas.shape != density.shape:
        raise InputError(
            f"{atlas_path} has the shape {atlas.shape} and {density.path} {density.shape}; they must agree"
        )
    classes: list[str] = []
    places: list[tuple[float, ...]] = []
    for path in lists:
        kind = path.stem.removeprefix(COORDINATES)
        if kind not in names[1:]:
            raise InputError(
                f"{path} has the positions of {kind!r}, which is none of {', '.join(names[1:7])} in {atlas_path}; the "
                "two do not belong together"
            )
        rows = _read_places(path)
        classes += [kind] * len(rows)
        places += rows
    count = len(places)
    particles = ParticleList(
        np.array(classes, np.str_),
        np.array([names.index(kind) for kind in classes], np.int64),
        np.arange(1, count + 1, dtype=np.int64),
        (np.array(places, np.float64).reshape(-1, 3) - 1) * density.voxel_size_A,
        np.tile(np.eye(3), (count, 1, 1)),
    )
    others = {number: kind for number, kind in enumerate(names) if number and kind not in classes}
    inputs = (density.path, atlas_path, atlas_path.with_suffix(".txt"), *lists)
    return CryoTomoSimModel(density, atlas, particles, others, inputs)


def _find_density(folder: Path) -> Path:
    found = [path for path in sorted(folder.glob("*.mrc")) if not path.name.startswith(_ATLAS)]
    if len(found) != 1:
        raise InputError(f"{folder} has {len(found)} densities (.mrc), and a model of CryoTomoSim has one")
    return found[0]


def _find_atlas(folder: Path, name: str | None) -> Path:
    found = sorted([*folder.glob(f"{_ATLAS}*.mrc"), *folder.glob(f"*/{_ATLAS}*.mrc")])
    chosen: Sequence[Path] = [path for path in found if name is None or name in (path.parent.name, path.stem)]
    if len(chosen) == 1:
        return chosen[0]
    if not found:
        raise InputError(
            f"{folder} has no {_ATLAS}*.mrc, here or in a folder of it, so its labels are not known; simulate a "
            "tilt-series of it by cts_simulate, which writes one"
        )
    folders = ", ".join(path.parent.name for path in found[:6])
    raise InputError(f"{folder} has an atlas in {folders}; name one by --name")


def _read_places(path: Path) -> list[tuple[float, ...]]:
    rows: list[tuple[float, ...]] = []
    for line, text in enumerate(read_text(path, "list of positions").splitlines(), start=1):
        if not text.strip():
            continue
        try:
            row = tuple(float(word) for word in text.split(","))
        except ValueError:
            row = ()
        if len(row) != 3 or not np.isfinite(row).all() or max(map(abs, row)) > 1e6:
            raise InputError(f"list of positions {path}, line {line}: expected x,y,z, found {text[:60]!r}")
        rows.append(row)
    return rows
