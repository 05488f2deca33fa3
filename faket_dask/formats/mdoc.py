"""Metadata files of SerialEM, `.mdoc`: one section of ``key = value`` lines for each tilt.

SerialEM's tilt angle is `TiltGeometry.stage_angles`; sections come in the order of the stack.

The package `mdocfile` reads these files, too; this reader is our own because its errors name the section and the key
that is wrong. The tests compare the two.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.atomic import write_text
from faket_dask.errors import InputError
from faket_dask.formats.files import read_text
from faket_dask.geometry import TiltGeometry

_SECTION = re.compile(r"\[\s*ZValue\s*=\s*(\d{1,9})\s*\]")
_AXIS = re.compile(r"Tilt axis (?:angle|rotation)\s*=\s*([-+0-9.eE]+)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime.datetime(2000, 1, 1)
_SECONDS_PER_TILT = 60


@dataclass(frozen=True, eq=False)
class Mdoc:
    """Tilts of a recorded series, as an `.mdoc` describes them.

    Parameters
    ----------
    geometry
        Tilts in the order of increasing angle.
    sections
        ``(tilt,)`` section of the stack that each tilt is, from 0.
    defocus_um
        ``(tilt,)`` target defocus in µm, underfocus positive, if recorded.
    frames
        ``(tilt,)`` file names of the movies, empty where not recorded.
    """

    geometry: TiltGeometry
    sections: tuple[int, ...]
    defocus_um: NDArray[np.float64] | None
    frames: tuple[str, ...]


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
        Tilts sorted by angle, with this project's sign.

    Raises
    ------
    InputError
        If the file is absent, has no sections, a section has no angle, a value is not a number, the pixel size is
        missing, or the angles cannot be used.
    """
    common: dict[str, str] = {}
    sections: list[dict[str, str]] = []
    numbers: list[int] = []
    axis: float | None = None
    current = common
    for line, text in enumerate(read_text(path, "mdoc").splitlines(), start=1):
        start = _SECTION.match(text.strip())
        if start:
            current = {}
            sections.append(current)
            numbers.append(int(start.group(1)))
        elif text.lstrip().startswith("["):
            match = _AXIS.search(text)
            axis = _number(path, f"line {line}", match.group(1)) if match else axis
        elif "=" in text:
            key, _, value = text.partition("=")
            current[key.strip()] = value.strip()
    if not sections:
        raise InputError(f"mdoc {path} has no sections ([ZValue = …]); name the mdoc of a tilt-series")
    if len(set(numbers)) < len(numbers):
        raise InputError(f"mdoc {path} has a section for the second time; every ZValue must be there once")

    def column(key: str) -> NDArray[np.float64] | None:
        present = [key in section for section in sections]
        if not any(present):
            return None
        if not all(present):
            raise InputError(f"mdoc {path}: section {numbers[present.index(False)]} has no {key}")
        where = [f"section {number}, {key}" for number in numbers]
        return np.array([_number(path, w, s[key]) for w, s in zip(where, sections, strict=True)])

    angles = column("TiltAngle")
    if angles is None:
        raise InputError(f"mdoc {path}: section {numbers[0]} has no TiltAngle")
    if pixel_size_A is None:
        spacing = sections[0].get("PixelSpacing", common.get("PixelSpacing"))
        if spacing is None:
            raise InputError(f"mdoc {path} has no PixelSpacing; give the pixel size in Å")
        pixel_size_A = _number(path, "PixelSpacing", spacing)
    order = np.argsort(-angles, kind="stable")
    exposure, before, rotation = column("ExposureDose"), column("PriorRecordDose"), column("RotationAngle")
    rank = None
    if before is not None and np.unique(before).size == before.size:
        rank = np.argsort(np.argsort(before))[order]
    if axis is None:
        axis = 0.0 if rotation is None else float(rotation[0])
    defocus = column("TargetDefocus")
    names = [re.split(r"[\\/]", section.get("SubFramePath", ""))[-1] for section in sections]
    return Mdoc(
        TiltGeometry(
            -angles[order],
            pixel_size_A,
            tilt_axis_angle_deg=axis,
            exposure_e_per_A2=None if exposure is None else exposure[order],
            acquisition_order=rank,
        ),
        tuple(numbers[tilt] for tilt in order),
        None if defocus is None else -defocus[order],
        tuple(names[tilt] for tilt in order),
    )


def write_mdoc(
    path: Path,
    geometry: TiltGeometry,
    stack: str,
    tilt_shape: tuple[int, int],
    voltage_kV: float | None = None,
    defocus_um: NDArray[np.float64] | None = None,
    frames: Sequence[str] = (),
) -> None:
    """Write the `.mdoc` of a stack whose tilts are in the order of the geometry.

    Every section has a ``DateTime``, by which Warp, RELION 5 and AreTomo3 order the tilts: a minute apart in the order
    of acquisition, or in that of the stack where it is not known.

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
    defocus_um
        ``(tilt,)`` defocus in µm, underfocus positive, if known.
    frames
        ``(tilt,)`` file name of each tilt's movie or image, if there are any.
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
        "[T = faket_dask: synthetic tilt-series]",
        "",
        f"[T =     Tilt axis angle = {axis:g}, binning = 1  spot = 1  camera = 0]",
        "",
    ]
    before = geometry.exposure_before_e_per_A2
    order = np.arange(len(geometry)) if geometry.acquisition_order is None else geometry.acquisition_order
    for tilt, angle in enumerate(geometry.stage_angles):
        lines += [f"[ZValue = {tilt}]", f"TiltAngle = {angle:z.4f}", f"RotationAngle = {axis:g}"]
        lines.append(f"PixelSpacing = {geometry.pixel_size_A:g}")
        if geometry.exposure_e_per_A2 is not None:
            lines.append(f"ExposureDose = {geometry.exposure_e_per_A2[tilt]:.6g}")
        if before is not None:
            lines.append(f"PriorRecordDose = {before[tilt]:.6g}")
        if defocus_um is not None:
            lines.append(f"TargetDefocus = {-defocus_um[tilt]:z.6g}")
        if frames:
            lines.append(f"SubFramePath = {frames[tilt]}")
        when = _EPOCH + datetime.timedelta(seconds=_SECONDS_PER_TILT * int(order[tilt]))
        lines.append(f"DateTime = {when.day:02d}-{_MONTHS[when.month - 1]}-{when:%y  %H:%M:%S}")
        lines.append("")
    write_text(path, "\n".join(lines))


def _number(path: Path, where: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise InputError(f"mdoc {path}, {where}: {text[:40]!r} is not a number")
    return value
