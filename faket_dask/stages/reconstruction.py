"""Weighted back-projection: tilts prepared, and places and shapes of binned arrays.

Filtering needs whole tilts, back-projection all tilts of a block of rows; so these are two steps, and what lies
between them is stored by tilt and read by rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.config import FilterKind, HalvesKind
from faket_dask.kernels.bead_erasing import erase_beads
from faket_dask.kernels.binning import bin_axes
from faket_dask.kernels.ctf_correction import CtfCorrection
from faket_dask.kernels.dose_weighting import DoseWeighting
from faket_dask.kernels.filters import (
    angular_spans,
    continued_columns,
    crowther_frequency,
    exact_filter,
    filter_rows,
    filter_tilt,
    ramp_filter,
    shrec_filter,
    shrec_slope,
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


class Half(StrEnum):
    """Half of the tilts of a tomogram, from which another tomogram is made."""

    ODD = "odd"
    EVEN = "even"
    EARLY = "early"
    LATE = "late"

    @property
    def needs_exposures(self) -> bool:
        """True where tilts are parted by the time that they were recorded at."""
        return self in (Half.EARLY, Half.LATE)


HALVES: dict[HalvesKind, tuple[Half, Half]] = {
    "tilts": (Half.ODD, Half.EVEN),
    "dose": (Half.EARLY, Half.LATE),
}
"""Two halves by the way in which tilts are parted."""


def choose_half(
    half: Half, tilts: int, before_e_per_A2: NDArray[np.float64] | None = None
) -> NDArray[np.intp]:
    """Return the indices of the tilts of one half.

    Parameters
    ----------
    half
        ``ODD`` and ``EVEN`` take every other tilt in the order of the angles, the first, third, … and the second,
        fourth, …; ``EARLY`` and ``LATE`` take those that were recorded first and last, of an odd number one more
        early ones.
    tilts
        Number of tilts.
    before_e_per_A2
        ``(tilt,)`` exposure before each tilt, which ``EARLY`` and ``LATE`` need.

    Raises
    ------
    ValueError
        If the half is empty, or exposures are needed and not given.

    Examples
    --------
    >>> choose_half(Half.EVEN, 5), choose_half(Half.EARLY, 5, np.array([6.0, 2.0, 0.0, 4.0, 8.0]))
    (array([1, 3]), array([1, 2, 3]))
    """
    if tilts < 2:
        raise ValueError(f"{tilts} tilts cannot be halved")
    if not half.needs_exposures:
        return np.arange(0 if half is Half.ODD else 1, tilts, 2)
    if before_e_per_A2 is None or before_e_per_A2.shape != (tilts,):
        raise ValueError(f"the {half} half needs the exposure before each of the {tilts} tilts")
    order = np.argsort(before_e_per_A2, kind="stable")
    early = (tilts + 1) // 2
    return np.sort(order[:early] if half is Half.EARLY else order[early:])


@dataclass(frozen=True)
class Restoration:
    """Correction of tilts before they are filtered.

    Parameters
    ----------
    pixel_size_A
        Pixel edge of the tilts in Å, before they are binned.
    ctf
        Correction of the contrast transfer function, if any.
    dose
        Dose weighting, if any.
    """

    pixel_size_A: float
    ctf: CtfCorrection | None = None
    dose: DoseWeighting | None = None

    def select(self, tilts: NDArray[np.intp]) -> Restoration:
        """Return the correction of a series of some of the tilts.

        Parameters
        ----------
        tilts
            Indices of the tilts.
        """
        return replace(
            self,
            ctf=self.ctf and self.ctf.select(tilts.tolist()),
            dose=self.dose and self.dose.select(tilts.tolist()),
        )

    def apply(
        self, tilt: NDArray[np.float32], binning: int, tilt_angle: float, index: int
    ) -> NDArray[np.float32]:
        """Correct a tilt.

        Parameters
        ----------
        tilt
            ``(y, x)`` binned.
        binning
            Pixels per binned pixel.
        tilt_angle
            Degrees.
        index
            Index of the tilt.
        """
        pixel_size_A = self.pixel_size_A * binning
        if self.ctf is not None:
            tilt = self.ctf.apply(tilt, pixel_size_A, tilt_angle, index)
        return tilt if self.dose is None else self.dose.apply(tilt, pixel_size_A, index)


def describe_restoration(restoration: Restoration | None) -> dict[str, Any]:
    """Return attributes of a tomogram that tell how its tilts were corrected.

    Examples
    --------
    >>> describe_restoration(None)
    {'ctf': 'none', 'dose_weighting': False}
    """
    ctf = None if restoration is None else restoration.ctf
    weighted = restoration is not None and restoration.dose is not None
    return {"ctf": "none" if ctf is None else ctf.method.description, "dose_weighting": weighted}


def density_scale(
    kind: FilterKind, shape: tuple[int, int], tilt_angles: NDArray[np.float64], binning: int = 1
) -> float:
    """Return by how many times the density of a tomogram is that of the specimen.

    Tilts are understood as sums along rays: of densities times the voxels that a ray crosses, voxels as large as an
    unbinned pixel. The factor holds, exactly, for structure in the directions that were recorded, coarse enough that
    neighbouring tilts overlap: the filter's slope over that of the ramp, times π over the sum of the angles that the
    tilts stand for, times the binning.

    Parameters
    ----------
    kind
        Filter.
    shape
        Rows and columns of a binned tilt.
    tilt_angles
        ``(tilt,)`` degrees.
    binning
        Pixels per binned pixel.

    Examples
    --------
    >>> round(density_scale("hann", (64, 64), np.arange(-60.0, 61, 3)), 3)
    1.463
    >>> round(density_scale("shrec", (64, 64), np.arange(-90.0, 90, 1)), 2)
    4.35
    """
    slope = shrec_slope(*shape) if kind == "shrec" else 1.0
    covered = float(angular_spans(tilt_angles).sum()) if tilt_angles.size > 1 else math.pi
    return slope * binning * math.pi / covered


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
    restoration: Restoration | None = None,
) -> NDArray[np.float32]:
    """Prepare a tilt for back-projection: bin it, without aliasing and about its centre, and filter it.

    Parameters
    ----------
    tilt
        ``(y, x)`` of any real type.
    kind
        ``"ramp"``; ``"crowther"``, the ramp up to the frequency where neighbouring tilts part; ``"hann"``, the
        ramp under a window that ends at the Nyquist frequency; ``"exact"``, by the real overlap of the tilts;
        ``"shrec"``, as in the SHREC 2021 data set. All but this one continue the tilt beyond its sides, and weight
        unevenly spaced tilts by the angle that each stands for.
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
    restoration
        Correction of the binned tilt before it is filtered, if any.

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
    if restoration is not None:
        binned = restoration.apply(binned, binning, float(tilt_angles[index]), index)
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


def weighs_spans(kind: FilterKind, tilt_angles: NDArray[np.float64]) -> bool:
    """Tell whether a filter weights the tilts of a series by the angles that they stand for.

    Examples
    --------
    >>> weighs_spans("hann", np.array([-6.0, 0, 2])), weighs_spans("hann", np.array([-6.0, 0, 6]))
    (True, False)
    """
    weighted = kind in ("ramp", "crowther", "hann")
    return weighted and tilt_angles.size > 1 and bool(np.ptp(angular_spans(tilt_angles)))


def _row_weights(
    kind: FilterKind, columns: int, angles: NDArray[np.float64], tilt: int, thickness_px: float
) -> NDArray[np.float64]:
    match kind:
        case "crowther":
            level = crowther_frequency(thickness_px, angular_spans(angles)[tilt])
            weights = ramp_filter(1, columns, crowther=level)[0]
        case "hann":
            weights = ramp_filter(1, columns, hann=NYQUIST)[0]
        case "exact":
            weights = exact_filter(1, columns, angles, tilt, thickness_px)[0]
        case _:
            weights = ramp_filter(1, columns)[0]
    if not weighs_spans(kind, angles):
        return weights
    spans = angular_spans(angles)
    return weights * (spans[tilt] / spans.mean())
