"""Weighted back-projection: tilts prepared, and places and shapes of binned arrays.

Filtering needs whole tilts, back-projection all tilts of a block of rows; so these are two steps, and what lies
between them is stored by tilt and read by rows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from faket_dask.config import FilterKind
from faket_dask.kernels.bead_erasing import erase_beads
from faket_dask.kernels.binning import bin_axes
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
"""Nyquist frequency in cycles per pixel."""


def choose_tilts(tilt_angles: NDArray[np.float64], tilt_stride: int) -> NDArray[np.intp]:
    """Return the indices of every n-th tilt, counted from the one nearest to 0°, which is always chosen.

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` degrees.
    tilt_stride
        Distance of chosen tilts; 1 chooses all.

    Examples
    --------
    >>> choose_tilts(np.array([-40.0, -20.0, 0.0, 20.0, 40.0]), 2)
    array([0, 2, 4])
    """
    middle = int(np.argmin(np.abs(tilt_angles)))
    return np.arange(middle % tilt_stride, tilt_angles.size, tilt_stride)


def binned_shape(shape: tuple[int, ...], binning: int) -> tuple[int, int]:
    """Return rows and columns of an image whose pixels are `binning` times as large.

    Examples
    --------
    >>> binned_shape((101, 80), 2)
    (50, 40)
    """
    rows, columns = shape
    return rows // binning, columns // binning


def filtered_shape(shape: tuple[int, ...], binning: int, post_binning: int) -> tuple[int, int]:
    """Return rows and columns of a tilt from `prepare_tilt`.

    Examples
    --------
    >>> filtered_shape((96, 80), binning=2, post_binning=2)
    (24, 40)
    """
    rows, columns = binned_shape(shape, binning)
    return rows // post_binning, columns


def binned_coordinates(size: int, binning: int, pixel_size_A: float) -> NDArray[np.float64]:
    """Return the places in Å of binned pixels along an axis of `size` unbinned ones, whose first lies at 0.

    Pixel ``N // 2`` of either lies at the same place.

    Examples
    --------
    >>> binned_coordinates(6, 2, 10.0)
    array([10., 30., 50.])
    """
    binned = size // binning
    steps = np.arange(binned, dtype=np.float64) - binned // 2
    return (steps * binning + size // 2) * pixel_size_A


def prepare_tilt(
    *,
    tilt: NDArray[np.generic],
    kind: FilterKind,
    tilt_angles: NDArray[np.float64],
    index: int,
    thickness_px: float,
    binning: int = 1,
    post_binning: int = 1,
    without_beads: bool = False,
) -> NDArray[np.float32]:
    """Prepare a tilt for back-projection: bin it, without aliasing and about its centre, and filter it.

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
        Index of this tilt among them.
    thickness_px
        Thickness of the specimen in binned pixels; for ``"crowther"`` and ``"exact"``.
    binning
        Pixels per binned pixel along either axis.
    post_binning
        Binned pixels per voxel of the tomogram; filtered tilts are binned by it along the tilt axis.
    without_beads
        True to replace gold beads by their surroundings first.

    Returns
    -------
    filtered
        ``(y // binning // post_binning, x // binning)`` float32.

    Raises
    ------
    ValueError
        If the tilt is too small to be binned and filtered, or the weighting needs more than one angle.
    """
    binned = bin_axes(erase_beads(tilt) if without_beads else tilt, binning, (0, 1))
    if kind == "shrec":  # as published: without continuation
        filtered = filter_tilt(binned, _published_weights(*binned.shape))
    else:
        columns = continued_columns(binned.shape[1])
        filtered = filter_rows(binned, _row_weights(kind, columns, tilt_angles, index, thickness_px))
    return bin_axes(filtered, post_binning, (0,))


@lru_cache(maxsize=1)
def _published_weights(rows: int, columns: int) -> NDArray[np.float64]:
    """Return the published filter, which is the same for all tilts of a series."""
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
