"""Images in reports: tilts of a series beside those of its reference.

A missing image, whose unit failed or is yet to run, is replaced by the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.measure import block_reduce

from faket_dask.dataset.field_of_view import project_columns
from faket_dask.dataset.modality_stores import owning_item, stack_group
from faket_dask.dataset.pairing import Series
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_tilt
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.stage import BatchKey
from faket_dask.engine.unit import Item
from faket_dask.modalities import MODALITIES
from faket_dask.pipeline.noise import FitNoise
from faket_dask.pipeline.project import ProjectVolume
from faket_dask.pipeline.series_tilts import SeriesTilts
from faket_dask.pipeline.simulate import SimulateImages
from faket_dask.references import open_reference
from faket_dask.report.figures import REFERENCE, grey_image
from faket_dask.specimen.particles import ParticleTable
from faket_dask.stages.angle_interpolation import interpolation_weights

PICTURE_PX = 256
"""Longest side of a picture: larger images are averaged down to it, and their middle is shown at full size."""

Image = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Panel:
    """One tilt of one modality or reference.

    Parameters
    ----------
    kind
        Modality, or `faket_dask.report.figures.REFERENCE`; chooses the colour.
    name
        Name of the modality or of the reference.
    tilt_angle
        Degrees.
    image
        ``(y, x)`` float32, or ``None`` where it is missing.
    missing
        Reason why it is missing.
    valid_mask
        ``(y, x)``, True for the pixels of a reference that its statistics use.
    """

    kind: str
    name: str
    tilt_angle: float
    image: Image | None
    missing: str | None = None
    valid_mask: NDArray[np.bool_] | None = None

    @property
    def is_reference(self) -> bool:
        """True for a tilt of a reference."""
        return self.kind == REFERENCE


@dataclass(frozen=True)
class Frame:
    """Section of a tilt that a picture shows, in pixels of the detector."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Picture:
    """Panel, or section of it, as a page shows it.

    Parameters
    ----------
    panel
        Tilt that is shown.
    frame
        Section of it.
    uri
        PNG as a data URI, or ``None`` where the tilt is missing.
    width_percent
        Width relative to the place of the picture on the page.
    """

    panel: Panel
    frame: Frame
    uri: str | None
    width_percent: float


@dataclass(frozen=True)
class Overlay:
    """Circle around a particle, in pixels of the detector, from the corner of the first pixel."""

    x: float
    y: float
    radius: float
    class_name: str


def choose_tilts(tilt_angles: NDArray[np.floating]) -> tuple[int, ...]:
    """Return the indices of the tilt nearest 0° and of the steepest one (the positive one of two), or of the only one.

    Examples
    --------
    >>> choose_tilts(np.array([-60.0, -30.0, 0.0, 30.0, 60.0]))
    (2, 4)
    """
    angles = [round(float(angle), 6) for angle in tilt_angles]
    tilts = range(len(angles))
    flat = min(tilts, key=lambda tilt: abs(angles[tilt]))
    steep = max(tilts, key=lambda tilt: (abs(angles[tilt]), angles[tilt]))
    return (flat,) if flat == steep else (flat, steep)


def collect_panels(completed: CompletedUnits, series: Series, tilt: int) -> list[Panel]:
    """Return a tilt of a series in every modality, and its references at the nearest angle."""
    spec: DatasetSpec = completed.plan.spec
    angle = float(spec.geometry.acquisition(series.specimen).tilt_angles[tilt])
    kept = spec.config.outputs.modalities

    def panel(modality: str, missing: str | None, read: Callable[[], Image]) -> Panel:
        return Panel(modality, modality, angle, None if missing else read(), missing)

    def stored(modality: str, index: int | None = tilt) -> Panel:
        item = Item(owning_item(series, modality))
        missing = completed.why_missing(MODALITIES.get(modality).stage, item, index)
        store = stack_group(spec.folder, owning_item(series, modality), modality)
        return panel(modality, missing, lambda: read_tilt(store, modality, tilt))

    panels = [stored("noiseless", index=None)]
    fit = BatchKey(FitNoise.name, Item(series.name))
    if fit in completed.batches:
        projected = completed.why_missing(ProjectVolume.name, Item(series.specimen))
        fitted = projected or completed.why_missing(*fit)
        tilts = SeriesTilts.open(spec, series.name)
        panels.append(panel("noisy", fitted, lambda: tilts.redraw("noisy", tilt)))
        if spec.measures_spectra:
            panels.append(panel("spectral", fitted, lambda: tilts.redraw("spectral", tilt)))
    if "faket" in kept:
        panels.append(stored("faket"))
    panels.extend(_reference_panel(completed, name, angle) for name in spec.blend_weights(series.reference))
    if "benchmark" in kept:
        panels.append(stored("benchmark"))
    return panels


def _reference_panel(completed: CompletedUnits, reference: str, angle: float) -> Panel:
    opened = open_reference(completed.plan.spec, reference)
    [(nearest, _)] = interpolation_weights(opened.tilt_angles, angle, "nearest")
    image, missing, valid_mask = None, None, None
    if opened.simulated_specimen is not None:
        missing = completed.why_missing(SimulateImages.name, Item(opened.simulated_specimen), nearest)
    if missing is None:
        try:
            tilt = opened.read_tilt(nearest)
            image, valid_mask = tilt.pixels, tilt.valid_mask
        except (OSError, ValueError) as error:  # its file may have been moved since
            missing = f"cannot be read: {error}"
    return Panel(REFERENCE, reference, float(opened.tilt_angles[nearest]), image, missing, valid_mask)


def draw_whole(panels: list[Panel], shape: tuple[int, int]) -> list[Picture]:
    """Draw panels at one scale, averaged down where they are large; larger references are cut to a tilt's shape."""
    factor = -(-max(shape) // PICTURE_PX)
    return [_draw(panel, shape, shape, factor) for panel in panels]


def draw_details(panels: list[Panel], shape: tuple[int, int]) -> list[Picture]:
    """Draw the middles of panels pixel by pixel; none where the whole pictures show every pixel already."""
    if max(shape) <= PICTURE_PX:
        return []
    cut = (min(shape[0], PICTURE_PX), min(shape[1], PICTURE_PX))
    return [_draw(panel, shape, cut, 1) for panel in panels]


def _draw(panel: Panel, shape: tuple[int, int], cut: tuple[int, int], factor: int) -> Picture:
    if panel.image is None:
        return Picture(panel, _middle(shape, cut), None, 100.0)
    frame = _middle(panel.image.shape, cut)
    section = (slice(frame.top, frame.top + frame.height), slice(frame.left, frame.left + frame.width))
    highlighted = None
    if panel.valid_mask is not None:
        highlighted = average_blocks((~panel.valid_mask[section]).astype(np.float32), factor) > 0
    uri = grey_image(average_blocks(panel.image[section], factor), highlighted)
    return Picture(panel, frame, uri, 100.0 * frame.width / cut[1])


def _middle(shape: tuple[int, ...], cut: tuple[int, int]) -> Frame:
    height, width = (min(a, b) for a, b in zip(shape, cut, strict=True))
    return Frame(shape[1] // 2 - width // 2, shape[0] // 2 - height // 2, width, height)


def crop_middle(image: Image, size: int) -> Image:
    """Return the middle of an image, at most `size` pixels along either axis."""
    frame = _middle(image.shape, (size, size))
    return image[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]


def average_blocks(image: Image, factor: int) -> Image:
    """Return means over blocks of `factor` x `factor` pixels; an incomplete block at the end is cut off.

    Examples
    --------
    >>> average_blocks(np.arange(15, dtype=np.float32).reshape(3, 5), 2)
    array([[3., 5.]], dtype=float32)
    """
    rows, columns = (size // factor * factor for size in image.shape)
    means = block_reduce(image[:rows, :columns], factor, np.mean, func_kwargs={"dtype": np.float64})
    return means.astype(np.float32)


def particle_overlays(
    spec: DatasetSpec, specimen: str, table: ParticleTable, tilt_angle: float
) -> list[Overlay]:
    """Return circles around the labelled particles in the field of view of a tilt.

    Parameters
    ----------
    spec
        Specification of the data set.
    specimen
        Name of the imaged specimen.
    table
        Particles of the specimen.
    tilt_angle
        Degrees.
    """
    columns = spec.geometry.tilt_shape[1]
    pixel_size_A = spec.geometry.acquisition(specimen).pixel_size_A
    labelled = table.labelled()
    y = labelled.centre_A[:, 1] / pixel_size_A
    column = project_columns(spec, specimen, labelled.centre_A, tilt_angle)
    radius = labelled.radius_A / pixel_size_A
    in_view = np.flatnonzero((column > -radius) & (column < columns + radius))
    return [
        # Pixel centres lie half a pixel from the corner that pages draw from.
        Overlay(float(column[i]) + 0.5, float(y[i]) + 0.5, float(radius[i]), str(labelled.class_name[i]))
        for i in in_view
    ]
