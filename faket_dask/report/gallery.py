"""Tilts of a series beside those of its reference: the images that reports show and compare.

An image that is not there, because its unit of work failed or is yet to run, says so in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.dataset.field_of_view import columns_at
from faket_dask.dataset.pairing import Series
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_tilt
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.presence import why_missing
from faket_dask.pipeline.series import resynthesise
from faket_dask.references.statistics import believed_pixels, reference_tilt
from faket_dask.report.figures import grey_image
from faket_dask.specimen.particles import ParticleTable
from faket_dask.stages.angle_interpolation import interpolation_weights

PICTURE_PX = 256
"""Longest side of a picture: wider images are averaged down to it, and shown once more in part at full size."""

Image = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Shot:
    """One tilt of one modality or reference, ``(y, x)`` float32, or why there is none.

    `left_out`, of the same shape, says which pixels of a reference have no part in its statistics.
    """

    kind: str
    name: str
    tilt_angle: float
    image: Image | None
    missing: str | None = None
    left_out: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Frame:
    """Part of a tilt that a picture shows, in pixels of the detector."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Picture:
    """A shot, or part of it, as a page shows it."""

    shot: Shot
    frame: Frame
    uri: str | None
    width_percent: float


@dataclass(frozen=True)
class Mark:
    """A circle around a particle, in pixels of the detector, from the corner of the first pixel."""

    x: float
    y: float
    radius: float
    class_name: str


def shown_tilts(tilt_angles: NDArray[np.floating]) -> tuple[int, ...]:
    """The tilt nearest 0° and the one tilted furthest (of two, the positive one); they may be the same."""
    angles = [round(float(angle), 6) for angle in tilt_angles]
    tilts = range(len(angles))
    flat = min(tilts, key=lambda tilt: abs(angles[tilt]))
    steep = max(tilts, key=lambda tilt: (abs(angles[tilt]), angles[tilt]))
    return (flat,) if flat == steep else (flat, steep)


def shots_at(completed: CompletedUnits, series: Series, tilt: int) -> list[Shot]:
    """The tilt of a series in every modality that there is to show, and its reference at the nearest angle."""
    spec = completed.spec
    angle = float(spec.acquisition(series.specimen).tilt_angles[tilt])
    kept = spec.config.outputs.modalities
    specimen_store = spec.layout.specimen(series.specimen)
    series_store = spec.layout.series(series.name)

    def shot(name: str, missing: str | None, read: Callable[[], Image]) -> Shot:
        return Shot(name, name, angle, None if missing else read(), missing)

    projected = why_missing(completed, "project", series.specimen)
    found = [shot("noiseless", projected, lambda: read_tilt(specimen_store, "noiseless", tilt))]
    if ("levels", series.name) in completed.done:
        leveled = projected or why_missing(completed, "levels", series.name)
        found.append(shot("noisy", leveled, lambda: resynthesise(spec, series.name, "noisy", tilt)))
        if spec.measures_spectra:
            found.append(shot("spectral", leveled, lambda: resynthesise(spec, series.name, "spectral", tilt)))
    if "faket" in kept:
        styled = why_missing(completed, "style", series.name, tilt)
        found.append(shot("faket", styled, lambda: read_tilt(series_store, "faket", tilt)))
    found.extend(_reference_shot(completed, name, angle) for name, _ in spec.parts(series.reference))
    if "benchmark" in kept:
        imaged = why_missing(completed, "image", series.specimen, tilt)
        found.append(shot("benchmark", imaged, lambda: read_tilt(specimen_store, "benchmark", tilt)))
    return found


def _reference_shot(completed: CompletedUnits, reference: str, angle: float) -> Shot:
    spec = completed.spec
    angles = spec.reference_angles(reference)
    [(nearest, _)] = interpolation_weights(angles, angle, "nearest")
    image, missing, left_out = None, None, None
    if reference not in spec.inputs.recordings:
        missing = why_missing(completed, "image", spec.reference_specimen(reference), nearest)
    if missing is None:
        try:
            image = reference_tilt(spec, reference, nearest)
            left_out = ~believed_pixels(spec, reference, nearest)
        except (OSError, ValueError) as error:  # its file may have been moved since
            missing = f"cannot be read: {error}"
    return Shot("reference", reference, float(angles[nearest]), image, missing, left_out)


def whole_pictures(shots: list[Shot], shape: tuple[int, int]) -> list[Picture]:
    """Shots at one scale, averaged down where they are large; larger references are cut to a tilt's size."""
    factor = -(-max(shape) // PICTURE_PX)
    return [_picture(shot, shape, shape, factor) for shot in shots]


def detail_pictures(shots: list[Shot], shape: tuple[int, int]) -> list[Picture]:
    """The middles of the shots, pixel by pixel; none when the whole pictures show every pixel already."""
    if max(shape) <= PICTURE_PX:
        return []
    cut = (min(shape[0], PICTURE_PX), min(shape[1], PICTURE_PX))
    return [_picture(shot, shape, cut, 1) for shot in shots]


def _picture(shot: Shot, shape: tuple[int, int], cut: tuple[int, int], factor: int) -> Picture:
    if shot.image is None:
        return Picture(shot, _middle(shape, cut), None, 100.0)
    frame = _middle(shot.image.shape, cut)
    shown = (slice(frame.top, frame.top + frame.height), slice(frame.left, frame.left + frame.width))
    marked = None
    if shot.left_out is not None:
        marked = averaged(shot.left_out[shown].astype(np.float32), factor) > 0
    uri = grey_image(averaged(shot.image[shown], factor), marked)
    return Picture(shot, frame, uri, 100.0 * frame.width / cut[1])


def _middle(shape: tuple[int, ...], cut: tuple[int, int]) -> Frame:
    height, width = (min(a, b) for a, b in zip(shape, cut, strict=True))
    return Frame(shape[1] // 2 - width // 2, shape[0] // 2 - height // 2, width, height)


def middle_of(image: Image, size: int) -> Image:
    """The middle of an image, at most `size` pixels along either axis."""
    frame = _middle(image.shape, (size, size))
    return image[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]


def averaged(image: Image, factor: int) -> Image:
    """An image whose pixels are means of `factor` x `factor` pixels; what is left over at the end is cut."""
    rows, columns = (size // factor for size in image.shape)
    cut = image[: rows * factor, : columns * factor]
    return cut.reshape(rows, factor, columns, factor).mean(axis=(1, 3), dtype=np.float64).astype(np.float32)


def marks_at(spec: DatasetSpec, specimen: str, table: ParticleTable, angle: float) -> list[Mark]:
    """Circles around the labelled particles that a tilt at this angle (degrees) shows."""
    columns = spec.tilt_shape[1]
    pixel_size_A = spec.acquisition(specimen).pixel_size_A
    labelled = table.labelled()
    y = labelled.centre_A[:, 1] / pixel_size_A
    column = columns_at(spec, specimen, labelled.centre_A, angle)
    radius = labelled.radius_A / pixel_size_A
    seen = np.flatnonzero((column > -radius) & (column < columns + radius))
    return [
        # Pixel centres lie half a pixel from the corner that pages draw from.
        Mark(float(column[i]) + 0.5, float(y[i]) + 0.5, float(radius[i]), str(labelled.class_name[i]))
        for i in seen
    ]
