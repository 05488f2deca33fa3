"""Import of SHREC models as specimens, recorded tilt-series as stacks, and particle lists as tables."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats import copick, portal, relion5, shrec
from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mdoc import write_mdoc
from faket_dask.formats.mrc import MrcVolume, write_stack, write_volume
from faket_dask.formats.particle_list import ParticleList
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.specimen.label_evidence import (
    MaskBlock,
    adopt_labels,
    find_contradictions,
    gather_evidence,
)
from faket_dask.specimen.particles import ParticleTable
from faket_dask.specimen.volume import check_finite, to_labels

T = TypeVar("T")

BLOCK_ROWS = 64
"""Number of rows that are read at a time."""


def import_specimen(folder: Path, target: Path, voxel_size_A: float | None = None) -> Iterator[Path]:
    """Convert a SHREC ``model_N`` to a specimen for a run file.

    Parameters
    ----------
    folder
        Folder with at least ``grandmodel.mrc`` and ``particle_locations.txt``.
    target
        Folder to write ``density.mrc``, ``class_mask.mrc``, ``instance_mask.mrc`` and ``particles.csv`` to, as far as
        the model has them.
    voxel_size_A
        Edge of a voxel in Å, in place of the headers' value.

    Yields
    ------
    path
        Each written file, once it is written.

    Raises
    ------
    InputError
        If the folder is no model, has no density, or the density is empty.

    Notes
    -----
    Empty layers of the cube are left out, the same number on either side of layer ``N // 2``, where the tilt axis lies.
    """
    model = shrec.read_model(folder, voxel_size_A=voxel_size_A)
    if "grandmodel" not in model.volumes:
        raise InputError(f"{folder} has no grandmodel.mrc, so there is no specimen in it")
    density = model.volumes["grandmodel"]
    layers = _filled_layers(density)
    target.mkdir(parents=True, exist_ok=True)
    names = {"grandmodel": "density", "class_mask": "class_mask", "occupancy_mask": "instance_mask"}
    for theirs, ours in names.items():
        if theirs in model.volumes:
            dtype = np.dtype(np.float32 if ours == "density" else np.uint16)
            path = target / f"{ours}.mrc"
            write_volume(path, _Layers(model.volumes[theirs], layers, dtype), density.voxel_size_A)
            yield path
    above = np.array([0.0, 0.0, layers.start * density.voxel_size_A])
    table = to_particle_table(replace(model.particles, centre_A=model.particles.centre_A - above))
    _match_masks(table, model, layers).write_csv(target / "particles.csv")
    yield target / "particles.csv"


def _match_masks(table: ParticleTable, model: shrec.ShrecModel, layers: slice) -> ParticleTable:
    """Return the table with the labels of the class mask, and without particles outside the volume; warn of both."""
    density = model.volumes["grandmodel"]
    depth, height, width = layers.stop - layers.start, *density.shape[1:]

    def read_masks() -> Iterator[MaskBlock]:
        for start in range(0, height, BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, height))
            masks = [
                np.asarray(_Layers(model.volumes[name], layers, np.dtype(np.uint16))[:, rows, :])
                if name in model.volumes
                else np.zeros((depth, rows.stop - rows.start, width), np.uint16)
                for name in ("class_mask", "occupancy_mask")
            ]
            yield MaskBlock(start, *masks)

    evidence = gather_evidence(table, read_masks(), (depth, height, width), density.voxel_size_A)
    table, changes = adopt_labels(table, evidence)
    where = f"{model.folder}: class mask and particle table disagree"
    if changes:
        warnings.warn(f"{where}, and the mask is believed: {'; '.join(changes)}", stacklevel=3)
    evidence = replace(evidence, table=table)
    outside = evidence.is_outside
    if outside.any():
        first = int(np.argmax(outside))
        warnings.warn(
            f"{model.folder}: {np.count_nonzero(outside)} of {len(table)} particles are centred outside the volume "
            f"and left out, number {table.instance[first]} ({table.class_name[first]}) first",
            stacklevel=3,
        )
    for fault in find_contradictions(replace(evidence, is_outside=np.zeros_like(outside))):
        warnings.warn(f"{model.folder}: {fault}", stacklevel=3)
    return table.select(~outside)


def import_series(series: TiltSeries, target: Path) -> Iterator[Path]:
    """Write a recorded series as one stack, sorted by angle, and aligned if it is read aligned.

    Parameters
    ----------
    series
        Recorded tilt-series.
    target
        ``.mrc`` file to write; its angles with IMOD's sign (`.rawtlt`) and an `.mdoc` go beside it, and an `.xf` where
        the series is read as recorded and its alignment is known.

    Yields
    ------
    path
        Each written file, once it is written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    tilts, rows, columns = series.shape
    write_stack(target, map(series.tilt, range(tilts)), series.shape, series.pixel_size_A)
    yield target
    angles = target.with_suffix(".rawtlt")
    write_angles(angles, series.geometry.stage_angles)
    yield angles
    mdoc = target.with_name(target.name + ".mdoc")
    write_mdoc(mdoc, series.geometry, target.name, (rows, columns))
    yield mdoc
    transforms = series.xf_transforms() if series.alignment is None else None
    if transforms is not None:
        path = target.with_suffix(".xf")
        write_transforms(path, transforms)
        yield path


def import_particles(
    path: Path,
    *,
    name: str | None = None,
    voxel_size_A: float | None = None,
) -> ParticleTable:
    """Read the particles of one tomogram from another program's list.

    Parameters
    ----------
    path
        SHREC's ``particle_locations.txt``, a portal ``.ndjson``, RELION's ``particles.star`` (its ``tomograms.star``
        beside it), or a project's ``copick.json``.
    name
        Name of the tomogram or run, where there is more than one; the class of an ``.ndjson``.
    voxel_size_A
        Edge of a voxel in Å, for the lists of SHREC and the portal, which are in voxels.

    Raises
    ------
    InputError
        If the file is damaged or of an unknown kind, or needs a name or voxel size that is missing.
    """
    if path.suffix in (".txt", ".ndjson") and voxel_size_A is None:
        raise InputError(f"{path} counts in voxels; give their size by --voxel-size-A")
    match path.suffix:
        case ".txt":
            return to_particle_table(shrec.read_locations(path, voxel_size_A or 0.0))
        case ".ndjson":
            return to_particle_table(portal.read_points(path, name or path.stem, 1, voxel_size_A or 0.0))
        case ".star":
            tomograms = relion5.read_tomograms(path.with_name("tomograms.star"))
            lists = relion5.read_particles(path, tomograms)
            return to_particle_table(_choose(path, lists, name))
        case ".json":
            runs = sorted(p.name for p in (path.parent / "ExperimentRuns").glob("*") if p.is_dir())
            run = _choose(path, {run: run for run in runs}, name)
            return to_particle_table(copick.read_picks(path.parent, run, copick.read_objects(path)))
    raise InputError(f"{path} is no known particle list: .txt, .ndjson, .star or copick's .json")


def to_particle_table(particles: ParticleList) -> ParticleTable:
    """Convert a list to a particle table; radii and conformations, which lists do not have, are 0."""
    count = len(particles)
    return ParticleTable(
        particles.instance,
        particles.class_name,
        particles.class_id,
        particles.centre_A,
        particles.rotation,
        np.zeros(count),
        np.zeros(count, dtype=np.int64),
    )


def _choose(path: Path, lists: Mapping[str, T], name: str | None) -> T:
    if name is None and len(lists) == 1:
        return next(iter(lists.values()))
    if not lists:
        raise InputError(f"{path} lists no particles")
    if name is None or name not in lists:
        wrong = "name one by --name" if name is None else f"there is no {name!r}"
        raise InputError(f"{path} lists particles of {', '.join(list(lists)[:6])}; {wrong}")
    return lists[name]


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


@dataclass(frozen=True)
class _Layers:
    """Range of layers of a volume on disk, read in blocks of rows."""

    volume: MrcVolume
    layers: slice
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.layers.stop - self.layers.start, *self.volume.shape[1:])

    def __getitem__(self, key: Sequence[slice]) -> NDArray[Any]:
        start, stop, _ = key[1].indices(self.volume.shape[1])
        block = self.volume.rows(start, stop)[self.layers]
        if self.dtype.kind == "u":
            return to_labels(block, self.volume.path, np.uint16, start)
        check_finite(block, self.volume.path, start)
        return block.astype(self.dtype)
