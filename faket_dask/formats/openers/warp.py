"""Series of Warp: a `.tomostar`, an `.xml`, or both, with images averaged over each tilt's movie.

Warp keeps what was imported in the `.tomostar`, and what was found since (alignment, rejected tilts) in the `.xml`,
which lies in the processing folder. Where the two disagree, the `.xml` is believed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.files import file_name, read_text
from faket_dask.formats.openers.ctf_sources import add_ctf
from faket_dask.formats.openers.series_format import (
    SeriesFormat,
    SeriesOptions,
    find_by_suffix,
    open_movie_average,
)
from faket_dask.formats.tilt_list import TiltList, warn_rejected
from faket_dask.formats.tilt_series import TiltSeries, check_images
from faket_dask.formats.tomostar import WarpTilts, read_tomostar
from faket_dask.formats.warp_xml import WarpSeries, read_import_folders, read_warp_xml
from faket_dask.geometry import PIXEL_SIZE_TOLERANCE

PROCESSING_FOLDER = "warp_tiltseries"
DATA_FOLDER = "tomostar"
_NOTICEABLE = 0.01
"""Differences in degrees or Å below this are of rounding."""


def _open_tomostar(path: Path, options: SeriesOptions) -> TiltSeries:
    table = read_tomostar(path)
    xml = _find_xml(path)
    return _open(path, table, options) if xml is None else _open_aligned(read_warp_xml(xml), table, options)


def _open_xml(path: Path, options: SeriesOptions) -> TiltSeries:
    series = read_warp_xml(path)
    tomostar = _find_tomostar(path, series.data_folder)
    return _open_aligned(series, None if tomostar is None else read_tomostar(tomostar), options)


def _open(path: Path, table: WarpTilts, options: SeriesOptions) -> TiltSeries:
    """Open the series of a `.tomostar` that has no `.xml`."""
    tilts = TiltList.in_order(path, table.angles, is_stage=False, place="row")
    order = tilts.choose(options.exclusion.find(tilts))
    images = [open_movie_average(path, table.movies[tilt], options.pixel_size_A) for tilt in order]
    geometry = table.geometry(images[0].pixel_size_A, order)
    series = TiltSeries(geometry, tuple((image, 0) for image in images), recorded=tilts, rows=order)
    return add_ctf(check_images(path, series), options, None)


def _open_aligned(series: WarpSeries, table: WarpTilts | None, options: SeriesOptions) -> TiltSeries:
    """Open the series of an `.xml`; the `.tomostar` gives what it does not have."""
    path = series.path
    if not series.movies and table is None:
        raise InputError(
            f"{path} names no movies (<MoviePath>), and there is no {path.stem}.tomostar beside it, in "
            f"../{DATA_FOLDER}, or where its DataDirectory says; put it there"
        )
    if table is not None:
        _compare(series, table)
    tilts = TiltList.in_order(path, series.angles, is_stage=False, place="tilt")
    warn_rejected(tilts, ~series.is_used, f"{path} (UseTilt False)")
    order = tilts.choose(options.exclusion.find(tilts) | ~series.is_used)
    base = path if table is None else table.path
    movies = series.movies or (() if table is None else table.movies)
    images = [open_movie_average(base, movies[tilt], options.pixel_size_A) for tilt in order]
    before = series.exposure_before_e_per_A2
    if before is None and table is not None and not series.movies:
        before = table.exposure_before_e_per_A2
    leveled = replace(series, angles=series.angles + series.level_angle_deg, exposure_before_e_per_A2=before)
    geometry = leveled.geometry(images[0].pixel_size_A, order)
    opened = TiltSeries(
        geometry,
        tuple((image, 0) for image in images),
        recorded=tilts,
        rows=order,
        unapplied=series.unapplied,
    )
    _compare_size(series, opened)
    return add_ctf(check_images(path, opened), options, series.ctf)


def _compare(series: WarpSeries, table: WarpTilts) -> None:
    """Warn where the `.tomostar` says otherwise than the `.xml`; refuse where they cannot be of the same tilts."""
    rows = _match_rows(series, table)
    ours = (series.angles, series.axis_angles, np.hypot(*series.shift_A.T))
    theirs = (table.angles[rows], table.axis_angles[rows], np.hypot(*table.shift_A[rows].T))
    angles, axes, shifts = (np.abs(a - b).max(initial=0) for a, b in zip(ours, theirs, strict=True))
    differences = []
    if axes > _NOTICEABLE:
        differences.append(
            f"the tilt axis lies at {_range(series.axis_angles)} in the one and {_range(table.axis_angles)} in the "
            "other"
        )
    if angles > _NOTICEABLE:
        differences.append(f"tilt angles differ by up to {angles:.2f}°")
    if shifts > _NOTICEABLE:
        differences.append(f"images are shifted by up to {ours[2].max():.1f} Å and {theirs[2].max():.1f} Å")
    if differences:
        warnings.warn(
            f"{series.path} and {table.path} disagree: {', '.join(differences)}; the .xml is believed, where Warp "
            "keeps its alignment",
            stacklevel=4,
        )


def _match_rows(series: WarpSeries, table: WarpTilts) -> NDArray[np.intp]:
    """Return the row of the `.tomostar` of each tilt of the `.xml`."""
    counts = f"{series.path} has {series.angles.size} tilts, {table.path} {len(table.movies)}"
    rows = {file_name(movie): row for row, movie in enumerate(table.movies)}
    if series.movies:
        missing = [movie for movie in series.movies if file_name(movie) not in rows]
        if missing:
            raise InputError(
                f"{series.path} names the movie {missing[0]}, which {table.path} does not; import the series anew"
            )
        return np.array([rows[file_name(movie)] for movie in series.movies])
    if series.angles.size != len(table.movies):
        raise InputError(f"{counts}; they must agree, since the .xml names no movies")
    return np.arange(series.angles.size)


def _compare_size(series: WarpSeries, opened: TiltSeries) -> None:
    """Warn where the size of the images in the `.xml` is another than that in their headers."""
    if series.image_size_A is None:
        return
    _, rows, columns = opened.shape
    size = np.array([columns, rows]) * opened.pixel_size_A
    if (np.abs(size / np.array(series.image_size_A) - 1) > PIXEL_SIZE_TOLERANCE).any():
        x, y = series.image_size_A
        warnings.warn(
            f"{series.path} says that images are {x:g} x {y:g} Å large, {opened.images[0][0].path} has {columns} x "
            f"{rows} pixels of {opened.pixel_size_A:g} Å; the image is believed (--pixel-size-A gives another size)",
            stacklevel=5,
        )


def _find_xml(tomostar: Path) -> Path | None:
    """Find the `.xml` of a `.tomostar`: in the folder that a settings file names, beside its folder, or beside it."""
    name, folder = f"{tomostar.stem}.xml", tomostar.parent
    candidates = [folder / ".." / PROCESSING_FOLDER / name, folder / name]
    for above in (folder / "..", folder):
        for settings in sorted(above.glob("*.settings")):
            data, processing = read_import_folders(settings)
            if processing and (above / data).resolve() == folder.resolve():
                candidates.insert(0, above / processing / name)
    present = {path.resolve(): path for path in reversed(candidates) if path.is_file()}
    [*others, chosen] = present.values() or [None]
    if others:
        warnings.warn(f"{tomostar} has the files {chosen} and {others[-1]}; the first is read", stacklevel=4)
    return chosen


def _find_tomostar(xml: Path, data_folder: str) -> Path | None:
    """Find the `.tomostar` of an `.xml`."""
    name, folder = f"{xml.stem}.tomostar", xml.parent
    places = [folder / data_folder] if data_folder else []
    places += [folder / ".." / DATA_FOLDER, folder]
    return next((place / name for place in places if (place / name).is_file()), None)


def _find_xml_series(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Return the `.xml` files of a folder that are of tilt-series."""
    return [
        file for file in files if file.suffix == ".xml" and "<TiltSeries" in read_text(file, "file")[:1000]
    ]


def _range(degrees: NDArray[np.float64]) -> str:
    low, high = degrees.min(), degrees.max()
    return f"{low:g}°" if high - low < _NOTICEABLE else f"{low:g}° to {high:g}°"


TOMOSTAR = SeriesFormat((".tomostar",), find_by_suffix(".tomostar"), _open_tomostar)
WARP_XML = SeriesFormat((".xml",), _find_xml_series, _open_xml)
