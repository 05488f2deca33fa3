"""Command files for IMOD's program `tilt`, which reconstructs a series, and running it.

`tilt` takes `TiltGeometry.stage_angles`. Its output is stored ``(y, z, x)`` with z upside down: `trimvol -rx`
turns it. Its axis lies in the middle of the images and half a voxel below the middle ``N // 2`` of the output;
``OFFSET`` and ``SHIFT`` move it such that the turned volume lies on ours. This follows from IMOD's documentation
and source; it has not been run against IMOD.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from faket_dask.atomic import write_text
from faket_dask.errors import InputError
from faket_dask.formats.command_file import read_options
from faket_dask.formats.imod import write_angles
from faket_dask.geometry import TiltGeometry


def write_tilt_com(
    folder: Path,
    name: str,
    geometry: TiltGeometry,
    tilt_shape: tuple[int, int],
    depth: int,
    radial: tuple[float, float] = (0.35, 0.035),
    stack: str | None = None,
) -> Path:
    """Write ``tilt.com``, ``<name>.tlt`` and ``<name>.xtilt`` for the aligned stack of a folder.

    ``<name>.xtilt`` holds the tilts about x, all 0: eTomo always writes it, and programs that read its folders want it.

    Parameters
    ----------
    folder
        Folder of the stack.
    name
        Name of the stack, without ``.mrc``; the reconstruction is called ``<name>_full_rec.mrc``.
    geometry
        Geometry of an aligned series: no tilt-axis angle, no shifts.
    tilt_shape
        Rows and columns of a tilt.
    depth
        Layers of the reconstruction.
    radial
        Frequency (cycles per pixel) at which the ramp's low pass begins, and its standard deviation.
    stack
        File of the aligned stack; ``<name>.mrc`` if not given.

    Returns
    -------
    path
        Path of ``tilt.com``.

    Raises
    ------
    InputError
        If the series is not aligned.
    """
    if not geometry.is_aligned:
        raise InputError(
            f"{name} is not aligned (tilt axis along y, no shifts); IMOD's tilt needs that it is"
        )
    rows, columns = tilt_shape
    even, even_depth = columns % 2 == 0, depth % 2 == 0
    write_angles(folder / f"{name}.tlt", geometry.stage_angles)
    write_angles(folder / f"{name}.xtilt", np.zeros(len(geometry)))
    lines = [
        "# Reconstruct with: submfg tilt.com; then: trimvol -rx",
        "$setenv IMOD_OUTPUT_FORMAT MRC",
        "$tilt -StandardInput",
        f"InputProjections {stack or name + '.mrc'}",
        f"OutputFile {name}_full_rec.mrc",
        "IMAGEBINNED 1",
        f"TILTFILE {name}.tlt",
        f"XTILTFILE {name}.xtilt",
        f"THICKNESS {depth}",
        f"RADIAL {radial[0]:g} {radial[1]:g}",
        "FalloffIsTrueSigma 1",
        "XAXISTILT 0.0",
        "SCALE 0.0 250.0",
        "PERPENDICULAR",
        "MODE 2",
        f"FULLIMAGE {columns} {rows}",
        "SUBSETSTART 0 0",
        "AdjustOrigin",
        "ActionIfGPUFails 1,2",
        "OFFSET 0.0 0.5" if even else "OFFSET 0.0",
        f"SHIFT {0.0 if even else 0.5} {-0.5 if even_depth else 0.5}",
        "$if (-e ./savework) ./savework",
    ]
    path = folder / "tilt.com"
    write_text(path, "\n".join(lines) + "\n")
    return path


def read_tilt_com(path: Path) -> Mapping[str, tuple[str, ...]]:
    """Read the options of a command file for `tilt`; see `faket_dask.formats.command_file.read_options`."""
    return read_options(path, "tilt")


def check_imod() -> None:
    """Refuse to go on without IMOD's programs.

    Raises
    ------
    InputError
        If IMOD is not on the PATH.
    """
    for program in ("submfg", "trimvol"):
        _find_program(program)


def run_tilt(command_file: Path) -> None:
    """Run IMOD's `submfg` on a command file, in its folder.

    Raises
    ------
    InputError
        If IMOD is not on the PATH, or it fails; its last line is quoted.
    """
    _run("submfg", [command_file.name], command_file.parent, f"tilt failed on {command_file}")


def turn_reconstruction(source: Path, target: Path) -> None:
    """Turn a reconstruction by `tilt`, stored ``(y, z, x)``, to ``(z, y, x)`` of our handedness: `trimvol -rx`.

    Parameters
    ----------
    source
        File ``<name>_full_rec.mrc``.
    target
        File to write.

    Raises
    ------
    InputError
        If IMOD is not on the PATH, or it fails; its last line is quoted.
    """
    words = ["-rx", source.name, str(target.absolute())]
    _run("trimvol", words, source.parent, f"trimvol failed on {source}")


def _find_program(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise InputError(f"IMOD is not on the PATH (no {program}): load it, or reconstruct without it")
    return path


def _run(program: str, words: Sequence[str], folder: Path, failed: str) -> None:
    done = subprocess.run(
        [_find_program(program), *words], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise InputError(f"IMOD's {failed}: {' '.join(said) or done.returncode}")


def write_newst_com(folder: Path, name: str, aligned: str) -> Path:
    """Write ``newst.com``, by which IMOD makes the aligned stack of ``<name>.mrc`` and ``<name>.xf``.

    Parameters
    ----------
    folder
        Folder of the stack.
    name
        Name of the stack, without ``.mrc``.
    aligned
        File of the aligned stack.

    Returns
    -------
    path
        Path of ``newst.com``.
    """
    lines = [
        "# Align with: submfg newst.com",
        "$newstack -StandardInput",
        f"InputFile {name}.mrc",
        f"OutputFile {aligned}",
        f"TransformFile {name}.xf",
        "TaperAtFill 1,0",
    ]
    path = folder / "newst.com"
    write_text(path, "\n".join(lines) + "\n")
    return path
