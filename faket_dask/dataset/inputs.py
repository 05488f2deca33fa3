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
from faket_dask.config import BuiltSpecimen, ExistingVolume, RunConfig, StyleSection, TiltSeriesReference
from faket_dask.dataset.blueprint import BLOCK_ROWS, Blueprint, ExistingSpecimen, Inputs, Recording
from faket_dask.dataset.specimens import open_volume
from faket_dask.dataset.splits import split_series
from faket_dask.errors import InputError
from faket_dask.formats.imod import read_angles
from faket_dask.formats.mrc import MrcStack, open_stack
from faket_dask.geometry import TiltGeometry
from faket_dask.specimen import existing
from faket_dask.specimen.phantoms import PHANTOMS
from faket_dask.specimen.placement import check_fits
from faket_dask.stages.networks import settings_of
from faket_dask.stages.tiling import settle_tile

SMALLEST_TILT = 32
"""Pixels: below this the network's deepest layer sees nothing but padding."""

PIXEL_SIZE_TOLERANCE = 0.01
"""Relative difference of pixel sizes that is taken for rounding in a header."""


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


def resolve(config: RunConfig) -> Blueprint:
    """Check all inputs of a configuration and make the blueprint of its data set.

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
    if any(reference.kind == "simulated" for reference in config.references):
        with problems.at():
            _check_order(config, config.acquisition.angles_deg.size, "the acquisition")
    specimens: list[ExistingSpecimen] = []
    structures: list[str] = []
    if isinstance(config.specimen, BuiltSpecimen):
        with problems.at("specimen"):
            structures = look_at_structures(config.specimen)
            check_fits(
                config.specimen.recipe(config.built_shape(config.specimen), config.acquisition.pixel_size_A)
            )
    else:
        for number, volume in enumerate(config.specimen.volumes):
            with problems.at(f"specimen.volumes.{number}"):
                specimens.append(look_at_volume(volume, config))
    checksum = ""
    if "faket" in config.outputs.modalities:
        with problems.at("style"):
            _check_settings(config.style)
        with problems.at("style.weights"):
            checksum = weights.verify(config.style.weights, config.style.random_seed)
    with problems.at("style"):
        shapes = [(found.shape[1], found.shape[2]) for found in recordings.values()]
        settled = settle_tile(config.style, config.acquisition.detector_px, shapes)
        config = config.model_copy(update={"style": settled})
    problems.report()
    blueprint = Blueprint(config, Inputs(recordings, tuple(specimens), tuple(structures), checksum))
    split_series(blueprint, config.outputs.splits)
    return blueprint


def _check_folder(folder: Path) -> None:
    """Refuse a place where no data set can be written; whether it holds another one is the run's to find."""
    nearest = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if not nearest.is_dir():
        raise InputError(f"{nearest} is a file; choose another folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{nearest} cannot be written to; choose another folder, or change its permissions")


def _check_order(config: RunConfig, tilts: int, what: str) -> None:
    if config.noise.order >= tilts:
        raise InputError(
            f"noise.order {config.noise.order} needs more than {tilts} tilts, which is all that {what} has; "
            "lower the order"
        )


def _check_settings(style: StyleSection) -> None:
    try:
        settings_of(style)
    except ValueError as error:
        raise InputError(str(error)) from None


def look_at(reference: TiltSeriesReference, config: RunConfig) -> Recording:
    """Read a recorded reference through and check that it can serve.

    Raises
    ------
    InputError
        For files that cannot be read, angles that do not fit, tilts that are constant, hold NaN or are too
        small, and pixel sizes that are missing or disagree with the acquisition's; one line each.
    """
    stack = open_stack(reference.stack, pixel_size_A=reference.pixel_size_A)
    problems = Problems()
    with problems.at():
        _check_size(stack, reference, config)
    angles = np.empty(0)
    with problems.at():
        angles = reference_angles(reference, stack.shape[0])
        TiltGeometry(angles, pixel_size_A=stack.pixel_size_A)
    with problems.at():
        _check_order(config, stack.shape[0], str(reference.stack))
    with problems.at():
        _check_pixel_size(stack, reference, config)
    with problems.at():
        _check_tilts(stack)
    clean_checksum = None
    if reference.clean is not None:
        with problems.at():
            clean = open_stack(reference.clean, pixel_size_A=reference.pixel_size_A)
            _check_counterpart(clean, stack)
            _check_tilts(clean)
            clean_checksum = clean.checksum()
    problems.report()
    return Recording(
        stack.shape, tuple(float(a) for a in angles), stack.pixel_size_A, stack.checksum(), clean_checksum
    )


def _check_size(stack: MrcStack, reference: TiltSeriesReference, config: RunConfig) -> None:
    """Refuse tilts that the network cannot see, as they are or as small as their style is taken."""
    found = stack.shape[1:]
    factor = stack.pixel_size_A / config.acquisition.pixel_size_A if reference.resample else 1.0
    if config.style.reference_size == "shrink":
        factor *= min(1.0, max(config.acquisition.detector_px) / (factor * max(found)))
    seen = tuple(round(size * min(1.0, factor)) for size in found)
    if min(seen) < SMALLEST_TILT:
        made = "" if seen == found else f", which are made {seen[0]} x {seen[1]}"
        raise InputError(
            f"{stack.path} has tilts of {found[0]} x {found[1]} pixels{made}; style needs at least "
            f"{SMALLEST_TILT} x {SMALLEST_TILT}"
        )


def _check_pixel_size(stack: MrcStack, reference: TiltSeriesReference, config: RunConfig) -> None:
    wanted = config.acquisition.pixel_size_A
    if abs(stack.pixel_size_A / wanted - 1) > PIXEL_SIZE_TOLERANCE and not reference.resample:
        raise InputError(
            f"{stack.path} has {stack.pixel_size_A:g} Å pixels, the acquisition {wanted:g} Å; "
            "write `resample: true` to bring the reference to the acquisition's pixel size, or correct "
            "`pixel_size_A`"
        )


def _check_counterpart(clean: MrcStack, noisy: MrcStack) -> None:
    if clean.shape != noisy.shape:
        raise InputError(
            f"{clean.path} has the shape {clean.shape}, its noisy counterpart {noisy.path} {noisy.shape}; "
            "they must agree"
        )
    if abs(clean.pixel_size_A / noisy.pixel_size_A - 1) > PIXEL_SIZE_TOLERANCE:
        raise InputError(
            f"{clean.path} has {clean.pixel_size_A:g} Å pixels, its noisy counterpart {noisy.path} "
            f"{noisy.pixel_size_A:g} Å; give the one `pixel_size_A` that both have"
        )


def reference_angles(reference: TiltSeriesReference, tilts: int) -> np.ndarray:
    """Tilt angles, (tilt,) degrees, of a recorded reference: listed, from a file, or from beside the stack."""
    given = reference.tilt_angles
    if isinstance(given, tuple):
        angles, source = np.asarray(given, dtype=np.float64), "tilt_angles"
    else:
        if given is None:
            given = angles_beside(reference.stack)
        angles, source = read_angles(given), str(given)
    if angles.size != tilts:
        raise InputError(f"{source} has {angles.size} angles, {reference.stack} has {tilts} tilts")
    return angles


def angles_beside(stack: Path) -> Path:
    """The angle file of a stack: its name, or the part before the first dot, with `.tlt` or `.rawtlt`."""
    candidates = [
        stack.with_name(stem + suffix)
        for stem in dict.fromkeys((stack.stem, stack.name.split(".")[0]))
        for suffix in (".tlt", ".rawtlt")
    ]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise InputError(
        f"no tilt angles for {stack}: write `tilt_angles` (a list or a file), or put "
        f"{candidates[0].name} beside it"
    )


def _check_tilts(stack: MrcStack) -> None:
    broken, constant = [], []
    for index in range(stack.shape[0]):
        tilt = stack.tilt(index)
        if not np.isfinite(tilt).all():
            broken.append(str(index))
        elif tilt.min() == tilt.max():
            constant.append(str(index))
    problems = Problems()
    with problems.at():
        if broken:
            raise InputError(
                f"{stack.path}: NaN or infinite values in tilt {', '.join(broken)}; repair or leave out "
                "(counted from 0)"
            )
    with problems.at():
        if constant:
            raise InputError(
                f"{stack.path}: all pixels are equal in tilt {', '.join(constant)}; leave out (counted from 0)"
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
    wanted = config.acquisition.pixel_size_A
    with problems.at():
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


def _check_voxels(path: Path, opened: existing.ExistingSpecimen) -> None:
    """Read every block, which finds what is no density and no label."""
    rows = opened.shape[1]
    lows, highs = [], []
    for start in range(0, rows, BLOCK_ROWS):
        try:
            density = opened.read_block(start, min(start + BLOCK_ROWS, rows)).density
        except InputError:
            raise
        except (OSError, RuntimeError, ValueError) as error:  # what Zarr's codecs raise for a damaged chunk
            raise InputError(
                f"{path} or one of its masks cannot be read ({error}); copy or make it again"
            ) from None
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
