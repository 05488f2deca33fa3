"""Metadata files of SerialEM, `.mdoc`: one section of ``key = value`` lines for each tilt.

SerialEM's tilt angle is `TiltGeometry.stage_angles`; a section's ZValue is the section of the stack, from 0. The key
`RotationAngle` is the rotation of the image from having the tilt axis along x, so it is the tilt-axis angle (from y)
plus 90°. It is not folded to a half turn: turning the axis by 180° would mirror the specimen. Microscopes whose stage
runs the other way have a title line that differs by a further 180°, which is believed.

`docs/formats.md` lists every key that is read or written, and the source of its meaning.

The package `mdocfile` reads these files, too; this reader is our own because its errors name the section and the key
that is wrong. The tests compare the two.
"""

from __future__ import annotations

import datetime
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.atomic import write_text
from faket_dask.errors import InputError
from faket_dask.formats.ctf_table import CtfTable, DefocusUnit, make_table
from faket_dask.formats.files import file_name, read_text
from faket_dask.formats.mdoc_sections import MdocSections, parse_number, parse_sections
from faket_dask.geometry import TiltGeometry, add_earlier_exposure, edges_agree
from faket_dask.geometry.series_ctf import SeriesCtf

_DATE_TIME = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{2}|\d{4})\s+(\d{1,2}):(\d{2}):(\d{2})")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime.datetime(2000, 1, 1)
_SECONDS_PER_TILT = 60
_AXIS_TOLERANCE_DEG = 1.0
_THERMO_TOLERANCE_DEG = 0.11
"""Two numbers of Thermo Fisher's are rounded to hundredths; IMOD compares them with this tolerance."""


@dataclass(frozen=True, eq=False)
class Mdoc:
    """Tilts of a recorded series, as an `.mdoc` describes them, in the order of increasing angle of this project.

    Parameters
    ----------
    path
        The file.
    stage_angles
        ``(tilt,)`` degrees with SerialEM's sign, decreasing.
    sections
        ``(tilt,)`` ZValue of each tilt: the section of the stack that it is, from 0.
    title_axis_angle_deg
        Tilt-axis angle of the title line, in degrees from y, if there is one.
    rotation_angle_deg
        Median of `RotationAngle` in degrees, if recorded by SerialEM.
    pixel_size_A
        Edge of a pixel in Å, if recorded.
    exposure_e_per_A2
        ``(tilt,)`` exposure of each tilt alone in e/Å², if known.
    acquisition_order
        ``(tilt,)`` rank of each tilt in time, 0 for the first, if known.
    defocus_um
        ``(tilt,)`` target defocus in µm, underfocus positive, if recorded for every tilt.
    frames
        ``(tilt,)`` file names of the movies, empty where not recorded.
    statistics
        ``(tilt, 3)`` least, greatest and mean value of the section, if recorded for every tilt.
    image_file
        File name of the stack, if recorded.
    earlier_exposure_e_per_A2
        Exposure of the specimen before the first tilt in time, in e/Å².
    is_thermo
        True if Thermo Fisher's Tomography wrote the file, whose stacks need not be in its order.
    voltage_kV
        Voltage of the microscope in kV, if recorded.
    """

    path: Path
    stage_angles: NDArray[np.float64]
    sections: tuple[int, ...]
    title_axis_angle_deg: float | None
    rotation_angle_deg: float | None
    pixel_size_A: float | None
    exposure_e_per_A2: NDArray[np.float64] | None
    acquisition_order: NDArray[np.int64] | None
    defocus_um: NDArray[np.float64] | None
    frames: tuple[str, ...]
    statistics: NDArray[np.float64] | None = None
    image_file: str | None = None
    earlier_exposure_e_per_A2: float = 0.0
    is_thermo: bool = False
    voltage_kV: float | None = None

    def __len__(self) -> int:
        return len(self.sections)

    def tilt_axis_angle(self, from_stack: tuple[str, float] | None = None) -> float | None:
        """Return the tilt-axis angle in degrees from y; ``None`` where nothing is recorded.

        The file's title line is believed, next that of the stack, and last `RotationAngle`, whose meaning is less
        certain. A warning says where two of them contradict each other by more than a degree.

        Parameters
        ----------
        from_stack
            Part of the stack, such as ``a title of a.mrc``, and the tilt-axis angle there, if it has one.
        """
        title = self.title_axis_angle_deg
        if (
            title is not None
            and from_stack is not None
            and abs(_wrap(title - from_stack[1])) > _AXIS_TOLERANCE_DEG
        ):
            warnings.warn(
                f"mdoc {self.path} has a tilt-axis angle of {title:g}°, and {from_stack[0]} "
                f"{from_stack[1]:g}°; the mdoc is believed",
                stacklevel=3,
            )
        if title is None and from_stack is not None:
            title = from_stack[1]
        if self.rotation_angle_deg is None:
            return title
        rotation, implied = self.rotation_angle_deg, _wrap(self.rotation_angle_deg - 90)
        if title is None:
            warnings.warn(
                f"mdoc {self.path} has no title line with the tilt-axis angle; it is taken to be {implied:g}°, "
                f"SerialEM's RotationAngle of {rotation:g}° less 90° (on some microscopes it is turned by a further "
                "180°, which mirrors the specimen)",
                stacklevel=3,
            )
            return implied
        apart = abs(_wrap(title - implied))
        if min(apart, 180 - apart) > _AXIS_TOLERANCE_DEG:
            warnings.warn(
                f"mdoc {self.path} has a tilt-axis angle of {title:g}° in a title line and a RotationAngle of "
                f"{rotation:g}°, which is {implied:g}° + 90°; the title line is believed",
                stacklevel=3,
            )
        return title

    @property
    def target_ctf(self) -> CtfTable | None:
        """Target defocus of the tilts, unchecked; ``None`` where none is recorded."""
        if self.defocus_um is None or not self.defocus_um.any():
            return None
        places = [f"[ZValue = {section}]" for section in self.sections]
        written = -self.defocus_um
        table = make_table(self.path, DefocusUnit.MICROMETRE, places, written, written, sign=-1)
        return replace(table, tilt_angles=-self.stage_angles, is_target=True, voltage_kV=self.voltage_kV)

    @cached_property
    def geometry(self) -> TiltGeometry:
        """Geometry of the tilts; a tilt axis that is not recorded is taken to be along y.

        Raises
        ------
        InputError
            If the pixel size is not recorded, or the angles cannot be used.
        """
        if self.pixel_size_A is None:
            raise InputError(f"mdoc {self.path} has no PixelSpacing; give the pixel size in Å")
        return TiltGeometry(
            -self.stage_angles,
            self.pixel_size_A,
            tilt_axis_angle_deg=self.tilt_axis_angle() or 0.0,
            exposure_e_per_A2=self.exposure_e_per_A2,
            acquisition_order=self.acquisition_order,
            left_out_exposure_e_per_A2=add_earlier_exposure(None, self.earlier_exposure_e_per_A2, len(self)),
        )


def read_mdoc(path: Path, *, pixel_size_A: float | None = None) -> Mdoc:
    """Read an `.mdoc` file.

    Parameters
    ----------
    path
        File to read.
    pixel_size_A
        Edge of a pixel in Å, in place of the file's ``PixelSpacing``.

    Returns
    -------
    mdoc
        Tilts sorted by angle.

    Raises
    ------
    InputError
        If the file is absent, has no sections of a stack, is of a montage, a section has no angle, a value is not a
        number, or a key that is read stands twice in a section.
    """
    parsed = parse_sections(path, read_text(path, "mdoc"))
    stage = parsed.column("TiltAngle", needed=True)
    assert stage is not None
    order = np.argsort(-stage, kind="stable")
    rank = _rank_in_time(parsed)
    exposure = _exposures(parsed, rank)
    before = parsed.column("PriorRecordDose")
    defocus, rotation = parsed.column("TargetDefocus"), parsed.column("RotationAngle")
    names = [file_name(section.get("SubFramePath", "")) for section in parsed.sections]
    if rank is not None:
        rank = rank[order]
    title_axis = parsed.title_axis
    rotation_angle = None if rotation is None else float(np.median(rotation))
    if title_axis is None and parsed.thermo_axis is not None:
        title_axis, rotation_angle = _interpret_thermo_axis(path, parsed.thermo_axis, rotation_angle), None
    return Mdoc(
        path,
        stage[order],
        tuple(parsed.numbers[tilt] for tilt in order),
        title_axis,
        rotation_angle,
        _pixel_size(parsed) if pixel_size_A is None else pixel_size_A,
        None if exposure is None else exposure[order],
        rank,
        None if defocus is None else -defocus[order],
        tuple(names[tilt] for tilt in order),
        _statistics(parsed, order),
        file_name(parsed.common.get("ImageFile", "")) or None,
        0.0 if before is None else max(float(before.min()), 0.0),
        parsed.thermo_axis is not None,
        _voltage(parsed),
    )


def write_mdoc(
    path: Path,
    geometry: TiltGeometry,
    stack: str,
    tilt_shape: tuple[int, int],
    voltage_kV: float | None = None,
    ctf: SeriesCtf | None = None,
    frames: Sequence[str] = (),
    recorded: bool = False,
) -> None:
    """Write the `.mdoc` of a stack whose tilts are in the order of the geometry.

    Sections have a ``DateTime``, by which Warp, RELION 5 and AreTomo3 order the tilts: a minute apart in the order of
    acquisition. Where it is not known, synthetic tilts have that of the stack, and recorded ones no time.

    Parameters
    ----------
    path
        File to write, by custom the stack's name and ``.mdoc``; replaced whole.
    geometry
        Geometry of the series. An `.mdoc` holds the nominal axis, here the median of the tilts, and no shifts.
    stack
        File name of the stack.
    tilt_shape
        Rows and columns of a tilt.
    voltage_kV
        Voltage of the microscope in kV, if known.
    ctf
        Contrast transfer of the tilts, if known, of which the file has the mean defocus alone.
    frames
        ``(tilt,)`` file name of each tilt's movie or image, if there are any.
    recorded
        True for a recorded series, False for a synthetic one.
    """
    rows, columns = tilt_shape
    axis = float(np.median(geometry.tilt_axis_angles))
    lines = [
        f"PixelSpacing = {geometry.pixel_size_A:g}",
        *(() if voltage_kV is None else (f"Voltage = {voltage_kV:g}",)),
        f"ImageFile = {stack}",
        f"ImageSize = {columns} {rows}",
        "DataMode = 2",
        "",
        f"[T = faket_dask: {'recorded' if recorded else 'synthetic'} tilt-series]",
        "",
        f"[T =     Tilt axis angle = {axis:zg}, binning = 1  spot = 1  camera = 0]",
        "",
    ]
    before = geometry.exposure_before_e_per_A2
    order = geometry.acquisition_order
    if order is None and not recorded:
        order = np.arange(len(geometry))
    for tilt, angle in enumerate(geometry.stage_angles):
        lines += [
            f"[ZValue = {tilt}]",
            f"TiltAngle = {angle:z.4f}",
            f"RotationAngle = {_wrap(axis + 90):zg}",
        ]
        lines.append(f"PixelSpacing = {geometry.pixel_size_A:g}")
        if geometry.exposure_e_per_A2 is not None:
            lines.append(f"ExposureDose = {geometry.exposure_e_per_A2[tilt]:.6g}")
        if before is not None:
            lines.append(f"PriorRecordDose = {before[tilt]:.6g}")
        if ctf is not None:
            lines.append(f"TargetDefocus = {-ctf.defocus[tilt].mean_um:z.6g}")
        if frames:
            lines.append(f"SubFramePath = {frames[tilt]}")
        if order is not None:
            when = _EPOCH + datetime.timedelta(seconds=_SECONDS_PER_TILT * int(order[tilt]))
            lines.append(f"DateTime = {when.day:02d}-{_MONTHS[when.month - 1]}-{when:%y  %H:%M:%S}")
        lines.append("")
    write_text(path, "\n".join(lines))


def _interpret_thermo_axis(path: Path, stated: float, rotation: float | None) -> float:
    """Return the tilt-axis angle of an `.mdoc` of Thermo Fisher's Tomography, as IMOD's `header` finds it.

    Its ``TiltAxisAngle`` is −(`RotationAngle` + 90°), and the axis lies at `RotationAngle`; versions that write
    SerialEM's `RotationAngle` − 90°, or the opposite of that, are allowed for.

    Parameters
    ----------
    path
        File, for messages.
    stated
        ``TiltAxisAngle`` in degrees.
    rotation
        `RotationAngle` in degrees, if recorded.
    """
    if rotation is not None:
        for expected, axis in (
            (-(rotation + 90), rotation),
            (rotation - 90, stated),
            (90 - rotation, -stated),
        ):
            if abs(_wrap(stated - expected)) <= _THERMO_TOLERANCE_DEG:
                return _wrap(axis)
    reason = "no RotationAngle" if rotation is None else f"a RotationAngle of {rotation:g}° that does not fit"
    warnings.warn(
        f"mdoc {path} has a TiltAxisAngle of {stated:g}°, which Thermo Fisher's Tomography often writes wrong, and "
        f"{reason}; the tilt axis is taken to be {stated:g}°: check it, and write it as "
        "`Tilt axis angle = …` there",
        stacklevel=3,
    )
    return stated


def _wrap(angle_deg: float) -> float:
    """Bring an angle to (-180, 180]."""
    return round(-((180 - angle_deg) % 360 - 180), 6)


def _pixel_size(parsed: MdocSections) -> float | None:
    """Return `PixelSpacing` of the sections, or else of the whole file."""
    spacings = [
        parse_number(parsed.path, f"section {number}, PixelSpacing", section["PixelSpacing"])
        for number, section in zip(parsed.numbers, parsed.sections, strict=True)
        if "PixelSpacing" in section
    ]
    common = parsed.common.get("PixelSpacing")
    stated = None if common is None else parse_number(parsed.path, "PixelSpacing", common)
    if not spacings:
        return stated if stated is not None and stated > 0 else None
    if min(spacings) <= 0:
        return None
    if not edges_agree(spacings):
        raise InputError(
            f"mdoc {parsed.path} has sections of different pixel sizes, {min(spacings):g} and {max(spacings):g} Å; "
            "leave out the images of another magnification"
        )
    if stated is not None and not edges_agree([spacings[0], stated if stated > 0 else spacings[0]]):
        warnings.warn(
            f"mdoc {parsed.path} has a PixelSpacing of {stated:g} Å in its head and {spacings[0]:g} Å in its sections; "
            "that of the sections is believed",
            stacklevel=4,
        )
    return spacings[0]


def _voltage(parsed: MdocSections) -> float | None:
    """Return the voltage in the head, or else that which all sections have; 0 is not known."""
    text = parsed.common.get("Voltage")
    if text is not None:
        voltage = parse_number(parsed.path, "Voltage", text)
        return voltage if voltage > 0 else None
    values = parsed.column("Voltage")
    return float(values[0]) if values is not None and (values == values[0]).all() and values[0] > 0 else None


def _exposures(parsed: MdocSections, rank: NDArray[np.int64] | None) -> NDArray[np.float64] | None:
    """Return the exposures of the sections; 0 stands for an exposure that SerialEM does not know."""
    exposure = parsed.column("ExposureDose")
    if exposure is not None:
        if (exposure < 0).any():
            number = parsed.numbers[int(np.argmin(exposure))]
            raise InputError(
                f"mdoc {parsed.path}: section [ZValue = {number}] has the negative exposure {exposure.min():g} e/Å²; "
                "correct its ExposureDose"
            )
        if exposure.all():
            return exposure
        if exposure.any():
            number = parsed.numbers[int(np.argmin(exposure))]
            warnings.warn(
                f"mdoc {parsed.path}: section [ZValue = {number}] has an ExposureDose of 0, which is how SerialEM says "
                "that it does not know; no ExposureDose of the file is used",
                stacklevel=4,
            )
    before = parsed.column("PriorRecordDose")
    if rank is None or before is None or rank.size < 2 or np.unique(before).size < before.size:
        return None
    steps = np.diff(np.sort(before))  # the last tilt in time, which nothing follows, is given their median
    return np.append(steps, np.median(steps))[rank]


def _rank_in_time(parsed: MdocSections) -> NDArray[np.int64] | None:
    """Rank the sections in time, by the exposure before them, or else by their time."""
    before = parsed.column("PriorRecordDose")
    by_dose = (
        None if before is None or np.unique(before).size < before.size else np.argsort(np.argsort(before))
    )
    times = _times(parsed)
    by_time = None if times is None or np.unique(times).size < times.size else np.argsort(np.argsort(times))
    if by_dose is None:
        return by_time
    if by_time is not None and not np.array_equal(by_dose, by_time):
        number = parsed.numbers[int(np.argmax(by_dose != by_time))]
        warnings.warn(
            f"mdoc {parsed.path} has one order of acquisition by PriorRecordDose and another by DateTime (first at "
            f"section [ZValue = {number}]); PriorRecordDose is believed",
            stacklevel=4,
        )
    return by_dose


def _times(parsed: MdocSections) -> NDArray[np.float64] | None:
    """Return the times of the sections in seconds, ``None`` where not all are known."""
    stamps = [section.get("TimeStamp", "") for section in parsed.sections]
    if all(stamp.isdecimal() for stamp in stamps):
        return np.array([int(stamp) for stamp in stamps], dtype=np.float64)
    times = [_parse_time(section.get("DateTime", "")) for section in parsed.sections]
    return None if any(time is None for time in times) else np.array(times, dtype=np.float64)


def _parse_time(text: str) -> float | None:
    match = _DATE_TIME.fullmatch(text.strip())
    if match is None or match.group(2).title() not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(match.group(n)) for n in (1, 3, 4, 5, 6))
    month = _MONTHS.index(match.group(2).title()) + 1
    try:
        time = datetime.datetime(year + (2000 if year < 100 else 0), month, day, hour, minute, second)
    except ValueError:
        return None
    return (time - _EPOCH).total_seconds()


def _statistics(parsed: MdocSections, order: NDArray[np.intp]) -> NDArray[np.float64] | None:
    rows = []
    for section in parsed.sections:
        try:
            row = [float(word) for word in section.get("MinMaxMean", "").split()]
        except ValueError:
            return None
        if len(row) != 3 or not np.isfinite(row).all():
            return None
        rows.append(row)
    return np.array(rows)[order]
