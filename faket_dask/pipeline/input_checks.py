"""Looking at everything a configuration names before anything is computed.

All problems are collected and reported together, one line each, with their place in the run file. Files are
read through: for their checksums, and for tilts and voxels that nothing can be made of.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from faket_dask import weights
from faket_dask.config import BuiltSpecimen, ExistingVolume, RunConfig, TiltSeriesReference
from faket_dask.dataset.geometry import BLOCK_ROWS
from faket_dask.dataset.spec import DatasetSpec, ExistingSpecimen, Inputs, Recording
from faket_dask.dataset.specimens import open_volume
from faket_dask.dataset.splits import split_series
from faket_dask.errors import InputError
from faket_dask.formats.mrc import open_stack
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.geometry import PIXEL_SIZE_TOLERANCE, TiltGeometry
from faket_dask.references.recorded import believed, open_counterpart, open_mask, open_reference
from faket_dask.specimen.phantoms import PHANTOMS
from faket_dask.specimen.placement import check_fits
from faket_dask.specimen.volume import SpecimenVolume
from faket_dask.stages.tiling import resolve_tile

SMALLEST_TILT = 32
"""Pixels: below this the network's deepest layer sees nothing but padding."""


class Problems:
    """What was found wrong so far, one line each."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def at(self, where: str = "") -> Iterator[None]:
        """Note the problem that ends the block, under its place in the run file, and go on after the block."""
        place = f"{where}: " if where else ""
        try:
            yield
        except InputError as error:
            for line in str(error).splitlines():
                known = line.startswith((f"{where}:", f"{where}."))
                self.lines.append(line if known else place + line)

    def report(self) -> None:
        """Raise all of them as one error, if there are any."""
        if self.lines:
            raise InputError("\n".join(self.lines))


def resolve(config: RunConfig) -> DatasetSpec:
    """Check all inputs of a configuration and make the spec of its data set.

    Raises
    ------
    InputError
        Naming every problem, one line each.
    """
    problems = Problems()
    with problems.at("dataset.folder"):
        _check_folder(config.dataset.folder)
    recordings: dict[str, Recording] = {}
    for reference in config.references:
        if isinstance(reference, TiltSeriesReference):
            with problems.at(f"references.{reference.name}"):
                recordings[reference.name] = look_at(reference, config)
    specimens: list[ExistingSpecimen] = []
    structures: list[str] = []
    if isinstance(config.specimen, BuiltSpecimen):
        with problems.at("specimen"):
            structures = look_at_structures(config.specimen)
            smallest = config.acquisition.pixel_sizes_A[0]
            check_fits(config.specimen.recipe(config.built_shape(config.specimen, smallest), smallest))
    else:
        for number, volume in enumerate(config.specimen.volumes):
            with problems.at(f"specimen.volumes.{number}"):
                specimens.append(look_at_volume(volume, config))
    checksum = ""
    with problems.at("style"):
        shapes = [(found.shape[1], found.shape[2]) for found in recordings.values()]
        settled = resolve_tile(config.style, config.acquisition.detector_px, shapes)
        config = config.model_copy(update={"style": settled})
    if "faket" in config.outputs.modalities:
        with problems.at("style.weights"):
            checksum = weights.verify(config.style.weights, config.style.random_seed)
    problems.report()
    spec = DatasetSpec(config, Inputs(recordings, tuple(specimens), tuple(structures), checksum))
    split_series(spec, config.outputs.splits)
    return spec


def _check_folder(folder: Path) -> None:
    """Refuse a place where no data set can be written; whether it holds another one is the run's to find."""
    nearest = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if not nearest.is_dir():
        raise InputError(f"{nearest} is a file; choose another folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{nearest} cannot be written to; choose another folder, or change its permissions")


def look_at(reference: TiltSeriesReference, config: RunConfig) -> Recording:
    """Read a recorded reference through and check that it can serve.

    Raises
    ------
    InputError
        For files that cannot be read, angles that do not fit, tilts that are constant, hold NaN or are too
        small, and pixel sizes that are missing or disagree with the acquisition's; one line each.
    """
    problems = Problems()
    series = None
    with problems.at():
        series = open_reference(reference)
    if series is None and (series := _images_alone(reference)) is None:
        problems.report()
    assert series is not None
    with problems.at():
        _check_size(series, reference, config)
    with problems.at():
        _check_pixel_size(series, reference, config)
    with problems.at():
        _check_tilts(series)
    clean_checksum = None
    if reference.clean is not None:
        with problems.at():
            clean = open_counterpart(reference, series)
            _check_counterpart(clean, series)
            _check_tilts(clean)
            clean_checksum = clean.checksum()
    mask_checksum = None
    if isinstance(reference.mask, Path):
        with problems.at("mask"):
            mask = open_mask(reference, series)
            for tilt in range(mask.shape[0]):
                believed(reference, series, tilt)
            mask_checksum = mask.checksum()
    problems.report()
    angles = tuple(float(angle) for angle in series.geometry.tilt_angles)
    return Recording(
        series.shape, angles, series.pixel_size_A, series.checksum(), clean_checksum, mask_checksum
    )


def _images_alone(reference: TiltSeriesReference) -> TiltSeries | None:
    """The images of a stack whose angles or alignment cannot be used: what is wrong with them is said, too."""
    try:
        stack = open_stack(reference.stack, pixel_size_A=reference.pixel_size_A)
    except InputError:
        return None
    tilts = stack.shape[0]
    geometry = TiltGeometry(np.linspace(-90, 90, tilts), stack.pixel_size_A)
    return TiltSeries(geometry, tuple((stack, section) for section in range(tilts)))


def _check_size(series: TiltSeries, reference: TiltSeriesReference, config: RunConfig) -> None:
    """Refuse tilts that the network cannot see, as they are or as small as their style is taken."""
    found = series.shape[1:]
    factor = series.pixel_size_A / config.acquisition.nominal_pixel_size_A if reference.resample else 1.0
    if config.style.reference_size == "fit_to_tilt":
        factor *= min(1.0, max(config.acquisition.detector_px) / (factor * max(found)))
    seen = tuple(round(size * min(1.0, factor)) for size in found)
    if min(seen) < SMALLEST_TILT:
        made = "" if seen == found else f", which are made {seen[0]} x {seen[1]}"
        raise InputError(
            f"{reference.stack} has tilts of {found[0]} x {found[1]} pixels{made}; style needs at least "
            f"{SMALLEST_TILT} x {SMALLEST_TILT}"
        )


def _check_pixel_size(series: TiltSeries, reference: TiltSeriesReference, config: RunConfig) -> None:
    wanted = config.acquisition.nominal_pixel_size_A
    if abs(series.pixel_size_A / wanted - 1) > PIXEL_SIZE_TOLERANCE and not reference.resample:
        raise InputError(
            f"{reference.stack} has {series.pixel_size_A:g} Å pixels, the acquisition {wanted:g} Å; "
            "write `resample: true` to bring the reference to the acquisition's pixel size, or correct "
            "`pixel_size_A`"
        )


def _check_counterpart(clean: TiltSeries, noisy: TiltSeries) -> None:
    ours, theirs = clean.images[0][0], noisy.images[0][0]
    if abs(ours.pixel_size_A / theirs.pixel_size_A - 1) > PIXEL_SIZE_TOLERANCE:
        raise InputError(
            f"{ours.path} has {ours.pixel_size_A:g} Å pixels, its noisy counterpart {theirs.path} "
            f"{theirs.pixel_size_A:g} Å; give the one `pixel_size_A` that both have"
        )


def _check_tilts(series: TiltSeries) -> None:
    """Refuse tilts that nothing can be made of, named as their files count them."""
    broken: dict[Path, list[int]] = {}
    constant: dict[Path, list[int]] = {}
    for stack, section in sorted(series.images, key=lambda image: (image[0].path, image[1])):
        tilt = stack.tilt(section)
        if not np.isfinite(tilt).all():
            broken.setdefault(stack.path, []).append(section)
        elif tilt.min() == tilt.max():
            constant.setdefault(stack.path, []).append(section)
    problems = Problems()
    for path, sections in broken.items():
        with problems.at():
            raise InputError(
                f"{path}: NaN or infinite values in tilt {', '.join(map(str, sections))}; repair or leave out "
                "(counted from 0)"
            )
    for path, sections in constant.items():
        with problems.at():
            raise InputError(
                f"{path}: all pixels are equal in tilt {', '.join(map(str, sections))}; leave out "
                "(counted from 0)"
            )
    problems.report()


def look_at_structures(specimen: BuiltSpecimen) -> list[str]:
    """Checksums of the structures and maps that particles are made from, in the order of the species.

    Raises
    ------
    InputError
        For files that cannot be read.
    """
    problems = Problems()
    checksums = []
    for number, species in enumerate(specimen.species):
        for source in species.source or (species.name,):
            if source not in PHANTOMS:
                with problems.at(f"specimen.species.{number}.source"):
                    checksums.append(file_checksum(Path(source)))
    problems.report()
    return checksums


def look_at_volume(volume: ExistingVolume, config: RunConfig) -> ExistingSpecimen:
    """Read an existing specimen through and check that it fits the acquisition.

    Raises
    ------
    InputError
        For files that cannot be read, labels of another shape, a volume narrower than the detector or with
        other voxels, densities that are constant, NaN or infinite, and labels that are not whole numbers.
    """
    opened = open_volume(volume)
    problems = Problems()
    smallest, wanted = config.acquisition.pixel_sizes_A
    with problems.at():
        if smallest != wanted:
            raise InputError(
                "acquisition.pixel_size_A is a range, but volumes that exist have voxels of one size; give that"
            )
        if abs(opened.voxel_size_A / wanted - 1) > PIXEL_SIZE_TOLERANCE:
            raise InputError(
                f"{volume.density} has {opened.voxel_size_A:g} Å voxels, the acquisition {wanted:g} Å pixels; "
                "they must agree"
            )
    rows, columns = config.acquisition.detector_px
    _, y, x = opened.shape
    with problems.at():
        if y != rows or x < columns:
            raise InputError(
                f"{volume.density} is {x} voxels wide (x) and {y} along the tilt axis (y); the detector is "
                f"{columns} x {rows} pixels, so y must be {rows} and x at least {columns}"
            )
    with problems.at():
        _check_voxels(volume.density, opened)
    problems.report()
    files = (volume.density, volume.class_mask, volume.instance_mask, volume.particles)
    return ExistingSpecimen(opened.shape, tuple(file_checksum(path) for path in files if path is not None))


def _check_voxels(path: Path, opened: SpecimenVolume) -> None:
    """Read every block, which finds what is no density and no label."""
    rows = opened.shape[1]
    lows, highs = [], []
    for start in range(0, rows, BLOCK_ROWS):
        density = opened.read_block(start, min(start + BLOCK_ROWS, rows)).density
        lows.append(density.min())
        highs.append(density.max())
    if min(lows) == max(highs):
        raise InputError(f"{path}: all voxels are equal; there is nothing to image")


def file_checksum(path: Path) -> str:
    """SHA-256 of a file, or of all files below a folder (a Zarr store) in the order of their names.

    Raises
    ------
    InputError
        When it is not there or cannot be read.
    """
    digest = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    try:
        for file in files:
            if file != path:
                digest.update(str(file.relative_to(path)).encode())
            with open(file, "rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}; check the path") from None
    return digest.hexdigest()
