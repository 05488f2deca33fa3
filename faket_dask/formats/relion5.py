"""Read RELION-5 tomography projects: STAR files of tomograms, tilt-series and particles.

RELION (Burt et al., FEBS Open Bio 14, 2024) projects a point of the tomogram, from its centre, by
``Rz(ZRot) Ry(YTilt) Rx(XTilt)`` and a shift in the image, all right-handed: its tilt angle is
`TiltGeometry.stage_angles`, its in-plane angle ours. Both centres are ``N // 2`` of image and tomogram, but
particles are given from ``N / 2``, which differs where a size is odd. The particle angles are those of RELION's
matrix from particle to tomogram, ``(Rz(Rot) Ry(Tilt) Rz(Psi))⁻¹``. Tables of RELION 3 and 4 are refused: their
particles are in pixels, and their tomograms hold projection matrices.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faket_dask.errors import InputError
from faket_dask.formats.ctf_table import CtfTable, DefocusUnit, make_table
from faket_dask.formats.files import find_upwards
from faket_dask.formats.particle_list import ParticleList, rotation_matrices
from faket_dask.formats.star import StarTable, read_star
from faket_dask.formats.tilt_list import FindLeftOut, TiltList, keep_all
from faket_dask.geometry import TiltGeometry
from faket_dask.geometry.series_ctf import SeriesCtf

AXES = ("X", "Y", "Z")
ANGLES = ("Rot", "Tilt", "Psi")
SCORES = ("rlnAutopickFigureOfMerit", "rlnLCCmax")
"""Columns with the scores of particles: RELION's and Warp's, and that of pytom-match-pick."""

_CENTRED = "rlnCenteredCoordinate{}Angst"
_LARGEST_X_TILT_DEG = 0.1
_DEFORMATIONS = "rlnTomoDeformation"


@dataclass(frozen=True)
class RelionOptics:
    """Constants of the microscope: voltage in kV, spherical aberration in mm, amplitude contrast."""

    voltage_kV: float
    spherical_aberration_mm: float
    amplitude_contrast: float


@dataclass(frozen=True, eq=False)
class RelionTomogram:
    """One row of the table of tomograms, with its tilt-series.

    Parameters
    ----------
    name
        Name of the tomogram.
    geometry
        Geometry of the tilts, in the order of increasing angle.
    optics
        Constants of the microscope.
    stacks
        ``(tilt,)`` path of the image file of each tilt, relative to the project.
    sections
        ``(tilt,)`` section of that file, from 0.
    shape
        Size ``(z, y, x)`` of the tomogram in pixels of the tilt-series.
    ctf
        Contrast transfer of the tilts; ``None`` where the images carry none, or it is not known.
    volume
        Path of the reconstructed tomogram, relative to the project, if there is one.
    binning
        Pixels of the tilt-series per voxel of that tomogram.
    recorded
        All tilts of the tilt-series' table, numbered by their sections where they are in one stack.
    rows
        ``(tilt,)`` position of each tilt in `recorded`.
    has_deformations
        True if RELION has fitted deformations of the images, which are not read.
    """

    name: str
    geometry: TiltGeometry
    optics: RelionOptics
    stacks: tuple[str, ...]
    sections: tuple[int, ...]
    shape: tuple[int, int, int]
    ctf: SeriesCtf | None = None
    volume: str | None = None
    binning: float = 1.0
    recorded: TiltList | None = None
    rows: NDArray[np.intp] | None = None
    has_deformations: bool = False

    @property
    def pixel_size_A(self) -> float:
        """Pixel size of the tilt-series in Å."""
        return self.geometry.pixel_size_A


class TomogramFrame(Protocol):
    """Size of a tomogram, from whose centre particles are counted."""

    @property
    def name(self) -> str:
        """Name of the tomogram."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size ``(z, y, x)`` in pixels of the tilt-series, 0 where it is not known."""
        ...

    @property
    def pixel_size_A(self) -> float:
        """Pixel size of the tilt-series in Å."""
        ...


@dataclass(frozen=True)
class TomogramSize:
    """Row of the table of tomograms without its tilt-series; fields as in `TomogramFrame`."""

    name: str
    shape: tuple[int, int, int]
    pixel_size_A: float


def read_tomogram_sizes(path: Path) -> list[TomogramSize]:
    """Read the sizes in a table of tomograms, without the tilt-series that it names.

    Parameters
    ----------
    path
        STAR file with a block ``data_global``.

    Raises
    ------
    InputError
        If the file is absent or damaged, or a column is missing or does not hold numbers.
    """
    table = _read_global(path)
    pixel_sizes, sizes = table.numbers("rlnTomoTiltSeriesPixelSize"), _sizes(table)
    return [
        TomogramSize(name, sizes[row], float(pixel_sizes[row]))
        for row, name in enumerate(table.text("rlnTomoName"))
    ]


def read_tomogram_names(path: Path) -> list[str]:
    """Read the names in a table of tomograms or tilt-series.

    Parameters
    ----------
    path
        STAR file with a block ``data_global``.

    Raises
    ------
    InputError
        If the file is absent or damaged, or the column is missing.
    """
    return list(_read_global(path).text("rlnTomoName"))


def read_tomograms(
    path: Path,
    only: str | None = None,
    find_left_out: FindLeftOut = keep_all,
    *,
    read_ctf: bool = True,
) -> list[RelionTomogram]:
    """Read a table of tomograms (or of tilt-series) and the tilt-series that it names.

    Parameters
    ----------
    path
        STAR file with a block ``data_global``. The files that it names are looked for from its folder and, as
        RELION's own paths are, from the folders above.
    only
        Name of the one tomogram to read; all by default.
    find_left_out
        Function of all tilts of a tilt-series that returns which of them are left out.
    read_ctf
        False to leave the contrast transfer out, and unchecked.

    Raises
    ------
    InputError
        If a file is absent or damaged, a column is missing or does not hold numbers, or the angles or the defocus
        cannot be used.
    """
    table = _read_global(path)
    _check_version(table)
    columns = {
        label: table.numbers(label)
        for label in ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")
    }
    pixel_sizes = table.numbers("rlnTomoTiltSeriesPixelSize")
    sizes = _sizes(table)
    binnings = table.numbers("rlnTomoTomogramBinning", 1)
    volumes = table.columns.get("rlnTomoReconstructedTomogram", (None,) * len(table))
    tomograms = []
    for row, name in enumerate(table.text("rlnTomoName")):
        if only not in (None, name):
            continue
        series = find_upwards(path, table.text("rlnTomoTiltSeriesStarFile")[row])
        tilts = next(iter(read_star(series).values()))
        every = [_image(tilts, name) for name in tilts.text("rlnMicrographName")]
        recorded = _list_tilts(tilts, every)
        order = recorded.choose(find_left_out(recorded))
        images = [every[tilt] for tilt in order]
        optics = RelionOptics(*(float(values[row]) for values in columns.values()))
        ctf = _ctf_table(tilts, optics) if read_ctf else None
        tomograms.append(
            RelionTomogram(
                name=name,
                geometry=_geometry(tilts, recorded, float(pixel_sizes[row]), order),
                optics=optics,
                stacks=tuple(stack for stack, _ in images),
                sections=tuple(section for _, section in images),
                shape=sizes[row],
                ctf=None if ctf is None else ctf.to_series(order),
                volume=volumes[row],
                binning=float(binnings[row]),
                recorded=recorded,
                rows=order,
                has_deformations=any(
                    label.startswith(_DEFORMATIONS) for label in (*table.columns, *tilts.columns)
                ),
            )
        )
    return tomograms


def read_ctf_table(path: Path, tomogram: str | None = None) -> CtfTable | None:
    """Read the contrast transfer of all tilts of a tilt-series, unchecked; ``None`` where there is none.

    Parameters
    ----------
    path
        Table of one tilt-series, or with the name of a tomogram, table of tomograms or tilt-series.
    tomogram
        Name of the tomogram.

    Raises
    ------
    InputError
        If the file is absent or damaged, or a column is missing or does not hold numbers.
    """
    blocks = read_star(path)
    if "global" not in blocks:
        return _ctf_table(next(iter(blocks.values())))
    table = blocks["global"]
    names = table.text("rlnTomoName")
    if (tomogram is None and len(names) != 1) or tomogram not in (None, *names):
        raise InputError(
            f"{path} has {len(names)} tomograms; name the table of one tilt-series "
            "(_rlnTomoTiltSeriesStarFile)"
        )
    row = 0 if tomogram is None else names.index(tomogram)
    constants = ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")
    optics = RelionOptics(*(float(table.numbers(label)[row]) for label in constants))
    series = find_upwards(path, table.text("rlnTomoTiltSeriesStarFile")[row])
    return _ctf_table(next(iter(read_star(series).values())), optics)


def read_particles(
    path: Path, tomograms: Sequence[TomogramFrame], class_names: Mapping[int, str] | None = None
) -> dict[str, ParticleList]:
    """Read particles, by the name of their tomogram.

    Parameters
    ----------
    path
        STAR file with a block ``data_particles``.
    tomograms
        Tomograms that the particles lie in.
    class_names
        Name of each ``rlnClassNumber``; ``class<number>`` for any other.

    Raises
    ------
    InputError
        If the file is absent or damaged, a column is missing or does not hold numbers, or a tomogram is not
        among `tomograms` or has no size.
    """
    table = read_particle_table(path)
    names = dict.fromkeys(table.text("rlnTomoName"))
    return {name: select_particles(table, name, tomograms, class_names) for name in names}


def read_particle_table(path: Path) -> StarTable:
    """Read the block ``data_particles`` of a STAR file, or the first one if that has RELION 5's positions.

    Raises
    ------
    InputError
        If the file is absent or damaged, or not a list of particles of RELION 5.
    """
    blocks = read_star(path)
    table = blocks.get("particles", next(iter(blocks.values())))
    centred = _CENTRED.format(AXES[0])
    if "rlnCoordinateX" in table.columns and centred not in table.columns:
        raise InputError(
            f"{path} has particles of RELION 3 or 4, in pixels (_rlnCoordinateX); those of RELION 5 are read "
            f"(_{centred}), as its jobs and its conversion of older projects write them"
        )
    if "particles" not in blocks and centred not in table.columns:
        raise InputError(f"{path} has no block data_particles; name RELION's list of particles")
    return table


def select_particles(
    table: StarTable,
    name: str,
    tomograms: Sequence[TomogramFrame],
    class_names: Mapping[int, str] | None = None,
) -> ParticleList:
    """Return the particles of one tomogram; parameters and errors are those of `read_particles`."""
    tomogram = next((item for item in tomograms if item.name == name), None)
    if tomogram is None or min(tomogram.shape) < 1:
        raise InputError(
            f"{table.path}: particles lie in {name!r}, of which no size is known; give its tomogram"
        )
    rows = np.array(table.text("rlnTomoName"), dtype=np.str_) == name
    centred = np.stack([table.numbers(_CENTRED.format(a)) for a in AXES], axis=1)[rows]
    origins = np.stack([table.numbers(f"rlnOrigin{a}Angst", 0) for a in AXES], axis=1)[rows]
    boxes = _matrices(np.stack([table.numbers(f"rlnTomoSubtomogram{a}", 0) for a in ANGLES], axis=1)[rows])
    angles = np.stack([table.numbers(f"rlnAngle{a}", 0) for a in ANGLES], axis=1)[rows]
    ids = table.whole_numbers("rlnClassNumber", 1)[rows]
    scores = next((table.numbers(label)[rows] for label in SCORES if label in table.columns), None)
    corner = np.array(tomogram.shape[::-1]) / 2 * tomogram.pixel_size_A
    labels = [(class_names or {}).get(int(number), f"class{number}") for number in ids]
    return ParticleList(
        class_name=np.array(labels, dtype=np.str_),
        class_id=ids,
        instance=np.arange(1, ids.size + 1, dtype=np.int64),
        centre_A=centred - np.einsum("nij,nj->ni", boxes, origins) + corner,
        rotation=boxes @ _matrices(angles),
        score=scores,
    )


def _read_global(path: Path) -> StarTable:
    blocks = read_star(path)
    if "global" not in blocks:
        raise InputError(f"{path} has no block data_global; name RELION's table of tomograms or tilt-series")
    return blocks["global"]


def _check_version(table: StarTable) -> None:
    if "rlnTomoTiltSeriesStarFile" not in table.columns and "rlnTomoTiltSeriesName" in table.columns:
        raise InputError(
            f"{table.path} has tomograms of RELION 4, with projection matrices (as in WarpTools' "
            "_matching_tomograms.star); those of RELION 5 are read, which name a STAR file of each tilt-series "
            "(_rlnTomoTiltSeriesStarFile)"
        )


def _sizes(table: StarTable) -> list[tuple[int, int, int]]:
    columns = [table.whole_numbers(f"rlnTomoSize{axis}", 0).tolist() for axis in reversed(AXES)]
    return list(zip(*columns, strict=True))


def _is_aligned(tilts: StarTable) -> bool:
    return "rlnTomoYTilt" in tilts.columns


def _list_tilts(tilts: StarTable, images: Sequence[tuple[str, int]]) -> TiltList:
    """List the tilts of a table by their sections, where all are in one stack, or else by their rows."""
    label = "rlnTomoYTilt" if _is_aligned(tilts) else "rlnTomoNominalStageTiltAngle"
    recorded = TiltList.in_order(tilts.path, tilts.numbers(label), is_stage=True, place="row")
    sections = tuple(section + 1 for _, section in images)
    if len({stack for stack, _ in images}) != 1 or len(set(sections)) < len(sections):
        return recorded
    return replace(recorded, numbers=sections, stack=Path(images[0][0]))


def _geometry(
    tilts: StarTable, recorded: TiltList, pixel_size_A: float, order: NDArray[np.intp]
) -> TiltGeometry:
    x_tilt = np.abs(tilts.numbers("rlnTomoXTilt", 0)).max(initial=0)
    if x_tilt > _LARGEST_X_TILT_DEG:
        warnings.warn(
            f"{tilts.path} has tilts about x of up to {x_tilt:g}°, which are not used", stacklevel=3
        )
    axis = tilts.numbers("rlnTomoZRot" if _is_aligned(tilts) else "rlnTomoNominalTiltAxisAngle", 0)
    shift = np.stack([tilts.numbers(f"rlnTomo{a}ShiftAngst", 0) for a in "XY"], axis=1)
    before = None
    if "rlnMicrographPreExposure" in tilts.columns:
        before = tilts.numbers("rlnMicrographPreExposure")
    geometry, _ = TiltGeometry.from_unsorted(
        recorded.tilt_angles,
        pixel_size_A,
        tilt_axis_angles=axis,
        shift_A=shift,
        exposure_before_e_per_A2=before,
        order=order,
    )
    return geometry


def _ctf_table(tilts: StarTable, optics: RelionOptics | None = None) -> CtfTable | None:
    """Read the contrast transfer of each row; a defocus of 0 in all of them stands for images without a CTF."""
    angles = _list_tilts(tilts, [("", 0)] * len(tilts)).tilt_angles
    places = [f"row {row}" for row in range(1, len(tilts) + 1)]
    if "rlnDefocusU" in tilts.columns:
        u = tilts.numbers("rlnDefocusU")
        v = tilts.numbers("rlnDefocusV") if "rlnDefocusV" in tilts.columns else u
        if not (u.any() or v.any()):
            return None
        angle, phase = tilts.numbers("rlnDefocusAngle", 0), tilts.numbers("rlnPhaseShift", 0)
        table = make_table(tilts.path, DefocusUnit.ANGSTROM, places, u, v, angle, phase)
    elif "rlnTomoNominalDefocus" in tilts.columns:
        target = tilts.numbers("rlnTomoNominalDefocus")
        if not target.any():
            return None
        table = make_table(tilts.path, DefocusUnit.MICROMETRE, places, target, target, sign=-1)
        table = replace(table, is_target=True)
    else:
        return None
    table = replace(table, tilt_angles=angles)
    if optics is None:
        return table
    return replace(
        table,
        voltage_kV=optics.voltage_kV,
        spherical_aberration_mm=optics.spherical_aberration_mm,
        amplitude_contrast=optics.amplitude_contrast,
    )


def _image(tilts: StarTable, name: str) -> tuple[str, int]:
    section, at, stack = name.partition("@")
    if not at:
        return name, 0
    if not section.isdecimal() or int(section) < 1:
        raise InputError(f"{tilts.path}: {name!r} is not an image of a stack (number@file)")
    return stack, int(section) - 1


def _matrices(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.swapaxes(rotation_matrices(angles, "ZYZ"), 1, 2)
