"""Validate all input files of a run file before anything is computed.

All problems are collected and reported together, one line each, with their place in the run file. Files are read
through: for their checksums, and for tilts and voxels that cannot be used.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask import structures
from faket_dask.config import BuiltSpecimen, ExistingVolume, RunConfig, TiltSeriesReference
from faket_dask.dataset.geometry import BLOCK_ROWS
from faket_dask.dataset.inputs import Inputs, RecordingInput, VolumeInput
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.specimens import open_volume
from faket_dask.dataset.splits import split_series
from faket_dask.errors import InputError
from faket_dask.formats.image_checks import check_finite
from faket_dask.formats.mrc import open_stack
from faket_dask.formats.tilt_list import suggest_exclusion
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.geometry import PIXEL_SIZE_TOLERANCE, TiltGeometry
from faket_dask.modalities import MODALITIES, Owner
from faket_dask.pipeline.reconstruct import check_restorable
from faket_dask.pipeline.signal_choice import choose_style, resolve_signal
from faket_dask.pipeline.structure_choice import choose_structures
from faket_dask.recordings import require_file
from faket_dask.references.recorded import (
    find_valid_pixels,
    open_clean_series,
    open_mask,
    open_recording,
)
from faket_dask.specimen.label_evidence import (
    MaskBlock,
    check_table,
    find_contradictions,
    gather_evidence,
)
from faket_dask.specimen.particles import particle_table
from faket_dask.specimen.placement import check_fits
from faket_dask.specimen.source_names import names_phantom
from faket_dask.specimen.volume import SpecimenVolume
from faket_dask.stages.networks import verify_weights
from faket_dask.stages.tiling import resolve_tile
from faket_dask.structures import names_entry, parse_entry

SMALLEST_TILT = 32
"""Pixels along either side below which the network's deepest layer sees nothing but padding."""


class Problems:
    """Problems of a run file's inputs, one line each."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, message: str, where: str = "") -> None:
        """Add each line of a message under its place in the run file."""
        place = f"{where}: " if where else ""
        for line in message.splitlines():
            known = line.startswith((f"{where}:", f"{where}."))
            self.lines.append(line if known else place + line)

    @contextmanager
    def collect(self, where: str = "") -> Iterator[None]:
        """Add the error that ends the block, and continue after the block."""
        try:
            yield
        except InputError as error:
            self.add(str(error), where)

    def report(self) -> None:
        """Raise all problems as one error, if there are any."""
        if self.lines:
            raise InputError("\n".join(self.lines))


def resolve(config: RunConfig) -> DatasetSpec:
    """Check all inputs of a run file and return the specification of its data set.

    Parameters
    ----------
    config
        Run file.

    Raises
    ------
    InputError
        Naming every problem, one line each.
    """
    problems = Problems()
    with problems.collect("specimen.structures"):
        config = choose_structures(config)
    with problems.collect("dataset.folder"):
        _check_folder(config.dataset.folder)
    recordings: dict[str, RecordingInput] = {}
    for reference in config.references:
        if isinstance(reference, TiltSeriesReference):
            with problems.collect(f"references.{reference.name}"):
                recordings[reference.name] = check_recording(reference, config)
    if not problems.lines:
        config = choose_style(config, recordings)
    volumes: list[VolumeInput] = []
    structures: list[str] = []
    if isinstance(config.specimen, BuiltSpecimen):
        with problems.collect("specimen"):
            structures = check_structures(config.specimen)
            smallest = config.acquisition.pixel_sizes_A[0]
            shape = config.built_shape(config.specimen, smallest)
            check_fits(config.specimen.recipe(shape, smallest, config.acquisition.sampling))
    else:
        for number, volume in enumerate(config.specimen.volumes):
            with problems.collect(f"specimen.volumes.{number}"):
                volumes.append(check_volume(volume, config))
    mtf_checksum = ""
    if config.microscope.detector.mtf is not None:
        with problems.collect("microscope.detector.mtf"):
            config.microscope.detector.to_detector()
            mtf_checksum = hash_path(config.microscope.detector.mtf)
    checksum = ""
    styled = any(MODALITIES.get(name).owner is Owner.SERIES for name in config.outputs.modalities)
    with problems.collect("style") if styled else suppress(InputError):
        shapes = [(recording.shape[1], recording.shape[2]) for recording in recordings.values()]
        style = resolve_tile(config.style, config.acquisition.detector_px, shapes)
        config = config.model_copy(update={"style": style})
    if "faket" in config.outputs.modalities:
        with problems.collect("style.weights"):
            checksum = verify_weights(config.style)
    problems.report()
    spec = resolve_signal(
        DatasetSpec(config, Inputs(recordings, tuple(volumes), tuple(structures), checksum, mtf_checksum))
    )
    split_series(spec, config.outputs.splits)
    check_restorable(spec, config.reconstruction.modalities)
    return spec


def _check_folder(folder: Path) -> None:
    """Refuse a place where no data set can be written; whether it holds another one is checked by the run."""
    nearest = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if not nearest.is_dir():
        raise InputError(f"{nearest} is a file; choose another folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{nearest} cannot be written to; choose another folder, or change its permissions")


def check_recording(reference: TiltSeriesReference, config: RunConfig) -> RecordingInput:
    """Read a recorded reference through and check that it can be used.

    Parameters
    ----------
    reference
        Section of the reference.
    config
        Run file that it belongs to.

    Raises
    ------
    InputError
        For files that cannot be read, angles that do not fit, tilts that are constant, hold NaN or are too small, and
        pixel sizes that are missing or disagree with the acquisition's; one line each.
    """
    require_file(reference.stack)
    problems = Problems()
    series = None
    with problems.collect():
        series = open_recording(reference, read_ctf=config.signal.is_transferred)
    if series is None and (series := _open_images(reference)) is None:
        problems.report()
    assert series is not None
    with problems.collect():
        _check_size(series, reference, config)
    with problems.collect():
        _check_pixel_size(series, reference, config)
    with problems.collect():
        _check_tilts(series)
    clean_checksum = None
    if reference.clean is not None:
        with problems.collect():
            clean = open_clean_series(reference, series)
            _check_clean_series(clean, series)
            _check_tilts(clean)
            clean_checksum = clean.checksum()
    mask_checksum = None
    if isinstance(reference.mask, Path):
        with problems.collect("mask"):
            mask = open_mask(reference, series)
            for tilt in range(mask.shape[0]):
                find_valid_pixels(reference, series, tilt, *series.read_tilt_and_outside(tilt))
            mask_checksum = mask.checksum()
    problems.report()
    angles = tuple(float(angle) for angle in series.geometry.tilt_angles)
    return RecordingInput(
        series.shape,
        angles,
        series.pixel_size_A,
        series.checksum(),
        clean_checksum,
        mask_checksum,
        series.ctf,
        _to_tuple(series.geometry.exposure_e_per_A2),
        _to_tuple(series.geometry.exposure_before_e_per_A2),
    )


def _to_tuple(values: NDArray[np.float64] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(float(value) for value in values)


def _open_images(reference: TiltSeriesReference) -> TiltSeries | None:
    """Open the images of a stack whose angles or alignment cannot be used, so that they are checked too."""
    try:
        stack = open_stack(reference.stack, pixel_size_A=reference.pixel_size_A)
    except InputError:
        return None
    tilts = stack.shape[0]
    geometry = TiltGeometry(np.linspace(-60, 60, tilts), stack.pixel_size_A)
    return TiltSeries(geometry, tuple((stack, section) for section in range(tilts)))


def _check_size(series: TiltSeries, reference: TiltSeriesReference, config: RunConfig) -> None:
    """Refuse tilts that the network cannot see, in their own size or in that at which their style is taken."""
    rows, columns = series.shape[1:]
    factor = series.pixel_size_A / config.acquisition.nominal_pixel_size_A if reference.resample else 1.0
    if config.style.reference_size == "fit_to_tilt":
        factor *= min(1.0, max(config.acquisition.detector_px) / (factor * max(rows, columns)))
    used = tuple(round(size * min(1.0, factor)) for size in (rows, columns))
    if min(used) < SMALLEST_TILT:
        resized = "" if used == (rows, columns) else f", which are made {used[0]} x {used[1]}"
        raise InputError(
            f"{reference.stack} has tilts of {rows} x {columns} pixels{resized}; style needs at least "
            f"{SMALLEST_TILT} x {SMALLEST_TILT}"
        )


def _check_pixel_size(series: TiltSeries, reference: TiltSeriesReference, config: RunConfig) -> None:
    nominal = config.acquisition.nominal_pixel_size_A
    if abs(series.pixel_size_A / nominal - 1) > PIXEL_SIZE_TOLERANCE and not reference.resample:
        raise InputError(
            f"{reference.stack} has {series.pixel_size_A:g} Å pixels, the acquisition {nominal:g} Å; "
            "write `resample: true` to bring the reference to the acquisition's pixel size, or correct "
            "`pixel_size_A`"
        )


def _check_clean_series(clean: TiltSeries, noisy: TiltSeries) -> None:
    stack, counterpart = clean.images[0][0], noisy.images[0][0]
    if abs(stack.pixel_size_A / counterpart.pixel_size_A - 1) > PIXEL_SIZE_TOLERANCE:
        raise InputError(
            f"{stack.path} has {stack.pixel_size_A:g} Å pixels, its noisy counterpart {counterpart.path} "
            f"{counterpart.pixel_size_A:g} Å; give the one `pixel_size_A` that both have"
        )


def _check_tilts(series: TiltSeries) -> None:
    """Refuse tilts that cannot be used, named as their files count them."""
    broken: dict[Path, tuple[str, list[int]]] = {}
    constant: dict[Path, list[tuple[int, int]]] = {}
    images = [(stack, section, series.number(tilt)) for tilt, (stack, section) in enumerate(series.images)]
    for stack, section, number in sorted(images, key=lambda image: (image[0].path, image[1])):
        tilt = stack.tilt(section)
        try:
            check_finite(tilt, stack.path, section, stack.shape[0], number)
        except InputError as error:
            broken.setdefault(stack.path, (str(error), []))[1].append(section + 1)
            continue
        if tilt.min() == tilt.max():
            constant.setdefault(stack.path, []).append((section + 1, number))
    problems = Problems()
    for message, views in broken.values():
        problems.add(message + (f"; the same of {_list_views(views[1:])}" if views[1:] else ""))
    for path, equal in constant.items():
        advice = suggest_exclusion([number for _, number in equal])
        problems.add(
            f"{path}: all pixels are equal in {_list_views([view for view, _ in equal])}; leave out: {advice}"
        )
    problems.report()


def _list_views(views: list[int]) -> str:
    return f"view{'s' if len(views) > 1 else ''} {', '.join(map(str, views))} (counted from 1)"


def check_structures(specimen: BuiltSpecimen) -> list[str]:
    """Return the checksums of structures and maps, in the order of the species and filaments made from them.

    Entries of public archives are fetched into the cache, which workers read, if they are not there.

    Raises
    ------
    InputError
        For files that cannot be read.
    """
    problems = Problems()
    checksums = []
    places = [f"species.{number}" for number in range(len(specimen.species))]
    for crowd, section in enumerate(specimen.crowds):
        entry = f"crowding.{crowd}" if isinstance(specimen.crowding, tuple) else "crowding"
        places += [f"{entry}.species.{number}" for number in range(len(section.species))]
    for place, species in zip(places, specimen.all_species, strict=True):
        key = "states" if species.states else "source"
        with problems.collect(f"specimen.{place}.{key}"):
            checksums += [_hash_source(source) for source in species.sources if not names_phantom(source)]
            trajectories = [group.trajectory for group in species.states if group.trajectory is not None]
            checksums += [hash_path(Path(trajectory)) for trajectory in trajectories]
    for number, group in enumerate(specimen.filaments):
        if not names_phantom(group.source_name):
            with problems.collect(f"specimen.filaments.{number}.source"):
                checksums.append(_hash_source(group.source_name))
    problems.report()
    return checksums


def _hash_source(source: str) -> str:
    """Return the checksum of an entry, which is fetched if it is not there, or of a file."""
    return structures.fetch(parse_entry(source)).sha256 if names_entry(source) else hash_path(Path(source))


def check_volume(volume: ExistingVolume, config: RunConfig) -> VolumeInput:
    """Read an existing specimen through and check that it fits the acquisition.

    Raises
    ------
    InputError
        For files that cannot be read, labels of another shape, a volume narrower than the detector or with other
        voxels, densities that are constant, NaN or infinite, and labels that are not whole numbers.
    """
    opened = open_volume(volume)
    problems = Problems()
    smallest, largest = config.acquisition.pixel_sizes_A
    if smallest != largest:
        problems.add(
            "acquisition.pixel_size_A is a range, but volumes that exist have voxels of one size; give that"
        )
    elif abs(opened.voxel_size_A / largest - 1) > PIXEL_SIZE_TOLERANCE:
        problems.add(
            f"{volume.density} has {opened.voxel_size_A:g} Å voxels, the acquisition {largest:g} Å pixels; "
            "they must agree"
        )
    rows, columns = config.acquisition.detector_px
    _, y, x = opened.shape
    if y != rows or x < columns:
        problems.add(
            f"{volume.density} is {x} voxels wide (x) and {y} along the tilt axis (y); the detector is "
            f"{columns} x {rows} pixels, so y must be {rows} and x at least {columns}"
        )
    with problems.collect():
        _check_voxels(volume.density, opened)
    if opened.table is not None:
        for fault in check_table(opened.table):
            problems.add(f"{volume.particles}: {fault}")
    problems.report()
    files = (volume.density, volume.class_mask, volume.instance_mask, volume.particles)
    return VolumeInput(opened.shape, tuple(hash_path(path) for path in files if path is not None))


def _check_voxels(path: Path, opened: SpecimenVolume) -> None:
    """Read every block, which refuses invalid densities and labels, and compare labels and particle table."""
    lows, highs = [], []

    def read_masks() -> Iterator[MaskBlock]:
        for start, block in opened.read_blocks(BLOCK_ROWS):
            lows.append(block.density.min())
            highs.append(block.density.max())
            yield MaskBlock(start, block.class_mask, block.instance_mask)

    table = particle_table([]) if opened.table is None else opened.table
    evidence = gather_evidence(table, read_masks(), opened.shape, opened.voxel_size_A)
    if min(lows) == max(highs):
        raise InputError(f"{path}: all voxels are equal; there is nothing to image")
    contradictions = list(find_contradictions(evidence))
    if contradictions:
        raise InputError("\n".join(f"{path} and its particle table: {fault}" for fault in contradictions))


def hash_path(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files below a folder (a Zarr store) in the order of their names.

    Raises
    ------
    InputError
        If it does not exist or cannot be read.
    """
    digest = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    try:
        for file in files:
            if file != path:
                digest.update(str(file.relative_to(path)).encode())
            with open(file, "rb") as stream:
                hashlib.file_digest(stream, lambda: digest)
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}; check the path") from None
    return digest.hexdigest()
