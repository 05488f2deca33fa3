"""Contrast transfer of tilts as one file lists them, in its order, and checks of its numbers.

In every table the defocus is in µm, underfocus positive, and the angle of astigmatism is that of ``u`` from the x axis
towards the y axis of the image as it is stored, whatever the file has (`docs/formats.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.geometry.series_ctf import SeriesCtf
from faket_dask.kernels.optics import Defocus

SMALLEST_UM = 0.1
LARGEST_UM = 20.0
"""Defocus of a recorded tilt lies between these two; beyond them a unit or a sign is mistaken."""

_USUAL_UM = (0.5, 10.0)

REMEDY = "name the right file (ctf, --ctf-file), or take none (`ctf: none`)"


class DefocusUnit(Enum):
    """Unit of defocus in a file: its name, and its size in µm."""

    MICROMETRE = ("µm", 1.0)
    NANOMETRE = ("nm", 1e-3)
    ANGSTROM = ("Å", 1e-4)

    @property
    def symbol(self) -> str:
        """Name of the unit."""
        return self.value[0]

    @property
    def size_um(self) -> float:
        """Size of the unit in µm."""
        return self.value[1]


@dataclass(frozen=True, eq=False)
class CtfTable:
    """Contrast transfer of tilts in the order of a file.

    Parameters
    ----------
    path
        File.
    unit
        Unit of defocus in the file.
    places
        ``(tilt,)`` place of each tilt in the file, such as ``row 3``.
    u_um, v_um
        ``(tilt,)`` defocus along the angle of astigmatism and across it; NaN where the file has none.
    angle_deg
        ``(tilt,)`` angle of astigmatism.
    phase_shift_deg
        ``(tilt,)`` phase shift of a phase plate; 0 without one.
    views
        ``(tilt,)`` numbers of the sections of a stack, from 1, if the file counts them.
    is_complete
        True if the file lists all sections of its stack, False if it lists some, and fits lie between them.
    tilt_angles
        ``(tilt,)`` degrees with this project's sign, NaN where the file has none; ``None`` if it has none at all.
    is_target
        True if the defocus is the one that the microscope was asked for.
    sign
        -1 if underfocus is negative in the file.
    voltage_kV, spherical_aberration_mm, amplitude_contrast
        Constants of the microscope, where the file has them.
    """

    path: Path
    unit: DefocusUnit
    places: tuple[str, ...]
    u_um: NDArray[np.float64]
    v_um: NDArray[np.float64]
    angle_deg: NDArray[np.float64]
    phase_shift_deg: NDArray[np.float64]
    views: NDArray[np.int64] | None = None
    is_complete: bool = True
    tilt_angles: NDArray[np.float64] | None = None
    is_target: bool = False
    sign: int = 1
    voltage_kV: float | None = None
    spherical_aberration_mm: float | None = None
    amplitude_contrast: float | None = None

    def __len__(self) -> int:
        return len(self.places)

    def reorder(self, rows: NDArray[np.intp]) -> CtfTable:
        """Return some of the tilts, or all in another order.

        Parameters
        ----------
        rows
            ``(tilt,)`` present position of each tilt.
        """
        return replace(
            self,
            places=tuple(self.places[row] for row in rows),
            u_um=self.u_um[rows],
            v_um=self.v_um[rows],
            angle_deg=self.angle_deg[rows],
            phase_shift_deg=self.phase_shift_deg[rows],
            views=None if self.views is None else self.views[rows],
            tilt_angles=None if self.tilt_angles is None else self.tilt_angles[rows],
        )

    def to_series(self, rows: Sequence[int] | NDArray[np.intp]) -> SeriesCtf:
        """Return the contrast transfer of tilts, their numbers checked.

        Parameters
        ----------
        rows
            ``(tilt,)`` position of each tilt in the table.

        Raises
        ------
        InputError
            If a tilt has no defocus, or one that cannot be right: a unit or the sign is mistaken.
        """
        rows = [int(row) for row in rows]
        self._check(rows)
        return SeriesCtf(
            tuple(
                Defocus(
                    float(self.u_um[row] + self.v_um[row]) / 2,
                    float(self.u_um[row] - self.v_um[row]),
                    float(self.angle_deg[row] % 180),
                    float(self.phase_shift_deg[row] % 360),
                )
                for row in rows
            ),
            str(self.path),
            self.voltage_kV,
            self.spherical_aberration_mm,
            self.amplitude_contrast,
            self.is_target,
        )

    def _check(self, rows: Sequence[int]) -> None:
        both = np.stack((self.u_um[rows], self.v_um[rows]))
        missing = ~np.isfinite(both).all(axis=0)
        if missing.any():
            raise InputError(
                f"{self.path}, {self.places[rows[int(np.argmax(missing))]]}: no defocus of a tilt that is used; "
                f"estimate it, leave the tilt out, or {REMEDY}"
            )
        wrong = (np.abs(both) < SMALLEST_UM) | (np.abs(both) > LARGEST_UM)
        if wrong.any():
            which, tilt = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            raise InputError(
                f"{self.path}, {self.places[rows[int(tilt)]]}: a defocus of {self._as_written(both[which, tilt])} is "
                f"impossible; {SMALLEST_UM:g} to {LARGEST_UM:g} µm are expected, and the file's unit is "
                f"{self.unit.symbol}{self._suggest_unit(float(both[which, tilt]))}: correct it, or {REMEDY}"
            )
        over = both.mean(axis=0) < 0
        if over.any():
            what = "all tilts have" if over.all() and over.size > 1 else "the tilt has"
            raise InputError(
                f"{self.path}, {self.places[rows[int(np.argmax(over))]]}: a defocus of "
                f"{self._as_written(both.mean(axis=0)[over][0])} is an overfocus, since underfocus is "
                f"{'negative' if self.sign < 0 else 'positive'} in this file, and {what} one; correct the sign, or "
                f"{REMEDY}"
            )

    def _as_written(self, um: float) -> str:
        """Return a defocus in the file's unit and sign, and in µm where it is another unit."""
        value = f"{self.sign * um / self.unit.size_um:g} {self.unit.symbol}"
        return value if self.unit is DefocusUnit.MICROMETRE else f"{value} ({um:g} µm)"

    def _suggest_unit(self, um: float) -> str:
        """Name the units in which a number would be a defocus."""
        number = abs(um) / self.unit.size_um
        fitting = [
            unit.symbol
            for unit in DefocusUnit
            if unit is not self.unit and _USUAL_UM[0] <= number * unit.size_um <= _USUAL_UM[1]
        ]
        return f" (the number fits {' or '.join(fitting)})" if fitting else ""


def make_table(
    path: Path,
    unit: DefocusUnit,
    places: Sequence[str],
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    angle_deg: NDArray[np.float64] | float = 0.0,
    phase_shift_deg: NDArray[np.float64] | float = 0.0,
    sign: int = 1,
) -> CtfTable:
    """Make a table from the columns of a file.

    Parameters
    ----------
    path, unit, places, sign
        As for `CtfTable`.
    u, v
        ``(tilt,)`` defocus in the file's unit and sign.
    angle_deg, phase_shift_deg
        Degrees: one number, or ``(tilt,)`` of them.

    Examples
    --------
    >>> table = make_table(
    ...     Path("a.star"), DefocusUnit.ANGSTROM, ["row 1"], np.array([32000.0]), np.array([30000.0]), 95.0
    ... )
    >>> [defocus] = table.to_series([0]).defocus
    >>> round(defocus.mean_um, 3), round(defocus.astigmatism_um, 3), defocus.astigmatism_angle
    (3.1, 0.2, 95.0)
    """
    scale = sign * unit.size_um
    count = (len(places),)
    return CtfTable(
        path,
        unit,
        tuple(places),
        np.asarray(u, dtype=np.float64) * scale,
        np.asarray(v, dtype=np.float64) * scale,
        np.broadcast_to(np.asarray(angle_deg, dtype=np.float64), count),
        np.broadcast_to(np.asarray(phase_shift_deg, dtype=np.float64), count),
        sign=sign,
    )
