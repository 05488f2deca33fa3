"""Tables of the movies of a tilt-series from Warp, `.tomostar`.

Warp (Tegunov et al., Nat. Methods 18, 2021) images a point as `faket_dask.geometry` does, so its angles are ours;
SerialEM, IMOD and RELION have the opposite sign. Its exposure is that before the tilt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.star import read_star, write_star
from faket_dask.geometry import TiltGeometry


@dataclass(frozen=True, eq=False)
class WarpTilts:
    """Tilts of a file of Warp, in its order: a `.tomostar`, or an `.xml`.

    Parameters
    ----------
    path
        File.
    angles, axis_angles
        ``(tilt,)`` tilt angles and tilt-axis angles in degrees.
    shift_A
        ``(tilt, 2)`` displacement ``(x, y)`` of each image in Å.
    exposure_before_e_per_A2
        ``(tilt,)`` exposure before each tilt in e/Å², if the file has it.
    movies
        ``(tilt,)`` path of each tilt's movie or image, relative to the `.tomostar`; empty if an `.xml` has none.
    """

    path: Path
    angles: NDArray[np.float64]
    axis_angles: NDArray[np.float64]
    shift_A: NDArray[np.float64]
    exposure_before_e_per_A2: NDArray[np.float64] | None
    movies: tuple[str, ...]

    def geometry(self, pixel_size_A: float, order: NDArray[np.intp]) -> TiltGeometry:
        """Return the geometry of tilts.

        Parameters
        ----------
        pixel_size_A
            Edge of a pixel in Å, which the file does not have.
        order
            ``(selected,)`` rows of the tilts, by increasing angle.
        """
        geometry, _ = TiltGeometry.from_unsorted(
            self.angles,
            pixel_size_A,
            tilt_axis_angles=self.axis_angles,
            shift_A=self.shift_A,
            exposure_before_e_per_A2=self.exposure_before_e_per_A2,
            order=order,
        )
        return geometry


def read_tomostar(path: Path) -> WarpTilts:
    """Read a `.tomostar` file.

    Parameters
    ----------
    path
        File to read.

    Raises
    ------
    InputError
        If the file is absent or damaged, or a column is missing or does not hold numbers.
    """
    table = next(iter(read_star(path).values()))
    angles = table.numbers("wrpAngleTilt")
    if not angles.size:
        raise InputError(f"{path} lists no tilts")
    return WarpTilts(
        path,
        angles,
        table.numbers("wrpAxisAngle", 0),
        np.stack([table.numbers(f"wrpAxisOffset{a}", 0) for a in "XY"], axis=1),
        table.numbers("wrpDose") if "wrpDose" in table.columns else None,
        table.text("wrpMovieName"),
    )


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
