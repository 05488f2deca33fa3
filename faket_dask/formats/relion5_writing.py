"""Write RELION-5 tomography projects; the conventions are those of `relion5`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from faket_dask.formats.particle_list import Particles, euler_angles
from faket_dask.formats.relion5 import ANGLES, AXES, SCORES, RelionTomogram
from faket_dask.formats.relion_optics import (
    OpticsGroup,
    ctf_constants,
    group_name,
    number_groups,
    optics_columns,
)
from faket_dask.formats.star import columns_by_label, write_star


@dataclass(frozen=True, eq=False)
class HelicalTracks:
    """Places of particles on filaments.

    Parameters
    ----------
    tube
        ``(n,)`` int64: number of the filament in its tomogram, 0 for a particle of none.
    track_A
        ``(n,)`` float64: distance in Å from the filament's begin along it.
    """

    tube: NDArray[np.int64]
    track_A: NDArray[np.float64]


_UPRIGHT = Rotation.from_euler("y", 90, degrees=True).as_matrix()
"""Rotation whose Euler angles are the priors of helical segments: tilt 90, as RELION's own picks of filaments have
it."""


def write_project(
    folder: Path,
    tomograms: Sequence[RelionTomogram],
    particles: Mapping[str, Particles],
    tracks: Mapping[str, HelicalTracks] | None = None,
) -> None:
    """Write ``tomograms.star``, ``tilt_series/<name>.star``, ``particles.star`` and ``optimisation_set.star``.

    Parameters
    ----------
    folder
        Project to write to; made where it does not exist. The images are written by others.
    tomograms
        Tomograms, of any pixel sizes: each distinct set of pixel size and microscope constants is an optics group.
    particles
        Particles by the name of their tomogram; positions in Å from the centre of the corner voxel.
    tracks
        Places of the same particles on filaments, by the name of their tomogram, where there are any.

    Notes
    -----
    Exposures are written as 0 where they are not known. Images without a CTF get a constant one
    (`relion_optics.ctf_constants`), since RELION requires its columns. Particles have their class id as
    ``rlnClassNumber``, and scores as ``rlnAutopickFigureOfMerit`` where all tables have them; each class is also
    written alone, as ``particles_<class>.star``. There, subunits of filaments have the columns of helical segments, and
    their orientations relative to one in which the filament lies upright.
    """
    (folder / "tilt_series").mkdir(parents=True, exist_ok=True)
    for tomogram in tomograms:
        write_star(folder / "tilt_series" / f"{tomogram.name}.star", {tomogram.name: _tilts(tomogram)})
    numbers = number_groups(OpticsGroup.from_tilts(tomogram) for tomogram in tomograms)
    rows: list[dict[str, object]] = []
    for tomogram in tomograms:
        pixel_size, optics = tomogram.geometry.pixel_size_A, ctf_constants(tomogram)
        row: dict[str, object] = {
            "rlnTomoName": tomogram.name,
            "rlnVoltage": float(optics.voltage_kV),
            "rlnSphericalAberration": float(optics.spherical_aberration_mm),
            "rlnAmplitudeContrast": float(optics.amplitude_contrast),
            "rlnMicrographOriginalPixelSize": pixel_size,
            "rlnTomoHand": -1.0,
            "rlnOpticsGroupName": group_name(numbers[OpticsGroup.from_tilts(tomogram)]),
            "rlnTomoTiltSeriesPixelSize": pixel_size,
            "rlnTomoTiltSeriesStarFile": f"tilt_series/{tomogram.name}.star",
            "rlnTomoTomogramBinning": float(tomogram.binning),
        }
        row |= {f"rlnTomoSize{a}": n for a, n in zip(AXES, reversed(tomogram.shape), strict=True)}
        if all(other.volume is not None for other in tomograms):
            row["rlnTomoReconstructedTomogram"] = tomogram.volume
        rows.append(row)
    write_star(folder / "tomograms.star", {"global": columns_by_label(rows)})
    is_scored = all(table.score is not None for table in particles.values())
    picked = [
        row
        for tomogram in tomograms
        for row in _particles(
            tomogram,
            particles.get(tomogram.name),
            numbers[OpticsGroup.from_tilts(tomogram)],
            (tracks or {}).get(tomogram.name),
            is_scored,
        )
    ]
    table = optics_columns(numbers, ("rlnTomoTiltSeriesPixelSize", "rlnImagePixelSize"))
    table["rlnTomoSubtomogramBinning"] = [1.0] * len(numbers)
    if picked:
        _write_particles(folder / "particles.star", table, [row for _, row, _ in picked])
        for name in dict.fromkeys(name for name, _, _ in picked):
            of_class = [row | helical for other, row, helical in picked if other == name]
            _write_particles(folder / f"particles_{name}.star", table, of_class)
        files = {"rlnTomoParticlesFile": ["particles.star"], "rlnTomoTomogramsFile": ["tomograms.star"]}
        write_star(folder / "optimisation_set.star", {"": files})


def _tilts(tomogram: RelionTomogram) -> dict[str, Sequence[object]]:
    geometry = tomogram.geometry
    tilts = len(geometry)
    before = geometry.exposure_before_e_per_A2
    shift = np.zeros((tilts, 2)) if geometry.shift_A is None else geometry.shift_A
    zeros = [0.0] * tilts
    axis = list(geometry.tilt_axis_angles)
    if tomogram.ctf is None:
        u, v, angle, scale = zeros, zeros, zeros, [1.0] * tilts
        phase_shift = zeros
    else:
        defocus = tomogram.ctf.defocus
        u = [1e4 * tilt.along_um for tilt in defocus]
        v = [1e4 * tilt.across_um for tilt in defocus]
        angle = [tilt.astigmatism_angle for tilt in defocus]
        phase_shift = [tilt.phase_shift for tilt in defocus]
        scale = list(np.cos(np.deg2rad(geometry.tilt_angles)))
    columns: dict[str, Sequence[object]] = {
        "rlnMicrographName": [
            f"{section + 1:06d}@{stack}"
            for stack, section in zip(tomogram.stacks, tomogram.sections, strict=True)
        ],
        "rlnTomoNominalStageTiltAngle": list(geometry.stage_angles),
        "rlnTomoNominalTiltAxisAngle": axis,
        "rlnMicrographPreExposure": zeros if before is None else list(before),
        "rlnTomoXTilt": zeros,
        "rlnTomoYTilt": list(geometry.stage_angles),
        "rlnTomoZRot": axis,
        "rlnTomoXShiftAngst": list(shift[:, 0]),
        "rlnTomoYShiftAngst": list(shift[:, 1]),
        "rlnCtfScalefactor": scale,
        "rlnDefocusU": u,
        "rlnDefocusV": v,
        "rlnDefocusAngle": angle,
    }
    return columns | {"rlnPhaseShift": phase_shift} if any(phase_shift) else columns


def _particles(
    tomogram: RelionTomogram,
    table: Particles | None,
    group: int,
    tracks: HelicalTracks | None,
    is_scored: bool,
) -> list[tuple[str, dict[str, object], dict[str, object]]]:
    """Return class, columns, and columns of helical segments of each particle."""
    if table is None:
        return []
    corner = np.array(tomogram.shape[::-1]) / 2 * tomogram.geometry.pixel_size_A
    angles = euler_angles(np.swapaxes(table.rotation, 1, 2), "ZYZ")
    upright = euler_angles(np.swapaxes(table.rotation @ _UPRIGHT, 1, 2), "ZYZ")
    # Subunits of a filament may share an instance, and RELION's names are each particle's own.
    is_shared = len(np.unique(table.instance)) < len(table.instance)
    rows = []
    for index, name in enumerate(table.class_name):
        number = index + 1 if is_shared else int(table.instance[index])
        row: dict[str, object] = {
            "rlnTomoName": tomogram.name,
            "rlnTomoParticleName": f"{tomogram.name}/{number}",
        }
        centred = table.centre_A[index] - corner
        row |= {f"rlnCenteredCoordinate{a}Angst": value for a, value in zip(AXES, centred, strict=True)}
        row |= {f"rlnAngle{a}": value for a, value in zip(ANGLES, angles[index], strict=True)}
        row |= {"rlnClassNumber": int(table.class_id[index]), "rlnOpticsGroup": group}
        if is_scored and table.score is not None:
            row[SCORES[0]] = float(table.score[index])
        helical: dict[str, object] = {}
        if tracks is not None and tracks.tube[index]:
            helical = {
                f"rlnTomoSubtomogram{a}": value for a, value in zip(ANGLES, upright[index], strict=True)
            }
            helical |= {f"rlnAngle{a}": value for a, value in zip(ANGLES, (0.0, 90.0, 0.0), strict=True)}
            helical |= {"rlnAngleTiltPrior": 90.0, "rlnAnglePsiPrior": 0.0}
            helical["rlnHelicalTubeID"] = int(tracks.tube[index])
            helical["rlnHelicalTrackLengthAngst"] = float(tracks.track_A[index])
        rows.append((str(name), row, helical))
    return rows


def _write_particles(
    path: Path, optics: Mapping[str, Sequence[object]], rows: Sequence[Mapping[str, object]]
) -> None:
    write_star(path, {"optics": optics, "particles": columns_by_label(rows)})
