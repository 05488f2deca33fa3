"""Write particles in RELION 3's columns: voxels of the tomogram that they lie in, and Euler angles.

RELION counts voxels from 0, and a box of ``n`` voxels begins ``n // 2`` before the voxel of its particle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from faket_dask.formats.particle_list import Particles, euler_angles
from faket_dask.formats.relion5 import ANGLES, AXES, SCORES, RelionTomogram
from faket_dask.formats.relion_optics import OpticsGroup, number_groups, optics_columns
from faket_dask.formats.star import columns_by_label, write_star


def write_coordinates(
    path: Path, tomograms: Sequence[RelionTomogram], particles: Mapping[str, Particles]
) -> None:
    """Write the particles of all tomograms in one list.

    Parameters
    ----------
    path
        File to write; replaced whole.
    tomograms
        Tomograms with volumes.
    particles
        Particles by the name of their tomogram; positions in Å from the centre of the corner voxel of its volume.
        Their scores are written where all have them.
    """
    is_scored = all(table.score is not None for table in particles.values())
    numbers = number_groups(OpticsGroup.from_volume(tomogram) for tomogram in tomograms)
    rows: list[dict[str, object]] = []
    for tomogram in tomograms:
        table, group = particles[tomogram.name], OpticsGroup.from_volume(tomogram)
        voxels = table.centre_A / group.pixel_size_A
        angles = euler_angles(np.swapaxes(table.rotation, 1, 2), "ZYZ")
        for index, class_id in enumerate(table.class_id):
            row: dict[str, object] = {"rlnMicrographName": tomogram.volume}
            row |= {f"rlnCoordinate{a}": value for a, value in zip(AXES, voxels[index], strict=True)}
            row |= {f"rlnAngle{a}": value for a, value in zip(ANGLES, angles[index], strict=True)}
            row |= {"rlnClassNumber": int(class_id), "rlnOpticsGroup": numbers[group]}
            if is_scored and table.score is not None:
                row[SCORES[0]] = float(table.score[index])
            rows.append(row)
    labels = ("rlnMicrographPixelSize", "rlnImagePixelSize")
    write_star(path, {"optics": optics_columns(numbers, labels), "particles": columns_by_label(rows)})
