"""Extended headers of MRC files, as far as they say the tilt angle of each section, or that it is a piece of a montage.

Programs that sort or cut stacks (IMOD's newstack) carry them along with the images, so they tell more surely than a
text file which image has which angle. Three layouts are in use, each described in IMOD's ``mrc_format.txt``:

- SerialEM's (`SERI`): `nint` bytes a section, 16-bit numbers, whose kinds `nreal` lists as bits; bit 0 is the tilt
  angle in hundredths of a degree, bit 1 three coordinates of a piece of a montage.
- Agard's (`AGAR`, and the Tecnai's files before 2014): `nint` integers and `nreal` floats a section; the first float is
  the tilt angle in degrees.
- Thermo Fisher's (`FEI1`, `FEI2`): a record a section that begins with its size; alpha tilt at byte 100, if bit 7 of
  the mask at byte 8 is set; the opposite of the tilt-axis angle at byte 140, if bit 12 is. (Version 4.4.0.4981
  multiplied angles by 180 / π.)

Angles have the sign of the stage, which is that of SerialEM and IMOD.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.tilt_angles import find_impossible_angles

SERI_BYTES = (2, 6, 4, 2, 2, 4, 2, 4, 2, 4, 2)
"""Bytes of each kind of number that SerialEM stores, by bit."""

_TILT, _PIECE = 1, 2
_FEI_TYPES = (b"FEI1", b"FEI2")
_FEI_ALPHA, _FEI_ALPHA_BIT = 100, 1 << 7
_FEI_AXIS, _FEI_AXIS_BIT = 140, 1 << 12
_FEI_WRONG_SCALE = b"4.4.0.4981"
_FEI_SIZES = range(_FEI_ALPHA + 8, 2**16)
_DELTAVISION = -16224


@dataclass(frozen=True)
class ExtendedHeader:
    """Facts about sections from an extended header.

    Parameters
    ----------
    tilt_angles
        ``(section,)`` degrees with the stage's sign; ``None`` where they are not recorded.
    montage
        True if several sections are pieces of one image.
    tilt_axis_angle_deg
        Tilt-axis angle in degrees from y; ``None`` where it is not recorded.
    """

    tilt_angles: tuple[float, ...] | None = None
    montage: bool = False
    tilt_axis_angle_deg: float | None = None


NOTHING_RECORDED = ExtendedHeader()
"""Facts from a file without an extended header: none."""


def bytes_needed(sections: int) -> int:
    """Return the most bytes of an extended header that `parse_extended_header` looks at."""
    return 1024 * (sections + 1)


def parse_extended_header(
    raw: bytes, *, kind: bytes, nint: int, nreal: int, creator: int, order: str, sections: int
) -> ExtendedHeader:
    """Read the angles of sections from an extended header; one that makes no sense says nothing.

    Parameters
    ----------
    raw
        Extended header, or its first `bytes_needed`.
    kind
        Field ``exttyp``.
    nint, nreal
        16-bit numbers at bytes 128 and 130 of the header.
    creator
        16-bit number at byte 96 of the header.
    order
        Byte order, ``"<"`` or ``">"``.
    sections
        Number of sections.

    Examples
    --------
    >>> raw = np.array([-6000, 0, 6000], "<i2").tobytes()
    >>> parse_extended_header(raw, kind=b"SERI", nint=2, nreal=1, creator=0, order="<", sections=3).tilt_angles
    (-60.0, 0.0, 60.0)
    """
    if creator == _DELTAVISION:
        return NOTHING_RECORDED
    if kind in _FEI_TYPES:
        return ExtendedHeader(
            _usable(_fei_angles(raw, order, sections)), tilt_axis_angle_deg=_fei_axis(raw, order)
        )
    if kind != b"AGAR" and _is_serialem(nint, nreal):
        return _parse_serialem(raw, nint, nreal, order, sections)
    plain = not kind.strip(b"\0 ") or kind == b"AGAR"
    if plain and nint >= 0 and nreal > 0 and len(raw) >= 4 * (nint + nreal) * sections:
        words = np.frombuffer(raw, f"{order}f4", count=(nint + nreal) * sections)
        return ExtendedHeader(_usable(words.reshape(sections, -1)[:, nint].astype(np.float64)))
    return NOTHING_RECORDED


def _is_serialem(nint: int, nreal: int) -> bool:
    """True if the bytes of all kinds of numbers add up to those of a section, by which IMOD recognises the layout."""
    kinds = [size for bit, size in enumerate(SERI_BYTES) if nreal >> bit & 1]
    return 0 < nreal < 1 << len(SERI_BYTES) and sum(kinds) == nint


def _parse_serialem(raw: bytes, nint: int, nreal: int, order: str, sections: int) -> ExtendedHeader:
    if len(raw) < nint * sections:
        return NOTHING_RECORDED
    words = np.frombuffer(raw, f"{order}i2", count=nint // 2 * sections).reshape(sections, -1)
    angles = _usable(words[:, 0] / 100) if nreal & _TILT else None
    montage = False
    if nreal & _PIECE:
        first = 1 if nreal & _TILT else 0
        _, counts = np.unique(words[:, first + 2], return_counts=True)
        montage = bool(np.ptp(words[:, first : first + 2], axis=0).any()) and counts.max() > 1
    return ExtendedHeader(angles, montage)


def _fei_angles(raw: bytes, order: str, sections: int) -> NDArray[np.float64]:
    angles = np.full(sections, np.nan)
    start = 0
    for section in range(sections):
        if start + _FEI_ALPHA + 8 > len(raw):
            break
        size, mask = (int(np.frombuffer(raw, f"{order}u4", 1, start + at)[0]) for at in (0, 8))
        if size not in _FEI_SIZES or not mask & _FEI_ALPHA_BIT:
            break
        angles[section] = np.frombuffer(raw, f"{order}f8", 1, start + _FEI_ALPHA)[0]
        start += size
    return angles * _fei_scale(raw)


def _fei_axis(raw: bytes, order: str) -> float | None:
    """Return the tilt-axis angle of the first section, with the sign that IMOD's `header` gives it."""
    if len(raw) < _FEI_AXIS + 8:
        return None
    size, mask = (int(np.frombuffer(raw, f"{order}u4", 1, at)[0]) for at in (0, 8))
    if size not in _FEI_SIZES or size < _FEI_AXIS + 8 or not mask & _FEI_AXIS_BIT:
        return None
    axis = float(np.frombuffer(raw, f"{order}f8", 1, _FEI_AXIS)[0]) * _fei_scale(raw)
    if not abs(axis) <= 360:  # NaN too
        return None
    return round(180 - (180 + axis) % 360, 6)  # from above -180 to 180


def _fei_scale(raw: bytes) -> float:
    return np.pi / 180 if raw[68:78] == _FEI_WRONG_SCALE else 1.0


def _usable(angles: NDArray[np.float64]) -> tuple[float, ...] | None:
    """Return angles, or ``None`` where they cannot be those of tilts: unknown, out of range, or twice the same."""
    if find_impossible_angles(angles).any() or np.unique(angles.round(2)).size < angles.size:
        return None
    return tuple(float(angle) for angle in angles)
