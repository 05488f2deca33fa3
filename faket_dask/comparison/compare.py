"""How far two tilt-series are apart, tilt by tilt and as a whole (FakET, arXiv 2304.02011, Table S1).

Each series is scaled to [0, 1] by its own extrema first, so that units do not matter. Where the tilts of the two
have the same shape and number they are compared pixel by pixel; in any case their power spectra are, each tilt of
the first series with the one of the second at the nearest angle.

With a network they are compared by their statistics, too, as in `kernels.similarity.texture_similarity`: whatever the
tilts show and wherever it lies, and beside what the halves of the second series' tilts differ by, the floor.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

import numpy as np
import zarr
from numpy.typing import NDArray

from faket_dask.errors import InputError, wrap_as_input_error
from faket_dask.formats.mrc import STACK_SUFFIXES, open_stack
from faket_dask.formats.openers import MissingAnglesError, open_tilt_series
from faket_dask.geometry import PIXEL_SIZE_TOLERANCE
from faket_dask.kernels.noise.spectra import DEFAULT_BAND, log_spectrum_distance, radial_power_spectrum
from faket_dask.kernels.similarity.pixelwise import (
    PixelwiseDistance,
    Summary,
    compare_tilts,
    normalise_series,
    summarise,
)
from faket_dask.kernels.similarity.texture_similarity import (
    TextureDistances,
    intra_reference_distances,
    sample_halves,
    texture_distances,
)
from faket_dask.kernels.style.network import Network
from faket_dask.stages.angle_interpolation import interpolation_weights

PIXELWISE = tuple(field.name for field in fields(PixelwiseDistance))
LOG_SPECTRUM = "log_spectrum"
TEXTURE_SPECTRUM = "texture_spectrum"

SAME_ANGLE_DEG = 0.5
"""Difference of angles up to which tilts of two series are the same ones."""


class Tilts(Protocol):
    """A tilt-series that is read tilt by tilt."""

    @property
    def shape(self) -> tuple[int, int, int]: ...
    @property
    def pixel_size_A(self) -> float: ...
    def tilt(self, index: int, /) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class OpenedSeries:
    """A series, the name it goes by, and its tilt angles ``(tilt,)`` in degrees where they are known."""

    name: str
    tilts: Tilts
    tilt_angles: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Distances of two series.

    Parameters
    ----------
    names
        Of the two series.
    tilt_angles
        ``(tilt,)`` degrees of the first series; its tilts' numbers where the angles are not known.
    per_tilt
        ``(tilt,)`` values of each distance: ``mae``, ``mse``, ``psnr`` and ``ssim`` where the tilts could be compared
        pixel by pixel, and ``log_spectrum``; with a network also ``texture_spectrum``, ``gram_1``, ``gram_6``, ...
    floor
        ``(tilt,)`` values of those that a network gives: of one half of the second series' tilt to the other.
    frequency, spectra
        ``(ring,)`` cycles per pixel, and mean power of the standardised tilts of either series there.
    mean_log_spectrum
        Distance of these two mean spectra.
    """

    names: tuple[str, str]
    tilt_angles: NDArray[np.float64]
    per_tilt: dict[str, NDArray[np.float64]]
    floor: dict[str, NDArray[np.float64]]
    frequency: NDArray[np.float64]
    spectra: tuple[NDArray[np.float64], NDArray[np.float64]]
    mean_log_spectrum: float

    def summaries(self) -> dict[str, Summary]:
        """Mean, 10th and 90th percentile of each distance."""
        return {name: summarise(values) for name, values in self.per_tilt.items()}

    def write_csv(self, path: Path) -> None:
        """Write a row for each tilt, then the mean and the percentiles; floors follow the distances."""
        columns = self.per_tilt | {f"floor_{name}": values for name, values in self.floor.items()}
        summaries = [summarise(values) for values in columns.values()]
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("tilt", "tilt_angle", *columns))
            for tilt, angle in enumerate(self.tilt_angles):
                writer.writerow((tilt, f"{angle:g}", *(f"{v[tilt]:.8g}" for v in columns.values())))
            for key in ("mean", "p10", "p90"):
                writer.writerow((key, "", *(f"{getattr(s, key):.8g}" for s in summaries)))


def open_for_comparison(path: Path) -> OpenedSeries:
    """Open a series of a data set (``series/<name>.zarr/<modality>``), or any recorded one.

    Raises
    ------
    InputError
        If there is none.
    """
    if (path / "zarr.json").exists():
        return _open_stored(path)
    if path.suffix in STACK_SUFFIXES and path.is_file():
        try:
            series = open_tilt_series(path)
        except MissingAnglesError:
            return OpenedSeries(path.stem, open_stack(path), None)
        return OpenedSeries(path.stem, series, series.geometry.tilt_angles)
    series = open_tilt_series(path)
    return OpenedSeries(path.stem, series, series.geometry.tilt_angles)


def compare(first: OpenedSeries, second: OpenedSeries, network: Network | None = None) -> Comparison:
    """Compare two series; two tilts of each are in memory at a time.

    Parameters
    ----------
    first, second
        Where both have angles, each tilt of the first is compared with that of the second at the nearest; otherwise
        their tilts are taken in order.
    network
        Sees their textures; without one these are not compared. Beads and bad pixels are looked for and left out.

    Raises
    ------
    InputError
        If the pixel sizes differ by more than 1 %, a series is constant or not finite, or its tilts are too small.
    """
    a, b = first.tilts, second.tilts
    if abs(a.pixel_size_A / b.pixel_size_A - 1) > PIXEL_SIZE_TOLERANCE:
        raise InputError(
            f"{first.name} has {a.pixel_size_A:g} Å pixels and {second.name} {b.pixel_size_A:g} Å; bring them to one "
            "pixel size first"
        )
    pixelwise = a.shape == b.shape
    found: dict[str, list[float]] = {}
    lowest: dict[str, list[float]] = {}
    rings = min(*a.shape[1:], *b.shape[1:]) // 2
    power = np.zeros((2, rings))
    partners = _partners(first, second)
    try:
        scales = [_extrema(series.tilts) for series in (first, second)]
        frequency = np.empty(rings)
        for tilt, partner in enumerate(partners):
            images = (a.tilt(tilt), b.tilt(partner))
            if pixelwise:
                units = [normalise_series(i, *scale) for i, scale in zip(images, scales, strict=True)]
                distance = compare_tilts(*units)
                _append(found, {name: getattr(distance, name) for name in PIXELWISE})
            _append(found, {LOG_SPECTRUM: log_spectrum_distance(*images)})
            if network is not None:
                ours, theirs = (sample_halves(image, network) for image in images)
                _append(found, _named(texture_distances(ours, theirs)))
                _append(lowest, _named(intra_reference_distances(theirs)))
            for row, image in enumerate(images):
                frequency, spectrum = radial_power_spectrum(image, rings)
                power[row] += spectrum / len(partners)
    except ValueError as error:
        raise InputError(f"{first.name} and {second.name} cannot be compared: {error}") from None
    within = (frequency >= DEFAULT_BAND[0]) & (frequency <= DEFAULT_BAND[1])
    logarithms = np.log(power[:, within])
    angles = np.arange(a.shape[0]) if first.tilt_angles is None else first.tilt_angles
    return Comparison(
        (first.name, second.name),
        np.asarray(angles, dtype=np.float64),
        {name: np.array(values) for name, values in found.items()},
        {name: np.array(values) for name, values in lowest.items()},
        frequency,
        (power[0], power[1]),
        float(np.sqrt(np.mean((logarithms[0] - logarithms[1]) ** 2))),
    )


def _append(lists: dict[str, list[float]], values: Mapping[str, float]) -> None:
    for name, value in values.items():
        lists.setdefault(name, []).append(value)


def _named(found: TextureDistances) -> dict[str, float]:
    return {TEXTURE_SPECTRUM: found.log_spectrum} | {f"gram_{k}": value for k, value in found.gram.items()}


@dataclass(frozen=True)
class _Stored:
    array: zarr.Array
    pixel_size_A: float

    @property
    def shape(self) -> tuple[int, int, int]:
        tilts, rows, columns = self.array.shape
        return tilts, rows, columns

    def tilt(self, index: int) -> NDArray[np.float32]:
        with wrap_as_input_error(f"{self.array.store_path} is damaged; make it again"):
            return np.asarray(self.array[index], dtype=np.float32)


def _open_stored(path: Path) -> OpenedSeries:
    with wrap_as_input_error(f"{path} is damaged; make it again"):
        node = zarr.open(path, mode="r")
        if not isinstance(node, zarr.Array) or node.ndim != 3:
            raise InputError(f"{path} is no stack of tilts; name one, such as {path / 'faket'}")
        group = zarr.open_group(path.parent, mode="r")
        if "tilt_angle" not in group or "pixel_size_A" not in group.attrs:
            raise InputError(f"{path} does not belong to a series of a data set")
        pixel_size_A = float(str(group.attrs["pixel_size_A"]))
        angles = np.asarray(zarr.open_array(path.parent / "tilt_angle", mode="r")[...], dtype=np.float64)
    if angles.shape != node.shape[:1]:
        raise InputError(
            f"{path} has {node.shape[0]} tilts, and {angles.size} angles beside it; make it again"
        )
    return OpenedSeries(f"{path.parent.stem} {path.name}", _Stored(node, pixel_size_A), angles)


def _partners(first: OpenedSeries, second: OpenedSeries) -> Sequence[int]:
    """Tilt of the second series that each tilt of the first is compared with."""
    ours, theirs = first.tilt_angles, second.tilt_angles
    if first.tilts.shape == second.tilts.shape and (
        ours is None or theirs is None or np.allclose(ours, theirs, rtol=0, atol=SAME_ANGLE_DEG)
    ):
        return range(first.tilts.shape[0])
    if ours is None or theirs is None:
        missing = first if ours is None else second
        raise InputError(
            f"{first.name} is {first.tilts.shape}, {second.name} {second.tilts.shape}: to match their tilts, the "
            f"angles of {missing.name} are needed (a .tlt file beside it)"
        )
    return [interpolation_weights(theirs, float(angle), "nearest")[0][0] for angle in ours]


def _extrema(series: Tilts) -> tuple[float, float]:
    ends = [(float(tilt.min()), float(tilt.max())) for tilt in map(series.tilt, range(series.shape[0]))]
    return min(low for low, _ in ends), max(high for _, high in ends)
