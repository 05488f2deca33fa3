"""Import of SHREC models as specimens, recorded tilt-series as stacks, and particle lists as tables."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats import copick, portal, relion5, relion5_jobs, shrec
from faket_dask.formats.ctffind import write_ctffind
from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mdoc import write_mdoc
from faket_dask.formats.mrc import STACK_SUFFIXES, MrcVolume, write_stack, write_volume
from faket_dask.formats.particle_list import ParticleList
from faket_dask.formats.side_files import list_misreadings, list_series_files
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.outputs.claim import claim_outputs
from faket_dask.outputs.placing import remove_own_output
from faket_dask.specimen.label_evidence import (
    MaskBlock,
    adopt_labels,
    find_contradictions,
    gather_evidence,
)
from faket_dask.specimen.particles import ParticleTable
from faket_dask.specimen.volume import check_finite, to_labels

BLOCK_ROWS = 64
"""Number of rows that are read at a time."""


def import_specimen(
    folder: Path, target: Path, voxel_size_A: float | None = None, overwrite: bool = False
) -> Iterator[Path]:
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
    overwrite
        True to replace files of others, too.

    Yields
    ------
    path
        Each written file, once it is written.

    Raises
    ------
    InputError
        If the folder is no model, has no density, or the density is empty; before anything is written, if a target is
        a file of the model or not this program's, or cannot be written.

    Notes
    -----
    Empty layers of the cube are left out, the same number on either side of layer ``N // 2``, where the tilt axis lies.
    """
    model = shrec.read_model(folder, voxel_size_A=voxel_size_A)
    if "grandmodel" not in model.volumes:
        raise InputError(f"{folder} has no grandmodel.mrc, so there is no specimen in it")
    density = model.volumes["grandmodel"]
    layers = _filled_layers(density)
    names = {"grandmodel": "density", "class_mask": "class_mask", "occupancy_mask": "instance_mask"}
    paths = {theirs: target / f"{ours}.mrc" for theirs, ours in names.items() if theirs in model.volumes}
    particles = target / "particles.csv"
    with claim_outputs([*paths.values(), particles], inputs=folder.iterdir(), overwrite=overwrite):
        for theirs, path in paths.items():
            dtype = np.dtype(np.float32 if theirs == "grandmodel" else np.uint16)
            write_volume(path, _Layers(model.volumes[theirs], layers, dtype), density.voxel_size_A)
            yield path
        above = np.array([0.0, 0.0, layers.start * density.voxel_size_A])
        table = to_particle_table(replace(model.particles, centre_A=model.particles.centre_A - above))
        _match_masks(table, model, layers).write_csv(particles)
        yield particles


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


def import_series(
    series: TiltSeries, target: Path, *, inputs: Iterable[Path] = (), overwrite: bool = False
) -> Iterator[Path]:
    """Write a recorded series as one stack, sorted by angle, and aligned if it is read aligned.

    Parameters
    ----------
    series
        Recorded tilt-series.
    target
        ``.mrc`` file to write; its angles with IMOD's sign (`.rawtlt`) and an `.mdoc` go beside it, and an `.xf` where
        the series is read as recorded and its alignment is known, and a text file of the contrast transfer where it is
        known; else those of an earlier import are removed.
    inputs
        Files that the series was read from, beside its images.
    overwrite
        True to replace files of others, too; never those that the series is read from.

    Yields
    ------
    path
        Each written file, once it is written.

    Raises
    ------
    InputError
        Before anything is written, if the target has not the name of a stack, a target is a file of the series or not
        this program's or cannot be written, or one of the stacks in the folder, new or old, would be read with the
        angles or the alignment of another.
    """
    if target.suffix not in STACK_SUFFIXES:
        raise InputError(
            f"{target} ends with none of {', '.join(STACK_SUFFIXES)}, by which a stack is known; name it so"
        )
    tilts, rows, columns = series.shape
    angles, mdoc = target.with_suffix(".rawtlt"), target.with_name(target.name + ".mdoc")
    alignment = target.with_suffix(".xf")
    transforms = series.xf_transforms() if series.alignment is None else None
    contrast = target.with_name(f"{target.stem}_CTF.txt")
    estimate = None if series.ctf is None or series.ctf.is_target else series.ctf
    known = {alignment: transforms is not None, contrast: estimate is not None}
    side_files = [angles, mdoc, *(path for path, is_known in known.items() if is_known)]
    obsolete = [path for path, is_known in known.items() if not is_known]
    with claim_outputs(
        [target, *side_files],
        inputs=list_series_files(series, inputs),
        overwrite=overwrite,
        refusals=list_misreadings(target, side_files, obsolete),
    ):
        write_stack(target, map(series.tilt, range(tilts)), series.shape, series.pixel_size_A)
        yield target
        write_angles(angles, series.geometry.stage_angles)
        yield angles
        voltage_kV = None if series.ctf is None else series.ctf.voltage_kV
        write_mdoc(mdoc, series.geometry, target.name, (rows, columns), voltage_kV, series.ctf, recorded=True)
        yield mdoc
        if estimate is not None:
            write_ctffind(contrast, estimate)
            yield contrast
        if transforms is not None:
            write_transforms(alignment, transforms)
            yield alignment
        for path in obsolete:
            remove_own_output(path)


@dataclass(frozen=True)
class ParticleOptions:
    """Choice of particles, and what a list does not say itself; each option suits some formats only.

    Parameters
    ----------
    name
        Name of the tomogram or run, where there is more than one; the class of an ``.ndjson``.
    voxel_size_A
        Edge of a voxel in Å, for the lists of SHREC and the portal, which are in voxels.
    user, session, object_name
        Set of picks of a copick project, where a run has several of one object.
    tomograms
        Table of tomograms of RELION's particles, where `relion5_jobs.find_tomograms` does not find it.
    """

    name: str | None = None
    voxel_size_A: float | None = None
    user: str | None = None
    session: str | None = None
    object_name: str | None = None
    tomograms: Path | None = None


def import_particles(path: Path, options: ParticleOptions = ParticleOptions()) -> ParticleTable:
    """Read the particles of one tomogram from another program's list.

    Parameters
    ----------
    path
        SHREC's ``particle_locations.txt``, a portal ``.ndjson``, RELION 5's ``particles.star`` or
        ``optimisation_set.star``, or the ``.json`` configuration of a copick project.
    options
        Choice of particles.

    Raises
    ------
    InputError
        If the file is damaged or of an unknown kind, needs an option that is missing, or has no use for one that is
        given.
    """
    if path.suffix not in _PARTICLE_READERS:
        raise InputError(
            f"{path} is no known particle list: SHREC's .txt, the portal's .ndjson, RELION 5's .star or copick's .json"
        )
    read, used = _PARTICLE_READERS[path.suffix]
    for field in fields(options):
        if field.name not in used and getattr(options, field.name) is not None:
            flag = _FLAGS.get(field.name, f"--{field.name}")
            raise InputError(f"{flag} says nothing about {path}; leave it out")
    return to_particle_table(read(path, options))


def _read_shrec(path: Path, options: ParticleOptions) -> ParticleList:
    return shrec.read_locations(path, _voxel_size(path, options))


def _read_portal(path: Path, options: ParticleOptions) -> ParticleList:
    return portal.read_points(path, options.name or path.stem, 1, _voxel_size(path, options))


def _read_relion(path: Path, options: ParticleOptions) -> ParticleList:
    table = relion5.read_particle_table(relion5_jobs.find_particles(path))
    name = _choose(table.path, list(dict.fromkeys(table.text("rlnTomoName"))), options.name)
    tomograms = options.tomograms or relion5_jobs.find_tomograms(path)
    return relion5.select_particles(table, name, relion5.read_tomogram_sizes(tomograms))


def _read_copick(path: Path, options: ParticleOptions) -> ParticleList:
    project = copick.open_project(path)
    run = _choose(path, project.runs(), options.name)
    sets = copick.choose_picks(
        project, run, user=options.user, session=options.session, object_name=options.object_name
    )
    return copick.read_picks(project, sets)


_PARTICLE_READERS: dict[str, tuple[Callable[[Path, ParticleOptions], ParticleList], tuple[str, ...]]] = {
    ".txt": (_read_shrec, ("voxel_size_A",)),
    ".ndjson": (_read_portal, ("name", "voxel_size_A")),
    ".star": (_read_relion, ("name", "tomograms")),
    ".json": (_read_copick, ("name", "user", "session", "object_name")),
}
"""Reader of each kind of list by the suffix of its name, and the options that it takes."""

_FLAGS = {"voxel_size_A": "--voxel-size-A", "object_name": "--object"}


def _voxel_size(path: Path, options: ParticleOptions) -> float:
    if options.voxel_size_A is None:
        raise InputError(f"{path} counts in voxels; give their size by --voxel-size-A")
    if not (math.isfinite(options.voxel_size_A) and options.voxel_size_A > 0):
        raise InputError(f"a voxel of {options.voxel_size_A:g} Å is no size; give it in Å by --voxel-size-A")
    return options.voxel_size_A


def list_particle_files(path: Path, options: ParticleOptions) -> list[Path]:
    """List the files that `import_particles` may read for a list."""
    picks = path.parent.glob("ExperimentRuns/*/Picks/*") if path.suffix == ".json" else ()
    tables = [] if options.tomograms is None else [options.tomograms]
    return [path, path.parent / "tomograms.star", *tables, *picks]


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
        np.full(count, ""),
        np.zeros(count, dtype=np.int64),
        np.zeros(count, dtype=np.bool_),
    )


def _choose(path: Path, names: Sequence[str], name: str | None) -> str:
    if not names:
        raise InputError(f"{path} lists no particles")
    if name is None and len(names) == 1:
        return names[0]
    if name is None or name not in names:
        wrong = "name one by --name" if name is None else f"there is no {name!r}"
        raise InputError(f"{path} lists particles of {', '.join(names[:6])}; {wrong}")
    return name


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
