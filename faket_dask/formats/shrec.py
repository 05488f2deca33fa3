"""Read the folder layout of the SHREC 2021 data set (Gubins et al., Eurographics 3DOR, 2021).

A tomogram is a folder ``model_N`` with the volumes ``grandmodel.mrc``, ``class_mask.mrc``,
``occupancy_mask.mrc`` (instance numbers) and ``reconstruction.mrc``, stacks ``projections*.mrc``, and the text
files ``particle_locations.txt`` and ``alignment_simulated.txt``. Volumes are stored as cubes with the slab in
the middle: the tilt axis is at ``N // 2`` along z too. Positions are whole voxels of that cube. Their angles
``θ φ ψ`` stand for the rotation ``Rz(θ) Rx(φ) Rz(ψ)`` from particle to specimen: that is how the simulator's
interpolation library turns a particle in its mode ``szxz``. Tilt angles are used as they are written.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.files import read_text
from faket_dask.formats.mrc import MrcStack, MrcVolume, open_stack, open_volume
from faket_dask.formats.particle_list import ParticleList, rotation_matrices
from faket_dask.geometry import TiltGeometry

CLASSES = (
    *("background", "4V94", "4CR2", "1QVR", "1BXN", "3CF3", "1U6G", "3D2F", "2CG9", "3H84", "3GL1", "3QM1"),
    *("1S3X", "5MRC", "vesicle", "fiducial"),
)
"""Names in the order of their ids in the class mask. Classes of other names get the ids that follow."""

VALID_LAYERS = (0.32226, 0.67382)
"""Fraction of the cube's layers that SHREC's specimens fill."""


VOLUMES = ("grandmodel", "class_mask", "occupancy_mask", "reconstruction")
"""Names of the volumes of a model."""

ALIGNMENT_FILE = "alignment_simulated.txt"

ALIGNMENT = (
    "AlignmentTransX",
    "AlignmentTransY",
    "TiltAngle",
    "InPlaneRotation",
    "Magnification",
    "FileName",
)
"""Columns of the alignment file."""


@dataclass(frozen=True, eq=False)
class ShrecModel:
    """One tomogram of a SHREC data set; volumes and stacks are opened, not read.

    Parameters
    ----------
    folder
        Folder ``model_N``.
    particles
        Particles in the order of the occupancy mask's instance numbers.
    volumes
        Volumes in the folder, by file name without ``.mrc``.
    projections
        Tilt-series in the folder, by file name without ``.mrc``.
    geometry
        Tilt angles and pixel size, where the folder has ``alignment_simulated.txt``.
    """

    folder: Path
    particles: ParticleList
    volumes: Mapping[str, MrcVolume] = field(default_factory=dict)
    projections: Mapping[str, MrcStack] = field(default_factory=dict)
    geometry: TiltGeometry | None = None


def valid_layers(size: int) -> slice:
    """Return the layers of a cube of `size` voxels that SHREC's specimens fill.

    Examples
    --------
    >>> valid_layers(512)
    slice(165, 345, None)
    """
    return slice(round(VALID_LAYERS[0] * size), round(VALID_LAYERS[1] * size))


def read_model(folder: Path, *, voxel_size_A: float | None = None) -> ShrecModel:
    """Read one ``model_N`` folder.

    Parameters
    ----------
    folder
        Folder with at least ``particle_locations.txt``.
    voxel_size_A
        Edge of a voxel in Å; needed where the headers of the volumes do not have it.

    Raises
    ------
    InputError
        If the folder or its particle list is absent, a file is damaged, sizes disagree, or no voxel size is
        known.
    """
    volumes = {
        name: open_volume(folder / f"{name}.mrc", voxel_size_A=voxel_size_A)
        for name in VOLUMES
        if (folder / f"{name}.mrc").exists()
    }
    projections = {
        path.stem: open_stack(path, pixel_size_A=voxel_size_A)
        for path in sorted(folder.glob("projections*.mrc"))
    }
    sizes = {str(volume.path): volume.shape for name, volume in volumes.items() if name != "reconstruction"}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{path} {shape}" for path, shape in sizes.items())
        raise InputError(f"the volumes of a SHREC model must have one shape, got {listed}")
    if voxel_size_A is None:
        known = [volume.voxel_size_A for volume in volumes.values()]
        known += [stack.pixel_size_A for stack in projections.values()]
        if not known:
            raise InputError(f"{folder} has no volume that tells the voxel size; give the voxel size in Å")
        voxel_size_A = known[0]
    particles = read_locations(folder / "particle_locations.txt", voxel_size_A)
    alignment = folder / ALIGNMENT_FILE
    geometry = TiltGeometry(read_alignment(alignment), voxel_size_A) if alignment.exists() else None
    for path, stack in projections.items():
        if geometry is not None and stack.shape[0] != len(geometry):
            raise InputError(
                f"{alignment} lists {len(geometry)} tilts, {folder / path}.mrc has {stack.shape[0]}"
            )
    return ShrecModel(folder, particles, volumes, projections, geometry)


def read_locations(path: Path, voxel_size_A: float) -> ParticleList:
    """Read ``particle_locations.txt``; rows without angles (vesicles) get the identity.

    Parameters
    ----------
    path
        File of lines ``NAME x y z θ φ ψ``, voxels of the cube and degrees; the order is that of the instance numbers.
    voxel_size_A
        Edge of a voxel in Å.

    Raises
    ------
    InputError
        If the file is absent or a line is not of that form.
    """
    names, numbers = [], []
    for line, text in enumerate(read_text(path, "particle list").splitlines(), start=1):
        words = text.split()
        if not words:
            continue
        try:
            row = [float(word) for word in words[1:]]
        except ValueError:
            row = []
        if len(row) != 6 or not np.isfinite(row[:3]).all() or np.isinf(row[3:]).any():
            raise InputError(
                f"particle list {path}, line {line}: expected NAME x y z and three angles, found {text[:60]!r}"
            )
        names.append(words[0])
        numbers.append(row)
    table = np.array(numbers, dtype=np.float64).reshape(-1, 6)
    ids = class_ids(names)
    return ParticleList(
        class_name=np.array(names, dtype=np.str_),
        class_id=np.array([ids[name] for name in names], dtype=np.int64),
        instance=np.arange(1, len(names) + 1, dtype=np.int64),
        centre_A=table[:, :3] * voxel_size_A,
        rotation=rotation_matrices(np.nan_to_num(table[:, 3:]), "ZXZ"),
    )


def read_alignment(path: Path) -> NDArray[np.float64]:
    """Read the tilt angles, ``(tilt,)`` degrees, of ``alignment_simulated.txt``.

    A warning says if the other columns state shifts, rotations or magnifications, which are not applied.

    Raises
    ------
    InputError
        If the file is absent, empty, or a line does not have numbers in its first five columns.
    """
    rows = []
    for line, text in enumerate(read_text(path, "alignment file").splitlines(), start=1):
        if text.strip() and not text.lstrip().startswith("#"):
            words = text.split()
            try:
                shift_x, shift_y, angle, rotation, magnification = (float(word) for word in words[:5])
            except ValueError:
                raise InputError(
                    f"alignment file {path}, line {line}: expected {' '.join(ALIGNMENT)}, found {text[:60]!r}"
                ) from None
            rows.append((angle, shift_x, shift_y, rotation, magnification))
    if not rows:
        raise InputError(f"alignment file {path} lists no tilts")
    table = np.array(rows)
    if not np.allclose(table[:, 1:], (0, 0, 0, 1)):
        warnings.warn(
            f"alignment file {path} has shifts, rotations or magnifications of tilts, which are not applied: its "
            "images are taken to be aligned",
            stacklevel=2,
        )
    return table[:, 0]


def class_ids(names: Iterable[str]) -> dict[str, int]:
    """Number class names as SHREC does, in whatever case they are written (SHREC 2020 has them in lower case).

    Names that SHREC does not have get the following ids in alphabetical order.

    Examples
    --------
    >>> class_ids(["1bxn"])
    {'1bxn': 4}
    >>> class_ids(["comma", "4V94", "fiducial"])
    {'4V94': 1, 'fiducial': 15, 'comma': 16}
    """
    present = set(names)
    numbers = {name.casefold(): number for number, name in enumerate(CLASSES) if number}
    known = sorted((numbers[name.casefold()], name) for name in present if name.casefold() in numbers)
    ids = {name: number for number, name in known}
    others = sorted(present - ids.keys())
    return ids | {name: len(CLASSES) + number for number, name in enumerate(others)}
