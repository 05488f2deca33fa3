"""Particle lists of the CZ cryoET Data Portal: one JSON object a line, ``orientedPoint`` or ``point``.

Positions are in voxels from the corner voxel's centre, matrices act on ``(x, y, z)`` and go from particle to
tomogram. A file holds one class. Its ``instancePoint``, one of many points along an object, is no particle. The
portal's own points have no score; that of a picker is read and written as ``score``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from faket_dask.atomic import write_text
from faket_dask.errors import InputError, wrap_as_input_error
from faket_dask.formats.files import read_text
from faket_dask.formats.particle_list import (
    ParticleList,
    Particles,
    instance_number,
    join_scores,
    point_score,
    rotation_matrix,
)


def write_points(
    path: Path, particles: Particles, class_name: str, voxel_size_A: float, *, oriented: bool = True
) -> None:
    """Write the particles of one class.

    Parameters
    ----------
    path
        File to write, ``.ndjson``; replaced whole.
    particles
        Particles of all classes, in Å from the centre of the corner voxel.
    class_name
        Class to write.
    voxel_size_A
        Edge of a voxel in Å.
    oriented
        True to write orientations; false for objects that have none.
    """
    lines = []
    for row in np.nonzero(particles.class_name == class_name)[0]:
        x, y, z = (float(value) for value in particles.centre_A[row] / voxel_size_A)
        point = {
            "type": "orientedPoint" if oriented else "point",
            "location": {"x": x, "y": y, "z": z},
            **({"xyz_rotation_matrix": particles.rotation[row].tolist()} if oriented else {}),
            "instance_id": int(particles.instance[row]),
            **({} if particles.score is None else {"score": float(particles.score[row])}),
        }
        lines.append(json.dumps(point) + "\n")
    write_text(path, "".join(lines))


def read_points(path: Path, class_name: str, class_id: int, voxel_size_A: float) -> ParticleList:
    """Read the particles of one class; points without orientation get the identity.

    Parameters
    ----------
    path
        ``.ndjson`` file.
    class_name, class_id
        Class of the particles, which the file does not name.
    voxel_size_A
        Edge of a voxel in Å.

    Raises
    ------
    InputError
        If the file is absent, or a line is not a point; the line is named.
    """
    centres, rotations, instances, scores = [], [], [], []
    for line, text in enumerate(read_text(path, "point list").splitlines(), start=1):
        if not text.strip():
            continue
        with wrap_as_input_error(f"point list {path}, line {line}: not an orientedPoint"):
            point = json.loads(text)
            if point["type"] == "instancePoint":
                raise InputError(
                    f"point list {path}, line {line}: an instancePoint is one of many along a membrane or filament, "
                    "and no particle; use a list of point or orientedPoint"
                )
            if point["type"] not in ("orientedPoint", "point"):
                raise ValueError(f"type {str(point['type'])[:40]!r}")
            centre = [float(point["location"][axis]) for axis in "xyz"]
            if not np.isfinite(centre).all():
                raise ValueError("a point needs a finite location")
            matrix = point.get("xyz_rotation_matrix", np.eye(3) if point["type"] == "point" else None)
            rotations.append(rotation_matrix(matrix))
            instances.append(instance_number(point))
            scores.append(point_score(point))
            centres.append(centre)
    count = len(centres)
    if len(set(instances)) < count or 0 in instances:
        instances = list(range(1, count + 1))
    return ParticleList(
        class_name=np.array([class_name] * count, dtype=np.str_),
        class_id=np.full(count, class_id, dtype=np.int64),
        instance=np.array(instances, dtype=np.int64),
        centre_A=np.array(centres, dtype=np.float64).reshape(-1, 3) * voxel_size_A,
        rotation=np.array(rotations, dtype=np.float64).reshape(-1, 3, 3),
        score=join_scores(scores),
    )
