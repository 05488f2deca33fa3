"""Distances between two tilt-series, tilt by tilt and as a whole (FakET, arXiv 2304.02011, Table S1).

Each series is scaled to [0, 1] by its own extrema first, so that units do not matter. Tilts of two series of the same
shape are compared pixel by pixel; power spectra are compared in any case, each tilt of the first series with the tilt
of the second at the nearest angle.

A network adds distances of texture statistics, which do not depend on the specimen (module
`faket_dask.kernels.similarity.texture_similarity`), and the intra-reference distance: that between the halves of the
second series' tilts.
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

from faket_dask.atomic import replace_atomically
from faket_dask.dataset.layout import TILTS
from faket_dask.engine.consolidated import find_store
from faket_dask.errors import InputError, wrap_as_input_error
from faket_dask.formats.compression import kind_suffix
from faket_dask.formats.mrc import STACK_SUFFIXES, open_stack
from faket_dask.formats.openers import MissingAnglesError, open_tilt_series
from faket_dask.formats.side_files import list_series_files
from faket_dask.formats.tilt_series import TiltSeries
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
from faket_dask.modalities import MODALITIES
from faket_dask.stages.angle_interpolation import interpolation_weights

PIXELWISE = tuple(field.name for field in fields(PixelwiseDistance))
LOG_SPECTRUM = "log_spectrum"
TEXTURE_SPECTRUM = "texture_spectrum"

_OUTPUT_SUFFIXES = (".csv", ".png", ".svg", ".pdf")

SAME_SIZE = 0.01
"""Largest relative difference of pixel sizes that is attributed to rounding in a header."""

SAME_ANGLE_DEG = 0.5
"""Largest difference of angles in degrees between tilts that are compared in their order."""


class Tilts(Protocol):
    """Protocol of a tilt-series that is read tilt by tilt."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Tilts, rows, columns."""

    @property
    def pixel_size_A(self) -> float:
        """Edge of a pixel in Å."""

    def tilt(self, index: int, /) -> NDArray[np.float32]:
        """Read one tilt, ``(y, x)`` float32."""


@dataclass(frozen=True)
class OpenedSeries:
    """Series to compare.

    Parameters
    ----------
    name
        Name in messages and tables.
    tilts
        Images.
    tilt_angles
        ``(tilt,)`` degrees, or ``None`` where they are not known.
    """

    name: str
    tilts: Tilts
    tilt_angles: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Distances between two series.

    Parameters
    ----------
    names
        Names of the two series.
    tilt_angles
        ``(tilt,)`` degrees of the first series; its tilts' numbers where the angles are not known.
    per_tilt
        ``(tilt,)`` values of each distance: ``mae``, ``mse``, ``psnr`` and ``ssim`` for series of one shape, and
        ``log_spectrum``; with a network also ``texture_spectrum``, ``gram_1``, ``gram_6``, ...
    intra_reference
        ``(tilt,)`` values of the network's distances between the halves of the second series' tilts.
    frequency, spectra
        ``(ring,)`` cycles per pixel, and for either series the mean power of its standardised tilts.
    mean_log_spectrum
        Root mean square difference of the logarithms of these mean spectra.
    """

    names: tuple[str, str]
    tilt_angles: NDArray[np.float64]
    per_tilt: dict[str, NDArray[np.float64]]
    intra_reference: dict[str, NDArray[np.float64]]
    frequency: NDArray[np.float64]
    spectra: tuple[NDArray[np.float64], NDArray[np.float64]]
    mean_log_spectrum: float

    def summaries(self) -> dict[str, Summary]:
        """Return the mean, 10th and 90th percentile of each distance."""
        return {name: summarise(values) for name, values in self.per_tilt.items()}

    def write_csv(self, path: Path) -> None:
        """Write a row for each tilt, then the mean and the percentiles; intra-reference distances come last."""
        reference = {f"intra_reference_{name}": values for name, values in self.intra_reference.items()}
        columns = self.per_tilt | reference
        summaries = [summarise(values) for values in columns.values()]
        with (
            replace_atomically(path) as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("tilt", "tilt_angle", *columns))
            for tilt, angle in enumerate(self.tilt_angles):
                writer.writerow((tilt, f"{angle:g}", *(f"{v[tilt]:.8g}" for v in columns.values())))
            for key in ("mean", "p10", "p90"):
                writer.writerow((key, "", *(f"{getattr(s, key):.8g}" for s in summaries)))


def open_for_comparison(
    path: Path, exclude: Sequence[int | str] | str = (), exclude_angles: Sequence[float] | str = ()
) -> OpenedSeries:
    """Open a series of a data set (``series/<name>.zarr/<modality>``, in its group or not), or a recorded one.

    Parameters
    ----------
    path
        Series.
    exclude, exclude_angles
        Tilts of a recorded series to leave out, as for `faket_dask.formats.openers.open_tilt_series`.

    Raises
    ------
    InputError
        If the path holds no tilt-series, or a damaged one, or tilts to leave out are not there.
    """
    for stored in (path, path.parent / TILTS / path.name):
        if (stored / "zarr.json").exists():
            if exclude or exclude_angles:
                raise InputError(f"tilts are left out of recorded series, and {path} is of a data set")
            return _open_stored(stored)
    if kind_suffix(path) in STACK_SUFFIXES and path.is_file():
        try:
            series = open_tilt_series(path, exclude=exclude, exclude_angles=exclude_angles, ctf="none")
        except MissingAnglesError:
            if exclude or exclude_angles:
                raise
            return OpenedSeries(path.stem, open_stack(path), None)
        return OpenedSeries(path.stem, series, series.geometry.tilt_angles)
    series = open_tilt_series(path, exclude=exclude, exclude_angles=exclude_angles, ctf="none")
    return OpenedSeries(path.stem, series, series.geometry.tilt_angles)


def list_inputs(series: OpenedSeries, path: Path) -> list[Path]:
    """List the files that a series was read from, and those of its name that are no table or figure.

    Parameters
    ----------
    series
        Opened series.
    path
        Path that it was opened by.
    """
    if not isinstance(series.tilts, TiltSeries):
        return [path]
    files = list_series_files(series.tilts, [path])
    return [file for file in files if file.suffix.lower() not in _OUTPUT_SUFFIXES]


def compare(first: OpenedSeries, second: OpenedSeries, network: Network | None = None) -> Comparison:
    """Compare two series; two tilts of each are in memory at a time.

    Parameters
    ----------
    first, second
        Series to compare. Where both have angles, each tilt of the first is compared with the tilt of the second at
        the nearest angle, otherwise with the one of the same index.
    network
        Network for the distances of texture statistics, which leave out gold beads and bad pixels; ``None`` to skip
        them.

    Raises
    ------
    InputError
        If the pixel sizes differ by more than 1 %, a series is constant or not finite, or its tilts are too small.
    """
    a, b = first.tilts, second.tilts
    if abs(a.pixel_size_A / b.pixel_size_A - 1) > SAME_SIZE:
        raise InputError(
            f"{first.name} has {a.pixel_size_A:g} Å pixels and {second.name} {b.pixel_size_A:g} Å; bring them to one "
            "pixel size first"
        )
    pixelwise = a.shape == b.shape
    per_tilt: dict[str, list[float]] = {}
    intra_reference: dict[str, list[float]] = {}
    rings = min(*a.shape[1:], *b.shape[1:]) // 2
    power = np.zeros((2, rings))
    partners = _match_tilts(first, second)
    try:
        scales = [_extrema(series.tilts) for series in (first, second)]
        frequency = np.empty(rings)
        for tilt, partner in enumerate(partners):
            images = (a.tilt(tilt), b.tilt(partner))
            if pixelwise:
                units = [normalise_series(i, *scale) for i, scale in zip(images, scales, strict=True)]
                distance = compare_tilts(*units)
                _append(per_tilt, {name: getattr(distance, name) for name in PIXELWISE})
            _append(per_tilt, {LOG_SPECTRUM: log_spectrum_distance(*images)})
            if network is not None:
                ours, theirs = (sample_halves(image, network) for image in images)
                _append(per_tilt, _by_column(texture_distances(ours, theirs)))
                _append(intra_reference, _by_column(intra_reference_distances(theirs)))
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
        {name: np.array(values) for name, values in per_tilt.items()},
        {name: np.array(values) for name, values in intra_reference.items()},
        frequency,
        (power[0], power[1]),
        float(np.sqrt(np.mean((logarithms[0] - logarithms[1]) ** 2))),
    )


def _append(lists: dict[str, list[float]], values: Mapping[str, float]) -> None:
    for name, value in values.items():
        lists.setdefault(name, []).append(value)


def _by_column(result: TextureDistances) -> dict[str, float]:
    return {TEXTURE_SPECTRUM: result.log_spectrum} | {f"gram_{k}": value for k, value in result.gram.items()}


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
        if not isinstance(node, zarr.Array) or not _is_stack(node):
            raise InputError(f"{path} is no stack of tilts; name one, such as {_suggest_stack(path)}")
        group = zarr.open_group(path.parent, mode="r")
        if "tilt_angle" not in group or "pixel_size_A" not in group.attrs:
            raise InputError(f"{path} does not belong to a series of a data set")
        pixel_size_A = float(str(group.attrs["pixel_size_A"]))
        stored = zarr.open_array(path.parent / "tilt_angle", mode="r")
        # Before they are read: a damaged length may be one that fills the memory.
        if stored.shape != node.shape[:1]:
            raise InputError(
                f"{path} has {node.shape[0]} tilts, and {stored.size} angles beside it; make it again"
            )
        angles = np.asarray(stored[...], dtype=np.float64)
    return OpenedSeries(f"{find_store(path.parent).stem} {path.name}", _Stored(node, pixel_size_A), angles)


def _is_stack(array: zarr.Array) -> bool:
    """Tell whether an array has the dimensions of a stack of tilts, where it names any."""
    names = getattr(array.metadata, "dimension_names", None)
    return array.ndim == 3 and names in (None, ("tilt", "y", "x"))


def _suggest_stack(path: Path) -> str:
    """Return a stack in the store around a path, or the form of such a name."""
    store = find_store(path)
    stacks = [name for name in MODALITIES.names if (store / TILTS / name).exists()]
    return str(store / stacks[-1]) if stacks else "series/NAME.zarr/faket of a data set"


def _match_tilts(first: OpenedSeries, second: OpenedSeries) -> Sequence[int]:
    """Return, for each tilt of the first series, the index of the tilt of the second to compare it with."""
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
