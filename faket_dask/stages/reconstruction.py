"""Weighted back-projection: a tilt made ready, and a block of the tomogram.

Filtering needs whole tilts, back-projection all tilts of a block of rows; so these are two steps, and what lies
between them is stored by tilt and read by rows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from faket_dask.config import FilterKind
from faket_dask.kernels.binning import bin_axis, bin_image
from faket_dask.kernels.filters import (
    continued_columns,
    crowther_frequency,
    exact_filter,
    filter_rows,
    filter_tilt,
    ramp_filter,
    shrec_filter,
)

NYQUIST = 0.5
"""Cycles per pixel."""


def choose_tilts(tilt_angles: NDArray[np.float64], every: int) -> NDArray[np.intp]:
    """Indices of every n-th tilt, counted from the one nearest to 0°, which is always kept.

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` degrees.
    every
        1 keeps all.
    """
    middle = int(np.argmin(np.abs(tilt_angles)))
    return np.arange(middle % every, tilt_angles.size, every)


def binned_shape(shape: tuple[int, ...], binning: int) -> tuple[int, int]:
    """Rows and columns of an image whose pixels are `binning` times as large."""
    rows, columns = shape
    return rows // binning, columns // binning


def filtered_shape(shape: tuple[int, ...], binning: int, binning_after: int) -> tuple[int, int]:
    """Rows and columns that `prepare_tilt` makes of a tilt."""
    rows, columns = binned_shape(shape, binning)
    return rows // binning_after, columns


def binned_coordinates(size: int, binning: int, pixel_size_A: float) -> NDArray[np.float64]:
    """Places in Å of binned pixels along an axis of `size` unbinned ones, whose first lies at 0.

    Pixel ``N // 2`` of either lies at the same place.
    """
    binned = size // binning
    steps = np.arange(binned, dtype=np.float64) - binned // 2
    return (steps * binning + size // 2) * pixel_size_A


def prepare_tilt(
    tilt: NDArray[np.generic],
    kind: FilterKind,
    tilt_angles: NDArray[np.float64],
    index: int,
    thickness_px: float,
    binning: int = 1,
    binning_after: int = 1,
) -> NDArray[np.float32]:
    """A tilt ready for back-projection: binned, without aliasing and about its centre, then filtered.

    Parameters
    ----------
    tilt
        ``(y, x)`` of any real type.
    kind
        ``"ramp"``; ``"crowther"``, the ramp up to the frequency where neighbouring tilts part; ``"hann"``, the
        ramp under a window that ends at the Nyquist frequency; ``"exact"``, by the real overlap of the tilts;
        ``"shrec"``, as in the SHREC 2021 data set. All but this one continue the tilt beyond its sides.
    tilt_angles
        ``(tilt,)`` degrees of the tilts that are reconstructed from.
    index
        Which of them this tilt is.
    thickness_px
        Of the specimen, in binned pixels; for ``"crowther"`` and ``"exact"``.
    binning
        Pixels per binned pixel along either axis.
    binning_after
        Of the tomogram, in binned pixels per voxel. Along the tilt axis, that of the filtered tilt is the same.

    Returns
    -------
    filtered
        ``(y // binning // binning_after, x // binning)`` float32.

    Raises
    ------
    ValueError
        If the tilt is too small to be binned and filtered, or the weighting needs more than one angle.
    """
    binned = bin_image(tilt, binning)
    if kind == "shrec":  # as published: without continuation
        filtered = filter_tilt(binned, _published_weights(*binned.shape))
    else:
        columns = continued_columns(binned.shape[1])
        filtered = filter_rows(binned, _row_weights(kind, columns, tilt_angles, index, thickness_px))
    return bin_axis(filtered, binning_after, axis=0)


@lru_cache(maxsize=1)
def _published_weights(rows: int, columns: int) -> NDArray[np.float64]:
    """Kept for the next tilt of the series."""
    return shrec_filter(rows, columns)


def _row_weights(
    kind: FilterKind, columns: int, angles: NDArray[np.float64], tilt: int, thickness_px: float
) -> NDArray[np.float64]:
    match kind:
        case "crowther":
            return ramp_filter(1, columns, crowther=crowther_frequency(thickness_px, angles))[0]
        case "hann":
            return ramp_filter(1, columns, hann=NYQUIST)[0]
        case "exact":
            return exact_filter(1, columns, angles, tilt, thickness_px)[0]
    return ramp_filter(1, columns)[0]
