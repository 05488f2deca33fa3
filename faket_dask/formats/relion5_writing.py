"""Write RELION-5 tomography projects; the conventions are those of `relion5`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from faket_dask.formats.particle_list import Particles, euler_angles
from faket_dask.formats.relion5 import ANGLES, AXES, RelionTomogram
from faket_dask.formats.relion_optics import (
    OpticsGroup,
    ctf_constants,
    group_name,
    number_groups,
    optics_columns,
)
from faket_dask.formats.star import columns_by_label, write_star


def write_project(
    folder: Path, tomograms: Sequence[RelionTomogram], particles: Mapping[str, Particles]
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

    Notes
    -----
    Exposures are written as 0 where they are not known. Images without a CTF get a constant one
    (`relion_optics.ctf_constants`), since RELION requires its columns. Particles have their class id as
    ``rlnClassNumber``; each class is also written alone, as ``particles_<class>.star``.
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
    picked = [
        row
        for tomogram in tomograms
        for row in _particles(
            tomogram, particles.get(tomogram.name), numbers[OpticsGroup.from_tilts(tomogram)]
        )
    ]
    table = optics_columns(numbers, ("rlnTomoTiltSeriesPixelSize", "rlnImagePixelSize"))
    table["rlnTomoSubtomogramBinning"] = [1.0] * len(numbers)
    if picked:
        _write_particles(folder / "particles.star", table, [row for _, row in picked])
        for name in dict.fromkeys(name for name, _ in picked):
            of_class = [row for other, row in picked if other == name]
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
    tomogram: RelionTomogram, table: Particles | None, group: int
) -> list[tuple[str, dict[str, object]]]:
    if table is None:
        return []
    corner = np.array(tomogram.shape[::-1]) / 2 * tomogram.geometry.pixel_size_A
    angles = euler_angles(np.swapaxes(table.rotation, 1, 2), "ZYZ")
    rows = []
    for index, name in enumerate(table.class_name):
        row: dict[str, object] = {
            "rlnTomoName": tomogram.name,
            "rlnTomoParticleName": f"{tomogram.name}/{int(table.instance[index])}",
        }
        centred = table.centre_A[index] - corner
        row |= {f"rlnCenteredCoordinate{a}Angst": value for a, value in zip(AXES, centred, strict=True)}
        row |= {f"rlnAngle{a}": value for a, value in zip(ANGLES, angles[index], strict=True)}
        row |= {"rlnClassNumber": int(table.class_id[index]), "rlnOpticsGroup": group}
        rows.append((str(name), row))
    return rows


def _write_particles(
    path: Path, optics: Mapping[str, Sequence[object]], rows: Sequence[Mapping[str, object]]
) -> None:
    write_star(path, {"optics": optics, "particles": columns_by_label(rows)})
