"""Looking at everything a configuration names before anything is computed.

All problems are collected and reported together, one line each. A file is read once: its checksum, its
shape, and whether any tilt is constant or holds NaN come out of the same pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from faket_dask import weights
from faket_dask.config import BuiltSpecimen, ExistingVolume, RunConfig, TiltSeriesReference
from faket_dask.dataset.blueprint import Blueprint, ExistingSpecimen, Inputs, Recording
from faket_dask.dataset.recordings import open_counterpart, open_reference
from faket_dask.dataset.specimens import open_volume
from faket_dask.errors import InputError
from faket_dask.formats.tilt_series import TiltSeries
from faket_dask.specimen.phantoms import PHANTOMS
from faket_dask.specimen.placement import check_fits

SMALLEST_TILT = 32
"""Pixels: below this the network's deepest layer sees nothing but padding."""

PIXEL_SIZE_TOLERANCE = 0.01
"""Relative difference of pixel sizes that is taken for rounding in a header."""

T = TypeVar("T")


def resolve(config: RunConfig) -> Blueprint:
    """Check all inputs of a configuration and make the blueprint of its data set.

    Raises
    ------
    InputError
        Naming every problem, one line each.
    """
    problems: list[str] = []

    def attempt(where: str, check: Callable[[], T]) -> T | None:
        try:
            return check()
        except InputError as error:
            problems.extend(f"{where}: {line}" for line in str(error).splitlines())
            return None

    recordings = {}
    for reference in config.references:
        if isinstance(reference, TiltSeriesReference):
            found = attempt(f"references.{reference.name}", lambda r=reference: look_at(r, config))  # type: ignore[misc]
            if found is not None:
                recordings[reference.name] = found
    specimens = []
    structures: list[str] = []
    if isinstance(config.specimen, BuiltSpecimen):
        recipe = config.specimen.recipe(config.built_shape(config.specimen), config.acquisition.pixel_size_A)
        attempt("specimen", lambda: check_fits(recipe))
        for species in config.specimen.species:
            for source in species.source or (species.name,):
                if source not in PHANTOMS:
                    structures.append(file_checksum(Path(source)))
    else:
        for number, volume in enumerate(config.specimen.volumes):
            seen = attempt(f"specimen.volumes.{number}", lambda v=volume: look_at_volume(v, config))  # type: ignore[misc]
            if seen is not None:
                specimens.append(seen)
    checksum = ""
    if "faket" in config.outputs.modalities:
        style = config.style
        checksum = attempt("style.weights", lambda: weights.verify(style.weights, style.random_seed)) or ""
    if problems:
        raise InputError("\n".join(problems))
    return Blueprint(config, Inputs(recordings, tuple(specimens), tuple(structures), checksum))


def look_at(reference: TiltSeriesReference, config: RunConfig) -> Recording:
    """Read a recorded reference through and check that it can serve.

    Raises
    ------
    InputError
        For files that cannot be read, angles that do not fit, tilts that are constant, hold NaN or are too
        small, and pixel sizes that are missing or disagree with the acquisition's.
    """
    series = open_reference(reference)
    tilts, rows, columns = series.shape
    if min(rows, columns) < SMALLEST_TILT:
        raise InputError(
            f"{reference.stack} has tilts of {rows} x {columns} pixels; style needs at least "
            f"{SMALLEST_TILT} x {SMALLEST_TILT}"
        )
    if config.noise.order >= tilts:
        raise InputError(
            f"noise.order {config.noise.order} needs more than {tilts} tilts, which is all that "
            f"{reference.stack} has; lower the order"
        )
    wanted = config.acquisition.pixel_size_A
    if abs(series.pixel_size_A / wanted - 1) > PIXEL_SIZE_TOLERANCE and not reference.resample:
        raise InputError(
            f"{reference.stack} has {series.pixel_size_A:g} Å pixels, the acquisition {wanted:g} Å; "
            "write `resample: true` to bring the reference to the acquisition's pixel size, or correct "
            "`pixel_size_A`"
        )
    _check_tilts(reference.stack, series)
    clean_checksum = None
    if reference.clean is not None:
        clean = open_counterpart(reference, series)
        _check_tilts(reference.clean, clean)
        clean_checksum = clean.checksum()
    angles = tuple(float(angle) for angle in series.geometry.tilt_angles)
    return Recording(series.shape, angles, series.pixel_size_A, series.checksum(), clean_checksum)


def _check_tilts(path: Path, series: TiltSeries) -> None:
    recorded = replace(series, placement=None)
    for index in range(series.shape[0]):
        tilt = recorded.tilt(index)
        if not np.isfinite(tilt).all():
            raise InputError(
                f"{path}: tilt {index} holds NaN or infinite values; repair or leave out that tilt"
            )
        if tilt.min() == tilt.max():
            raise InputError(f"{path}: tilt {index} is constant ({tilt.flat[0]:g}); leave out that tilt")


def look_at_volume(volume: ExistingVolume, config: RunConfig) -> ExistingSpecimen:
    """Check that an existing specimen fits the acquisition.

    Raises
    ------
    InputError
        For files that cannot be read, labels of another shape, or a volume narrower than the detector.
    """
    opened = open_volume(volume)
    wanted = config.acquisition.pixel_size_A
    if abs(opened.voxel_size_A / wanted - 1) > PIXEL_SIZE_TOLERANCE:
        raise InputError(
            f"{volume.density} has {opened.voxel_size_A:g} Å voxels, the acquisition {wanted:g} Å pixels; "
            "they must agree"
        )
    rows, columns = config.acquisition.detector_px
    _, y, x = opened.shape
    if y != rows or x < columns:
        raise InputError(
            f"{volume.density} is {x} voxels wide (x) and {y} along the tilt axis (y); the detector is "
            f"{columns} x {rows} pixels, so y must be {rows} and x at least {columns}"
        )
    files = (volume.density, volume.class_mask, volume.instance_mask, volume.particles)
    return ExistingSpecimen(opened.shape, tuple(file_checksum(path) for path in files if path is not None))


def file_checksum(path: Path) -> str:
    """SHA-256 of a file, or of all files below a folder (a Zarr store) in the order of their names."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        if file != path:
            digest.update(str(file.relative_to(path)).encode())
        with open(file, "rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
