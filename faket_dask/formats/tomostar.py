"""Tables of the movies of a tilt-series from Warp, `.tomostar`.

Warp (Tegunov et al., Nat. Methods 18, 2021) images a point as `faket_dask.geometry` does, so its angles are ours;
SerialEM, IMOD and RELION have the opposite sign. Its exposure is that before the tilt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faket_dask.errors import InputError
from faket_dask.formats.star import read_star, write_star
from faket_dask.geometry import TiltGeometry


@dataclass(frozen=True, eq=False)
class TomoStar:
    """Tilt-series of a `.tomostar` file.

    Parameters
    ----------
    geometry
        Geometry of the tilts, in the order of increasing angle.
    movies
        ``(tilt,)`` path of each tilt's movie or image, relative to the file.
    """

    geometry: TiltGeometry
    movies: tuple[str, ...]


def read_tomostar(path: Path, pixel_size_A: float) -> TomoStar:
    """Read a `.tomostar` file.

    Parameters
    ----------
    path
        File to read.
    pixel_size_A
        Edge of a pixel in Å, which the file does not have.

    Raises
    ------
    InputError
        If the file is absent or damaged, a column is missing or does not hold numbers, or the angles cannot be
        used.
    """
    table = next(iter(read_star(path).values()))
    angles = table.numbers("wrpAngleTilt")
    if not angles.size:
        raise InputError(f"{path} lists no tilts")
    axis = table.numbers("wrpAxisAngle", 0)
    shift = np.stack([table.numbers(f"wrpAxisOffset{a}", 0) for a in "XY"], axis=1)
    movies = table.text("wrpMovieName")
    before = table.numbers("wrpDose") if "wrpDose" in table.columns else None
    geometry, order = TiltGeometry.from_unsorted(
        angles, pixel_size_A, tilt_axis_angles=axis, shift_A=shift, exposure_before_e_per_A2=before
    )
    return TomoStar(geometry, tuple(movies[tilt] for tilt in order))


def write_tomostar(path: Path, geometry: TiltGeometry, movies: Sequence[str]) -> None:
    """Write a `.tomostar` file, in the order of acquisition where it is known.

    Parameters
    ----------
    path
        File to write; replaced whole.
    geometry
        Geometry of the series.
    movies
        ``(tilt,)`` path of each tilt's image, relative to the file.
    """
    tilts = len(geometry)
    order = np.arange(tilts) if geometry.acquisition_order is None else np.argsort(geometry.acquisition_order)
    before = geometry.exposure_before_e_per_A2
    shift = np.zeros((tilts, 2)) if geometry.shift_A is None else geometry.shift_A
    columns: dict[str, Sequence[object]] = {
        "wrpMovieName": [movies[tilt] for tilt in order],
        "wrpAngleTilt": list(geometry.tilt_angles[order]),
        "wrpAxisAngle": list(geometry.tilt_axis_angles[order]),
        "wrpDose": list((np.zeros(tilts) if before is None else before)[order]),
        "wrpAxisOffsetX": list(shift[order, 0]),
        "wrpAxisOffsetY": list(shift[order, 1]),
    }
    write_star(path, {"": columns})
