"""Series of a `.tomostar` of Warp, from images averaged over each tilt's movie."""

from __future__ import annotations

from pathlib import Path

from faket_dask.formats.openers.series_format import (
    SeriesFormat,
    SeriesOptions,
    find_by_suffix,
    open_movie_average,
)
from faket_dask.formats.tilt_series import TiltSeries, check_images
from faket_dask.formats.tomostar import read_tomostar


def _open(path: Path, options: SeriesOptions) -> TiltSeries:
    movies = read_tomostar(path, options.pixel_size_A or 1.0).movies
    images = [open_movie_average(path, movie, options.pixel_size_A) for movie in movies]
    geometry = read_tomostar(path, images[0].pixel_size_A).geometry
    return check_images(path, TiltSeries(geometry, tuple((image, 0) for image in images)))


TOMOSTAR = SeriesFormat((".tomostar",), find_by_suffix(".tomostar"), _open)
