"""Geometry of a tilt-series: the one model that every importer and exporter converts through.

Frame of the specimen: x, y, z in Å from the volume's centre, which is index ``N // 2`` along each axis; arrays
are stored ``(z, y, x)``. The tilt axis is y. Looking along +y, the beam coming from +z, the detector below::

         beam                               beam, tilt angle θ > 0
      │    │    │                          │    │    │
      ▼    ▼    ▼                          ▼    ▼    ▼
           z                            z
           ▲                              ▲
           ●  a point above                 ●              x
           │  the centre, z > 0, …           ╲         ▶
           │                                  ╲   ╱
    ───────┼───────► x                         ╳          … turns towards -x
           │                               ╱    ╲
    ═══════╪═══════► s                  ═════╪══════════► s = x cos θ - z sin θ
           0                                   0

With x to the right, y up and z towards the reader the frame is right-handed, and a tilt by θ turns the specimen
by -θ about y in the right-handed sense. The detector's coordinates ``(s, y)`` are in Å from pixel
``(N // 2, N // 2)``. In a series that is not aligned, the image is further turned in the plane by the
tilt-axis angle φ (from y, counter-clockwise with y up), then shifted::

    column = s cos φ - y sin φ + shift_x,    row = s sin φ + y cos φ + shift_y

Warp has the same model. SerialEM, IMOD and RELION count the tilt the other way round: their projection is
``x cos θ + z sin θ`` in a volume of the same handedness, so their angle is `TiltGeometry.stage_angles`. (IMOD's
reconstruction is such a volume after `trimvol -rx`. Read with y and z merely exchanged, it follows our sign
and is its mirror image.) SHREC 2021 files are used with the sign that they are written with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.errors import InputError
from faket_dask.geometry.acquisition_order import add_earlier_exposure, exposure_before, select_exposures
from faket_dask.geometry.angles import check_increasing, parse_angles


@dataclass(frozen=True, eq=False)
class TiltGeometry:
    """Geometry in which a tilt-series was recorded.

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` degrees, strictly increasing, within ±90 (not included).
    pixel_size_A
        Edge of a pixel in Å.
    tilt_axis_angle_deg
        In-plane angle of the tilt axis, degrees from y, positive from x towards y: one, or ``(tilt,)`` of them as
        an alignment refines it tilt by tilt; 0 in an aligned series.
    shift_A
        ``(tilt, 2)`` displacement ``(x, y)`` of each image in Å; none in an aligned series.
    exposure_e_per_A2
        ``(tilt,)`` exposure of each tilt alone, in e/Å², if known.
    acquisition_order
        ``(tilt,)`` rank of each tilt in time, 0 for the first, if known.
    left_out_exposure_e_per_A2
        ``(tilt,)`` exposure that the specimen had received before each tilt in tilts that are not in the series, or
        before it, in e/Å²; ``None`` for none.

    Raises
    ------
    InputError
        If angles are not finite, out of range, unsorted or duplicate, or anything else does not fit them. The
        tilts of a stack are in the order of their angles here: a series in another order (that of
        acquisition, or decreasing angles) must be sorted, stack and angles together.
    """

    tilt_angles: NDArray[np.float64]
    pixel_size_A: float
    tilt_axis_angle_deg: float | NDArray[np.float64] = 0.0
    shift_A: NDArray[np.float64] | None = None
    exposure_e_per_A2: NDArray[np.float64] | None = None
    acquisition_order: NDArray[np.int64] | None = None
    left_out_exposure_e_per_A2: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        angles = parse_angles(self.tilt_angles)
        tilts = angles.size
        check_increasing(angles)
        _set(self, "tilt_angles", angles)
        if not (np.isfinite(self.pixel_size_A) and self.pixel_size_A > 0):
            raise InputError(
                f"a pixel size of {self.pixel_size_A} Å is impossible; give the size in Å per pixel"
            )
        if np.ndim(self.tilt_axis_angle_deg):
            axis = _finite("tilt-axis angles in degrees", self.tilt_axis_angle_deg, (tilts,))
            _set(self, "tilt_axis_angle_deg", axis)
        elif not np.isfinite(self.tilt_axis_angle_deg):
            raise InputError(f"the tilt-axis angle is {self.tilt_axis_angle_deg}; give degrees from y")
        if self.shift_A is not None:
            _set(self, "shift_A", _finite("shifts (x, y) in Å", self.shift_A, (tilts, 2)))
        if self.exposure_e_per_A2 is not None:
            exposure = _finite("exposures in e/Å²", self.exposure_e_per_A2, (tilts,))
            if (exposure < 0).any():
                raise InputError(
                    f"tilt {int(np.argmin(exposure)) + 1} (counted from 1) has the negative exposure "
                    f"{exposure.min():g} e/Å²"
                )
            _set(self, "exposure_e_per_A2", exposure)
        if self.acquisition_order is not None:
            order = np.array(self.acquisition_order)
            if order.shape != (tilts,) or not np.array_equal(np.sort(order), np.arange(tilts)):
                raise InputError(
                    f"the acquisition order must give each of the {tilts} tilts its rank, 0 to {tilts - 1}"
                )
            _set(self, "acquisition_order", order.astype(np.int64))
        if self.left_out_exposure_e_per_A2 is not None:
            left_out = _finite("exposures in e/Å²", self.left_out_exposure_e_per_A2, (tilts,))
            _set(self, "left_out_exposure_e_per_A2", left_out)

    def __len__(self) -> int:
        return self.tilt_angles.size

    @classmethod
    def from_unsorted(
        cls,
        tilt_angles: NDArray[np.float64],
        pixel_size_A: float,
        *,
        tilt_axis_angles: NDArray[np.float64],
        shift_A: NDArray[np.float64],
        exposure_before_e_per_A2: NDArray[np.float64] | None = None,
        order: NDArray[np.intp] | None = None,
    ) -> tuple[TiltGeometry, NDArray[np.intp]]:
        """Sort the tilts of a table by increasing angle.

        Parameters
        ----------
        tilt_angles
            ``(tilt,)`` degrees, in any order.
        pixel_size_A
            Edge of a pixel in Å.
        tilt_axis_angles
            ``(tilt,)`` in-plane angle of the tilt axis of each tilt, degrees.
        shift_A
            ``(tilt, 2)`` displacement ``(x, y)`` of each image in Å; all zero where there is none.
        exposure_before_e_per_A2
            ``(tilt,)`` exposure that the specimen had received before each tilt, in e/Å², if known. Each tilt's
            own exposure and rank in time follow from it; neither is known where two tilts share a value. The value of
            the first in time is an exposure before the series.
        order
            ``(selected,)`` positions in the table of the tilts to take, by increasing angle; all of them by default.

        Returns
        -------
        geometry, order
            Geometry of the sorted tilts, and ``(selected,)`` position of each of them in the table.

        Raises
        ------
        InputError
            As `TiltGeometry`.

        Examples
        --------
        >>> geometry, order = TiltGeometry.from_unsorted(
        ...     np.array([0.0, 3.0, -3.0]),
        ...     2.0,
        ...     tilt_axis_angles=np.array([85.0, 85.0, 85.0]),
        ...     shift_A=np.zeros((3, 2)),
        ...     exposure_before_e_per_A2=np.array([0.0, 2.5, 5.0]),
        ... )
        >>> order, geometry.tilt_axis_angle_deg, geometry.acquisition_order
        (array([2, 0, 1]), 85.0, array([2, 0, 1]))
        """
        if order is None:
            order = np.argsort(tilt_angles, kind="stable")
        axis, shift = tilt_axis_angles[order], shift_A[order]
        exposure = rank = None
        if exposure_before_e_per_A2 is not None:
            exposure, rank = _single_exposures(exposure_before_e_per_A2)
        rank, exposure, left_out = select_exposures(rank, exposure, order)
        if exposure is not None and exposure_before_e_per_A2 is not None:
            left_out = add_earlier_exposure(left_out, float(exposure_before_e_per_A2.min()), order.size)
        geometry = cls(
            tilt_angles[order],
            pixel_size_A,
            tilt_axis_angle_deg=float(axis[0]) if axis.size and not np.ptp(axis) else axis,
            shift_A=shift if shift.any() else None,
            exposure_e_per_A2=exposure,
            acquisition_order=rank,
            left_out_exposure_e_per_A2=left_out,
        )
        return geometry, order

    def select(self, tilts: NDArray[np.intp], tilt_angles: NDArray[np.float64] | None = None) -> TiltGeometry:
        """Return the geometry of some of the tilts, or of all of them with other angles.

        Parameters
        ----------
        tilts
            ``(selected,)`` indices, by increasing angle.
        tilt_angles
            ``(selected,)`` their angles in degrees, in place of the present ones.

        Examples
        --------
        >>> geometry = TiltGeometry(np.array([-3.0, 0.0, 3.0]), 2.0)
        >>> geometry.select(np.array([0, 2])).tilt_angles
        array([-3.,  3.])
        """
        rank, exposure, left_out = select_exposures(
            self.acquisition_order, self.exposure_e_per_A2, tilts, self.left_out_exposure_e_per_A2
        )
        axis = self.tilt_axis_angle_deg
        return replace(
            self,
            tilt_angles=self.tilt_angles[tilts] if tilt_angles is None else tilt_angles,
            tilt_axis_angle_deg=axis[tilts] if isinstance(axis, np.ndarray) else axis,
            shift_A=None if self.shift_A is None else self.shift_A[tilts],
            exposure_e_per_A2=exposure,
            acquisition_order=rank,
            left_out_exposure_e_per_A2=left_out,
        )

    @property
    def stage_angles(self) -> NDArray[np.float64]:
        """Tilt angles ``(tilt,)`` in degrees with the sign of SerialEM, IMOD and RELION; decreasing."""
        return 0.0 - self.tilt_angles

    @property
    def tilt_axis_angles(self) -> NDArray[np.float64]:
        """Tilt-axis angle ``(tilt,)`` of every tilt, in degrees."""
        return np.broadcast_to(np.asarray(self.tilt_axis_angle_deg, dtype=np.float64), self.tilt_angles.shape)

    @property
    def is_aligned(self) -> bool:
        """True if the tilt axis is along y and through the centre in every tilt."""
        return self.shift_A is None and not self.tilt_axis_angles.any()

    @property
    def exposure_before_e_per_A2(self) -> NDArray[np.float64] | None:
        """Exposure ``(tilt,)`` before each tilt, in e/Å²; ``None`` if it is not known."""
        if self.exposure_e_per_A2 is None or self.acquisition_order is None:
            return None
        before = exposure_before(self.acquisition_order, self.exposure_e_per_A2)
        return before if self.left_out_exposure_e_per_A2 is None else before + self.left_out_exposure_e_per_A2

    def point_to_detector(self, points_A: ArrayLike) -> NDArray[np.float64]:
        """Compute the positions of points of the specimen on the detector.

        Parameters
        ----------
        points_A
            ``(n, 3)`` points ``(x, y, z)`` in Å from the centre of the volume.

        Returns
        -------
        positions
            ``(tilt, n, 2)`` positions ``(column, row)`` in Å from the centre of the detector, at every tilt.

        Raises
        ------
        ValueError
            If the points are not ``(n, 3)``.

        Examples
        --------
        >>> geometry = TiltGeometry(np.array([-30.0, 0.0, 30.0]), 1.0)
        >>> geometry.point_to_detector([[0.0, 7.0, 10.0]])[:, 0].round(9)
        array([[ 5.,  7.],
               [ 0.,  7.],
               [-5.,  7.]])
        """
        points = np.asarray(points_A, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"points must have the shape (n, 3), got {points.shape}")
        x, y, z = points.T
        angles = np.deg2rad(self.tilt_angles)[:, None]
        s = x * np.cos(angles) - z * np.sin(angles)
        phi = np.deg2rad(self.tilt_axis_angles)[:, None]
        positions = np.stack(
            (s * np.cos(phi) - y * np.sin(phi), s * np.sin(phi) + y * np.cos(phi)),
            axis=-1,
        )
        return positions if self.shift_A is None else positions + self.shift_A[:, None, :]


def _single_exposures(
    before_e_per_A2: NDArray[np.float64],
) -> tuple[NDArray[np.float64] | None, NDArray[np.int64] | None]:
    """Invert `exposure_before`: exposure and rank in time of each tilt from the exposure before it.

    The last tilt in time, which nothing follows, is given the median of the others. Neither is known where two tilts
    have the same exposure before them, or there is one tilt alone.
    """
    if not np.unique(before_e_per_A2).size == before_e_per_A2.size > 1:
        return None, None
    order = np.argsort(np.argsort(before_e_per_A2))
    steps = np.diff(np.sort(before_e_per_A2))
    return np.append(steps, np.median(steps))[order], order


def _set(geometry: TiltGeometry, name: str, value: NDArray[np.generic]) -> None:
    value.flags.writeable = False
    object.__setattr__(geometry, name, value)


def _finite(what: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    if array.shape != shape:
        raise InputError(f"{what} must have the shape {shape} to go with the tilt angles, got {array.shape}")
    if not np.isfinite(array).all():
        tilt = int(np.nonzero(~np.isfinite(array))[0][0])
        raise InputError(
            f"{what}: tilt {tilt + 1} (counted from 1) has none; every tilt needs a finite number"
        )
    return array
