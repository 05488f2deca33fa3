"""Text of `.mdoc` files: sections of ``key = value`` lines, of which those of a stack are kept.

Sections of other kinds (``[MontSection = …]``, ``[FrameSet = …]`` and others) may come between or after them; their
keys are not those of a tilt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError

_SECTION = re.compile(r"\[\s*(\w+)\s*=\s*([^\]]*?)\s*\]")
_ZVALUE = re.compile(r"[0-9]{1,9}")
_AXIS = re.compile(r"Tilt axis (?:angle|rotation)\s*=\s*([-+0-9.eE]+)")
_THERMO_AXIS = re.compile(r"TiltAxisAngle\s*=\s*([-+0-9.eE]+)")
_OTHER_KINDS = {
    "FrameSet": "is of the frames of one exposure, not of a tilt-series; combine those of a series (IMOD: "
    "stackframemdocs), or name the mdoc of the series",
    "Image": "is of single TIFF images, not of a stack; write them to a stack (IMOD: newstack), which then has an mdoc",
}


@dataclass
class MdocSections:
    """Sections of a file in its order, as text.

    Parameters
    ----------
    path
        The file.
    common
        Values of keys before the first section.
    sections
        Values of keys of each section of a stack.
    numbers
        ZValue of each section.
    kinds
        Kinds of sections that there are.
    title_axis
        Tilt-axis angle of a title line, in degrees.
    thermo_axis
        ``TiltAxisAngle`` of a title line of Thermo Fisher's Tomography, in degrees, whose meaning depends on
        `RotationAngle`.
    """

    path: Path
    common: dict[str, str] = field(default_factory=dict)
    sections: list[dict[str, str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    title_axis: float | None = None
    thermo_axis: float | None = None

    def _check(self) -> None:
        """Refuse files of other kinds, montages and sections that are there twice."""
        if not self.sections:
            for kind, reason in _OTHER_KINDS.items():
                if kind in self.kinds:
                    raise InputError(f"mdoc {self.path} {reason}")
            raise InputError(
                f"mdoc {self.path} has no sections ([ZValue = …]); name the mdoc of a tilt-series"
            )
        if len(set(self.numbers)) < len(self.numbers):
            repeated = next(number for number in self.numbers if self.numbers.count(number) > 1)
            raise InputError(
                f"mdoc {self.path} has a section for the second time ([ZValue = {repeated}]); every ZValue must be "
                "there once"
            )
        planes = [
            section["PieceCoordinates"].split()[-1:]
            for section in self.sections
            if "PieceCoordinates" in section
        ]
        if len(set(map(tuple, planes))) < len(planes):
            raise InputError(
                f"mdoc {self.path} is of a montage: several sections are pieces of one image (PieceCoordinates); blend "
                "them first (IMOD: blendmont)"
            )

    def column(self, key: str, *, needed: bool = False) -> NDArray[np.float64] | None:
        """Return the numbers of a key in all sections; ``None`` where one that is not needed has none."""
        present = [key in section for section in self.sections]
        if not all(present):
            if needed:
                number = self.numbers[present.index(False)]
                raise InputError(
                    f"mdoc {self.path}: section [ZValue = {number}] has no {key}; add it, or remove the section if the "
                    "stack has no such image"
                )
            return None
        where = [f"section {number}, {key}" for number in self.numbers]
        return np.array(
            [parse_number(self.path, w, s[key]) for w, s in zip(where, self.sections, strict=True)]
        )


_READ_KEYS = frozenset(
    (
        *(
            "TiltAngle",
            "ExposureDose",
            "PriorRecordDose",
            "RotationAngle",
            "TargetDefocus",
            "PixelSpacing",
            "Voltage",
        ),
        *("SubFramePath", "DateTime", "TimeStamp", "PieceCoordinates", "MinMaxMean", "ImageFile"),
    )
)


def parse_sections(path: Path, text: str) -> MdocSections:
    """Parse the text of an `.mdoc`.

    Parameters
    ----------
    path
        File, for messages.
    text
        Its contents.

    Raises
    ------
    InputError
        If the file is of another kind or of a montage, a section has no number or that of another one, or a key that
        is read stands twice in a section with different values.

    Examples
    --------
    >>> text = "[ZValue = 0]\\nTiltAngle = -3.0\\n[MontSection = 0]\\nTiltAngle = 9\\n"
    >>> sections = parse_sections(Path("a.mdoc"), text)
    >>> sections.column("TiltAngle")
    array([-3.])
    """
    parsed = MdocSections(path)
    current, place = parsed.common, "its head"
    for line, content in enumerate(text.splitlines(), start=1):
        stripped = content.strip()
        if stripped.startswith("["):
            match = _SECTION.match(stripped)
            kind = match.group(1) if match else ""
            if kind == "T" or not match:
                if axis := _AXIS.search(stripped):
                    parsed.title_axis = parse_number(path, f"line {line}", axis.group(1))
                if axis := _THERMO_AXIS.search(stripped):
                    parsed.thermo_axis = parse_number(path, f"line {line}", axis.group(1))
                continue
            parsed.kinds.add(kind)
            current, place = {}, f"section [{kind} = {match.group(2)}]"
            if kind == "ZValue":
                if not _ZVALUE.fullmatch(match.group(2)):
                    raise InputError(f"mdoc {path}, line {line}: {stripped[:60]!r} has no number from 0")
                parsed.sections.append(current)
                parsed.numbers.append(int(match.group(2)))
        elif "=" in content:
            key, value = (part.strip() for part in content.split("=", 1))
            if key in _READ_KEYS and current.get(key, value) != value:
                raise InputError(
                    f"mdoc {path}, line {line}: {place} has {key} for the second time, {value[:40]!r} after "
                    f"{current[key][:40]!r}; keep the right one"
                )
            current[key] = value
    parsed._check()
    return parsed


def find_axis_angle(titles: Iterable[str]) -> float | None:
    """Find the tilt-axis angle in the titles that SerialEM writes, into an `.mdoc` and into the header of the stack.

    Examples
    --------
    >>> find_axis_angle(["SerialEM: Krios", "    Tilt axis angle = 85.3, binning = 1  spot = 8  camera = 0"])
    85.3
    """
    for title in titles:
        if match := _AXIS.search(title):
            try:
                return float(match.group(1))
            except ValueError:
                return None
    return None


def parse_number(path: Path, where: str, text: str) -> float:
    """Parse a finite number.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise InputError(f"mdoc {path}, {where}: {text[:40]!r} is not a number")
    return value
