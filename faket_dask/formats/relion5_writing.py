"""Write RELION-5 tomography projects; the conventions are those of `relion5`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from faket_dask.formats.particle_list import Particles, euler_angles
from faket_dask.formats.relion5 import ANGLES, AXES, RelionTomogram
from faket_dask.formats.star import write_star


def write_project(
    folder: Path, tomograms: Sequence[RelionTomogram], particles: Mapping[str, Particles]
) -> None:
    """Write ``tomograms.star``, ``tilt_series/<name>.star``, ``particles.star`` and ``optimisation_set.star``.

    Parameters
    ----------
    folder
        Project to write to; made where it does not exist. The images are written by others.
    tomograms
        Tomograms of one pixel size.
    particles
        Particles by the name of their tomogram; positions in Å from the centre of the corner voxel.

    Notes
    -----
    Exposures are written as 0 where they are not known. Particles have their class id as ``rlnClassNumber``;
    each class is also written alone, as ``particles_<class>.star``.
    """
    (folder / "tilt_series").mkdir(parents=True, exist_ok=True)
    for tomogram in tomograms:
        write_star(folder / "tilt_series" / f"{tomogram.name}.star", {tomogram.name: _tilts(tomogram)})
    rows: list[dict[str, object]] = []
    for tomogram in tomograms:
        pixel_size = tomogram.geometry.pixel_size_A
        row: dict[str, object] = {
            "rlnTomoName": tomogram.name,
            "rlnVoltage": float(tomogram.optics.voltage_kV),
            "rlnSphericalAberration": float(tomogram.optics.spherical_aberration_mm),
            "rlnAmplitudeContrast": float(tomogram.optics.amplitude_contrast),
            "rlnMicrographOriginalPixelSize": pixel_size,
            "rlnTomoHand": -1.0,
            "rlnOpticsGroupName": "optics1",
            "rlnTomoTiltSeriesPixelSize": pixel_size,
            "rlnTomoTiltSeriesStarFile": f"tilt_series/{tomogram.name}.star",
            "rlnTomoTomogramBinning": float(tomogram.binning),
        }
        row |= {f"rlnTomoSize{a}": n for a, n in zip(AXES, reversed(tomogram.shape), strict=True)}
        if all(other.volume is not None for other in tomograms):
            row["rlnTomoReconstructedTomogram"] = tomogram.volume
        rows.append(row)
    write_star(folder / "tomograms.star", {"global": _columns(rows)})
    by_name = {tomogram.name: tomogram for tomogram in tomograms}
    picked = [row for name, table in particles.items() for row in _particles(by_name[name], table)]
    optics: dict[str, Sequence[object]] = {
        "rlnOpticsGroup": [1],
        "rlnOpticsGroupName": ["optics1"],
        "rlnSphericalAberration": [float(tomograms[0].optics.spherical_aberration_mm)],
        "rlnVoltage": [float(tomograms[0].optics.voltage_kV)],
        "rlnAmplitudeContrast": [float(tomograms[0].optics.amplitude_contrast)],
        "rlnTomoTiltSeriesPixelSize": [tomograms[0].geometry.pixel_size_A],
    }
    if picked:
        _write_particles(folder / "particles.star", optics, [row for _, row in picked])
        for name in dict.fromkeys(name for name, _ in picked):
            of_class = [row for other, row in picked if other == name]
            _write_particles(folder / f"particles_{name}.star", optics, of_class)
        files = {"rlnTomoParticlesFile": ["particles.star"], "rlnTomoTomogramsFile": ["tomograms.star"]}
        write_star(folder / "optimisation_set.star", {"": files})


def _tilts(tomogram: RelionTomogram) -> dict[str, Sequence[object]]:
    geometry = tomogram.geometry
    tilts = len(geometry)
    before = geometry.exposure_before_e_per_A2
    shift = np.zeros((tilts, 2)) if geometry.shift_A is None else geometry.shift_A
    zeros = [0.0] * tilts
    axis = list(geometry.tilt_axis_angles)
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
        "rlnCtfScalefactor": list(np.cos(np.deg2rad(geometry.tilt_angles))),
    }
    if tomogram.defocus_um is not None:
        columns["rlnDefocusU"] = columns["rlnDefocusV"] = list(tomogram.defocus_um * 1e4)
        columns["rlnDefocusAngle"] = zeros
    return columns


def _particles(tomogram: RelionTomogram, table: Particles) -> list[tuple[str, dict[str, object]]]:
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
        row |= {"rlnClassNumber": int(table.class_id[index]), "rlnOpticsGroup": 1}
        rows.append((str(name), row))
    return rows


def _write_particles(
    path: Path, optics: Mapping[str, Sequence[object]], rows: Sequence[Mapping[str, object]]
) -> None:
    write_star(path, {"optics": optics, "particles": _columns(rows)})


def _columns(rows: Sequence[Mapping[str, object]]) -> dict[str, Sequence[object]]:
    return {label: [row[label] for row in rows] for label in (rows[0] if rows else ())}
