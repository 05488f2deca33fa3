"""Read the output of PolNet (Martinez-Sanchez et al., IEEE Trans. Med. Imaging 43, 3742, 2024).

Version 1.1 writes a folder ``TomoNNN`` with ``tomo_NNN_den.mrc``, ``tomo_NNN_lbl.mrc`` and
``tomo_NNN_motif_list.csv``; version 1.0 ``tomos/tomo_den_N.mrc`` and ``tomos/tomo_lbls_N.mrc``, and one
``tomos_motif_list.csv`` of all tomograms. Lists are separated by tabs. Positions are in Å from the centre of the corner
voxel, and quaternions ``Q1 … Q4`` are ``(w, x, y, z)`` of the rotation from particle to specimen. Rows of membranes are
points of a surface with its normal in place of a quaternion; they are not read. A label is a number in the label
volume; all objects of one model have the same.

Files of version 1.1 were read; version 1.0 is read from its source alone.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from faket_dask.errors import InputError
from faket_dask.formats.files import file_name
from faket_dask.formats.mrc import MrcVolume, open_volume
from faket_dask.formats.particle_list import ParticleList
from faket_dask.geometry.pixel_size import edges_agree

MOTIFS = "motif_list.csv"
"""End of the names of motif lists."""

_COLUMNS = ("type", "label", "code", "polymer", "x", "y", "z", "q1", "q2", "q3", "q4")
_MEMBRANES = ("membrane", "mb")
_LARGEST_LABEL = 255
_SKEW = 1e-3
"""Largest error of a quaternion's length: PolNet writes eight digits."""


@dataclass(frozen=True, eq=False)
class PolnetSample:
    """One tomogram of PolNet; volumes are opened, not read.

    Parameters
    ----------
    density, labels
        Volumes.
    particles
        Proteins and monomers of filaments; ``class_id`` is PolNet's label.
    polymer
        Number of the polymer of each particle, among those of its label.
    membranes
        Name of each label of a membrane.
    motif_list
        File of the list.
    """

    density: MrcVolume
    labels: MrcVolume
    particles: ParticleList
    polymer: tuple[int, ...]
    membranes: dict[int, str]
    motif_list: Path


def find_motif_list(source: Path) -> Path | None:
    """Find the motif list of a folder, or return the file itself.

    Examples
    --------
    >>> find_motif_list(Path("absent")) is None
    True
    """
    if source.is_file():
        return source if source.name.endswith(MOTIFS) else None
    found = sorted(source.glob(f"*{MOTIFS}")) if source.is_dir() else []
    return found[0] if found else None


def read_sample(source: Path, *, name: str | None = None, voxel_size_A: float | None = None) -> PolnetSample:
    """Read one tomogram.

    Parameters
    ----------
    source
        Folder of a tomogram, or its motif list.
    name
        Number of the tomogram, where a list has several.
    voxel_size_A
        Edge of a voxel in Å, in place of the headers' value.

    Raises
    ------
    InputError
        If files are absent or damaged, differ in shape or voxel size, or a row is none.
    """
    path = find_motif_list(source)
    if path is None:
        raise InputError(f"{source} has no motif list of PolNet, *_{MOTIFS}")
    density_path, labels_path = _find_volumes(path, name)
    density = open_volume(density_path, voxel_size_A=voxel_size_A)
    labels = open_volume(labels_path, voxel_size_A=voxel_size_A)
    if density.shape != labels.shape:
        raise InputError(
            f"{labels_path} has the shape {labels.shape} and {density_path} {density.shape}; they must agree"
        )
    if not edges_agree([density.voxel_size_A, labels.voxel_size_A]):
        raise InputError(
            f"{labels_path} has voxels of {labels.voxel_size_A:g} Å and {density_path} of {density.voxel_size_A:g} Å; "
            "give the right one by --voxel-size-A"
        )
    particles, polymer, membranes = read_motifs(path, density_path.name)
    return PolnetSample(density, labels, particles, polymer, membranes, path)


def _find_volumes(path: Path, name: str | None) -> tuple[Path, Path]:
    stem = path.name.removesuffix(f"_{MOTIFS}")
    density = path.with_name(f"{stem}_den.mrc")
    if density.exists() or stem != "tomos":
        if name is not None:
            raise InputError(f"{path} is the list of one tomogram; leave --name out")
        return density, path.with_name(f"{stem}_lbl.mrc")
    folder = path.parent / "tomos"
    numbers = sorted(found.stem.removeprefix("tomo_den_") for found in folder.glob("tomo_den_*.mrc"))
    if name is None and len(numbers) == 1:
        name = numbers[0]
    if name is None or name not in numbers:
        wrong = "name one by --name" if name is None else f"there is no {name!r}"
        raise InputError(f"{folder} has the tomograms {', '.join(numbers[:6]) or 'none'}; {wrong}")
    return folder / f"tomo_den_{name}.mrc", folder / f"tomo_lbls_{name}.mrc"


def read_motifs(path: Path, density: str = "") -> tuple[ParticleList, tuple[int, ...], dict[int, str]]:
    """Read the motif list of a tomogram, line by line.

    Parameters
    ----------
    path
        Motif list.
    density
        File name of the density, by which lists of several tomograms tell them apart.

    Returns
    -------
    particles, polymer, membranes
        As those of `PolnetSample`. A name that several labels have gets each one's number.

    Raises
    ------
    InputError
        If the file is absent, has other columns, a row holds no label, position or unit quaternion, or a label has two
        names.
    """
    names: list[str] = []
    labels: list[int] = []
    polymers: list[int] = []
    numbers: list[list[float]] = []
    membranes: dict[int, str] = {}
    codes: dict[int, str] = {}
    for line, row in _read_rows(path):
        if file_name(row.get("density", density)) != density and density:
            continue
        where = f"motif list {path}, line {line}"
        label, polymer = _whole(row, "label", where), _whole(row, "polymer", where)
        code = row["code"]
        if not 1 <= label <= _LARGEST_LABEL or not code:
            raise InputError(
                f"{where}: the label {label} of {code!r}; a named object has a label from 1 to 255"
            )
        if codes.setdefault(label, code) != code:
            raise InputError(f"{where}: the label {label} is that of {codes[label]!r}, and here of {code!r}")
        if row["type"].casefold() in _MEMBRANES:
            membranes[label] = code
            continue
        pose = [_number(row, column, where) for column in _COLUMNS[4:]]
        length = math.hypot(*pose[3:])
        if abs(length - 1) > _SKEW:
            raise InputError(
                f"{where}: a quaternion of length {length:.4g}, Q1 to Q4; rotations have the length 1"
            )
        names.append(code)
        labels.append(label)
        polymers.append(polymer)
        numbers.append(pose)
    repeated = sorted(code for code in set(codes.values()) if list(codes.values()).count(code) > 1)
    if repeated:
        # PolNet numbers each model file; two files may name the same molecule.
        codes = {label: f"{code}_{label}" if code in repeated else code for label, code in codes.items()}
        membranes = {label: codes[label] for label in membranes}
        names = [codes[label] for label in labels]
    poses = np.array(numbers, np.float64).reshape(-1, 7)
    rotation = np.empty((0, 3, 3))
    if len(poses):
        rotation = Rotation.from_quat(poses[:, [4, 5, 6, 3]]).as_matrix()
    particles = ParticleList(
        np.array(names, np.str_),
        np.array(labels, np.int64),
        np.arange(1, len(names) + 1, dtype=np.int64),
        poses[:, :3],
        rotation,
    )
    return particles, tuple(polymers), membranes


def _read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Read the rows of a list by the names of their columns in lower case, each with its line."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.reader(file, delimiter="\t")
            header = [column.strip().casefold() for column in next(reader, [])]
            missing = [column for column in _COLUMNS if column not in header]
            if missing:
                raise InputError(
                    f"{path} is no motif list of PolNet: it has no column {', '.join(missing[:4])}; its columns are "
                    "separated by tabs"
                )
            for row in reader:
                if row and len(row) != len(header):
                    raise InputError(
                        f"motif list {path}, line {reader.line_num}: {len(row)} values where there are {len(header)} "
                        "columns; copy or make it again"
                    )
                if row:
                    yield reader.line_num, dict(zip(header, row, strict=True))
    except OSError as error:
        raise InputError(
            f"motif list {path} cannot be read: {error.strerror or error}; check the path"
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"motif list {path} is not text separated by tabs: {error}") from None


def _number(row: dict[str, str], column: str, where: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > 1e9:
        raise InputError(f"{where}: {column.upper()} is {row[column][:40]!r}")
    return value


def _whole(row: dict[str, str], column: str, where: str) -> int:
    try:
        return int(row[column])
    except ValueError:
        raise InputError(f"{where}: {column.capitalize()} is {row[column][:40]!r}, no whole number") from None
