"""Text files of CTFFIND 4 and 5, and AreTomo 2 and 3: one line of numbers for each image of a stack.

Columns, as the files' own heads name them: number of the micrograph, larger and smaller defocus in Å (underfocus
positive), azimuth of the larger one in degrees from x, phase shift in radians, correlation, resolution of the fit, and
further ones that are not read.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from faket_dask.atomic import write_text
from faket_dask.errors import InputError
from faket_dask.formats.ctf_table import MOST_VIEWS, CtfTable, DefocusUnit, make_table
from faket_dask.formats.files import read_text
from faket_dask.geometry.series_ctf import SeriesCtf

_READ_COLUMNS = 5


def read_ctffind(path: Path) -> CtfTable:
    """Read a text file of CTFFIND or AreTomo; its numbers are not checked yet.

    Parameters
    ----------
    path
        File to read.

    Raises
    ------
    InputError
        If the file is absent or empty, or a line does not begin with five numbers.
    """
    rows, lines, head = [], [], ""
    for number, line in enumerate(read_text(path, "CTF file").splitlines(), start=1):
        if line.lstrip().startswith("#"):
            head += line
        elif line.strip():
            try:
                row = [float(word) for word in line.split()[:_READ_COLUMNS]]
            except ValueError:
                row = []
            if len(row) < _READ_COLUMNS or not 0 <= row[0] <= MOST_VIEWS:
                raise InputError(
                    f"CTF file {path}, line {number}: expected the number of a micrograph, two defoci in Å, azimuth "
                    f"and phase shift, found {line.strip()[:60]!r}"
                )
            rows.append(row)
            lines.append(number)
    if not rows:
        raise InputError(f"CTF file {path} has no line of numbers; estimate the CTF anew")
    numbers, u, v, angle, phase = np.array(rows, dtype=np.float64).T
    views = np.rint(numbers).astype(np.int64) + (1 if numbers.min() == 0 else 0)
    if np.unique(views).size < views.size:
        raise InputError(f"CTF file {path} has a micrograph for the second time; keep one line of each")
    places = [f"line {line} (micrograph {number:g})" for line, number in zip(lines, numbers, strict=True)]
    table = make_table(
        path,
        DefocusUnit.ANGSTROM,
        places,
        u,
        v,
        np.nan_to_num(angle, posinf=0, neginf=0),
        np.rad2deg(np.nan_to_num(phase, posinf=0, neginf=0)),
    )
    return replace(
        table,
        views=views,
        voltage_kV=_find_number(head, "acceleration voltage"),
        spherical_aberration_mm=_find_number(head, "spherical aberration"),
        amplitude_contrast=_find_number(head, "amplitude contrast"),
    )


def _find_number(head: str, name: str) -> float | None:
    match = re.search(rf"{name}:\s*([0-9]+\.?[0-9]*)", head)
    return None if match is None else float(match.group(1))


def write_ctffind(path: Path, ctf: SeriesCtf) -> None:
    """Write a text file of AreTomo3's form, which AreTomo3 loads and readers of CTFFIND's take, too.

    Parameters
    ----------
    path
        File to write, for AreTomo3 ``<stack>_CTF.txt``; replaced whole.
    ctf
        Contrast transfer of the tilts, in the order of the stack.

    Notes
    -----
    Correlation and resolution, which a simulation does not have, are written as 1 and 0.
    """
    constants = {
        "acceleration voltage": (ctf.voltage_kV, " keV"),
        "spherical aberration": (ctf.spherical_aberration_mm, " mm"),
        "amplitude contrast": (ctf.amplitude_contrast, ""),
    }
    known = [f"{name}: {value:g}{unit}" for name, (value, unit) in constants.items() if value is not None]
    lines = [f"# {' ; '.join(known)}"] if known else []
    lines += [
        "# Columns: #1 micrograph number; #2 - defocus 1 [A]; #3 - defocus 2; #4 - azimuth of astigmatism; "
        "#5 - additional phase shift [radian];",
        "# #6 - cross correlation; #7 - spacing (in Angstroms) up to which CTF rings were fit successfully",
    ]
    for number, defocus in enumerate(ctf.order_axes().defocus, start=1):
        lines.append(
            f"{number:4d}   {1e4 * defocus.along_um:8.2f}  {1e4 * defocus.across_um:8.2f}  "
            f"{defocus.astigmatism_angle:8.2f}  {np.deg2rad(defocus.phase_shift):9.4f}  {1:8.4f}  {0:8.4f}"
        )
    write_text(path, "\n".join(lines) + "\n")
