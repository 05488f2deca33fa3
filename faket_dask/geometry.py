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

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faket_dask.errors import InputError

SMALLEST_STEP_DEG = 1e-3
"""Tilt angles closer than this are the same angle."""

PIXEL_SIZE_TOLERANCE = 0.01
"""Relative difference of pixel sizes that is taken for rounding in a header."""

UNKNOWN_PIXEL_SIZE_A = 1.0
"""Pixel size that programs write when they do not know it."""


@dataclass(frozen=True, eq=False)
class TiltGeometry:
    """Geometry in which a tilt-series was recorded.

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` degrees, strictly increasing, within ±90.
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

    def __post_init__(self) -> None:
        angles = _angles(self.tilt_angles)
        tilts = angles.size
        _check_increasing(angles)
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
                    f"tilt {int(np.argmin(exposure))} has the negative exposure {exposure.min()} e/Å²"
                )
            _set(self, "exposure_e_per_A2", exposure)
        if self.acquisition_order is not None:
            order = np.array(self.acquisition_order)
            if order.shape != (tilts,) or not np.array_equal(np.sort(order), np.arange(tilts)):
                raise InputError(
                    f"the acquisition order must give each of the {tilts} tilts its rank, 0 to {tilts - 1}"
                )
            _set(self, "acquisition_order", order.astype(np.int64))

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
            own exposure and rank in time follow from it; neither is known where two tilts share a value.

        Returns
        -------
        geometry, order
            Geometry of the sorted tilts, and ``(tilt,)`` position of each of them in the table.

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
        order = np.argsort(tilt_angles, kind="stable")
        axis, shift = tilt_axis_angles[order], shift_A[order]
        exposure = rank = None
        if exposure_before_e_per_A2 is not None:
            exposure, rank = _single_exposures(exposure_before_e_per_A2[order])
        geometry = cls(
            tilt_angles[order],
            pixel_size_A,
            tilt_axis_angle_deg=float(axis[0]) if axis.size and not np.ptp(axis) else axis,
            shift_A=shift if shift.any() else None,
            exposure_e_per_A2=exposure,
            acquisition_order=rank,
        )
        return geometry, order

    @property
    def stage_angles(self) -> NDArray[np.float64]:
        """Tilt angles ``(tilt,)`` in degrees with the sign of SerialEM, IMOD and RELION; decreasing."""
        return -self.tilt_angles

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
        return exposure_before(self.acquisition_order, self.exposure_e_per_A2)

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


def centre_A(shape: tuple[int, ...], voxel_size_A: float) -> NDArray[np.float64]:
    """Compute the centre of a volume or image, in Å from the centre of its corner voxel.

    Parameters
    ----------
    shape
        Voxels ``(z, y, x)``, or pixels ``(y, x)``.
    voxel_size_A
        Edge of a voxel in Å.

    Returns
    -------
    centre
        ``(x, y, z)`` or ``(x, y)`` in Å.

    Examples
    --------
    >>> centre_A((20, 31, 48), 2.0)
    array([48., 30., 20.])
    """
    return np.array([size // 2 for size in reversed(shape)], dtype=np.float64) * voxel_size_A


def acquisition_order(
    tilt_angles: ArrayLike, scheme: Literal["dose_symmetric", "increasing", "decreasing"]
) -> NDArray[np.int64]:
    """Rank the tilts in time for an acquisition scheme.

    ``dose_symmetric`` starts at the angle nearest to 0 and then takes the sides in turn, first one tilt of the
    positive side, then two of either: 0, +3, -3, -6, +6, +9, -9, … (Hagen et al., J. Struct. Biol. 197, 2017).

    Parameters
    ----------
    tilt_angles
        ``(tilt,)`` degrees, strictly increasing.
    scheme
        Order in which the microscope records them.

    Returns
    -------
    order
        ``(tilt,)`` int64, 0 for the tilt that was recorded first.

    Raises
    ------
    InputError
        If the angles are not finite, out of range, unsorted or duplicate.

    Examples
    --------
    >>> acquisition_order([-6, -3, 0, 3, 6], "dose_symmetric")
    array([3, 2, 0, 1, 4])
    """
    angles = _angles(tilt_angles)
    _check_increasing(angles)
    if scheme == "increasing":
        return np.arange(angles.size)
    if scheme == "decreasing":
        return np.arange(angles.size)[::-1].copy()
    if scheme != "dose_symmetric":
        raise ValueError(f"scheme must be 'dose_symmetric', 'increasing' or 'decreasing', got {scheme!r}")
    first = int(np.argmin(np.abs(angles)))
    sides = [list(range(first + 1, angles.size)), list(range(first - 1, -1, -1))]
    sequence, take, side = [first], 1, 0
    while any(sides):
        sequence += sides[side][:take]
        del sides[side][:take]
        take, side = 2, 1 - side
    order = np.empty(angles.size, dtype=np.int64)
    order[sequence] = np.arange(angles.size)
    return order


def exposure_before(order: NDArray[np.int64], exposure_e_per_A2: ArrayLike) -> NDArray[np.float64]:
    """Compute the exposure that the specimen had received before each tilt.

    Parameters
    ----------
    order
        ``(tilt,)`` rank of each tilt in time, 0 for the first.
    exposure_e_per_A2
        Exposure of each tilt alone in e/Å²: one number, or ``(tilt,)``.

    Returns
    -------
    exposure_before
        ``(tilt,)`` float64, e/Å²; 0 for the tilt that was recorded first.

    Examples
    --------
    >>> exposure_before(np.array([2, 0, 1]), 3.0)
    array([6., 0., 3.])
    """
    sequence = np.argsort(order)
    exposure = np.broadcast_to(np.asarray(exposure_e_per_A2, dtype=np.float64), order.shape)[sequence]
    before = np.empty(order.shape, dtype=np.float64)
    before[sequence] = np.cumsum(exposure) - exposure
    return before


def edges_agree(edges_A: ArrayLike) -> bool:
    """True if the edges of a pixel or voxel are equal but for rounding.

    Parameters
    ----------
    edges_A
        Edges in Å, positive.

    Examples
    --------
    >>> edges_agree([10.0, 10.0, 10.05]), edges_agree([10.0, 10.0, 20.0])
    (True, False)
    """
    edges = np.asarray(edges_A, dtype=np.float64)
    return bool(np.ptp(edges) <= PIXEL_SIZE_TOLERANCE * edges.min())


def resolve_pixel_size(
    source: object,
    edges_A: Sequence[float],
    requested_A: float | None,
    *,
    quantity: str = "pixel size",
    place: str = "header",
) -> float:
    """Choose between the pixel size that a file records and one that the user gives.

    The user's wins, with a warning if the file contradicts it by more than 1 %. A file that says exactly 1 Å counts
    as one that says nothing: programs write it when they do not know.

    Parameters
    ----------
    source
        File, for messages.
    edges_A
        Recorded edges of a pixel (x, y) or voxel (x, y, z) in Å; not finite or not positive where there is none.
    requested_A
        Edge that the user gives, in Å, if any.
    quantity
        ``"pixel size"`` or ``"voxel size"``, for messages.
    place
        Part of the file that records it, for messages.

    Returns
    -------
    pixel_size_A
        Edge in Å.

    Raises
    ------
    InputError
        If the user gives none and the file has none, or different ones along the axes; or if the user's is not
        positive.

    Examples
    --------
    >>> resolve_pixel_size("a.mrc", [3.5, 3.5], None)
    3.5
    >>> resolve_pixel_size("a.mrc", [1.0, 1.0], 3.5)
    3.5
    >>> resolve_pixel_size("a.mrc", [1.0, 1.0], None)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    faket_dask.errors.InputError: a.mrc has no pixel size in its header (1 Å, which is ...); give the pixel size in Å
    """
    edges = np.asarray(edges_A, dtype=np.float64)
    recorded = bool(edges.size and np.isfinite(edges).all() and (edges > 0).all())
    known = recorded and not (edges == UNKNOWN_PIXEL_SIZE_A).all()
    texts = [f"{edge:g}" for edge in edges]
    sizes = texts[0] if len(set(texts)) == 1 else " x ".join(texts)
    if requested_A is not None:
        if not (np.isfinite(requested_A) and requested_A > 0):
            raise InputError(f"the {quantity} given for {source} is {requested_A} Å; it must be positive")
        if known and (np.abs(edges / requested_A - 1) > PIXEL_SIZE_TOLERANCE).any():
            warnings.warn(
                f"{source} has a {quantity} of {sizes} Å in its {place}; {requested_A:g} Å is used, as given",
                stacklevel=3,
            )
        return float(requested_A)
    if not known:
        reason = "1 Å, which is what programs write when they do not know it" if recorded else "none"
        raise InputError(f"{source} has no {quantity} in its {place} ({reason}); give the {quantity} in Å")
    if not edges_agree(edges):
        raise InputError(f"{source} has a {quantity} of {sizes} Å; they must agree: give the {quantity} in Å")
    return float(edges.mean())


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
        raise InputError(f"{what}: tilt {tilt} has none; every tilt needs a finite number")
    return array


def _angles(tilt_angles: ArrayLike) -> NDArray[np.float64]:
    angles = np.array(tilt_angles, dtype=np.float64)
    if angles.ndim != 1 or angles.size == 0:
        raise InputError(f"tilt angles must be a list of degrees, got shape {angles.shape}")
    wrong = ~(np.abs(angles) <= 90)  # NaN too
    if wrong.any():
        tilt = int(np.argmax(wrong))
        raise InputError(f"tilt {tilt} has the angle {angles[tilt]}; tilt angles are degrees from -90 to 90")
    return angles


def _check_increasing(angles: NDArray[np.float64]) -> None:
    sequence = np.argsort(angles, kind="stable")
    close = np.nonzero(np.diff(angles[sequence]) < SMALLEST_STEP_DEG)[0]
    if close.size:
        a, b = sorted((int(sequence[close[0]]), int(sequence[close[0] + 1])))
        raise InputError(
            f"tilts {a} and {b} have the same angle, {angles[a]:g}°; leave one of them out of stack and angles"
        )
    step = np.diff(angles)
    if (step < 0).any():
        tilt = int(np.argmax(step < 0)) + 1
        raise InputError(
            f"tilt angles must increase, but tilt {tilt} ({angles[tilt]:g}°) follows {angles[tilt - 1]:g}°; "
            "sort the tilts of the stack and its angles by increasing angle"
        )


def format_tilt_angle(angle: float) -> str:
    """Return a tilt angle with sign and degree.

    Examples
    --------
    >>> format_tilt_angle(0.0), format_tilt_angle(60.0), format_tilt_angle(-48.5)
    ('0°', '+60°', '−48.5°')
    """
    rounded = round(float(angle), 2) + 0.0
    return f"{rounded:+g}°".replace("-", "\N{MINUS SIGN}") if rounded else "0°"
