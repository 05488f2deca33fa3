"""Files of an average: maps, table of particles, agreement."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faket_dask.atomic import replace_atomically, write_text
from faket_dask.averaging.agreement import HalfAgreement, HandAgreement
from faket_dask.averaging.specification import AverageSpec, describe_settings
from faket_dask.averaging.units import joined_item, last_round, read_poses, read_sums
from faket_dask.engine.unit import Item
from faket_dask.formats.mrc import write_volume
from faket_dask.kernels.averaging.wedge_sum import add_sums
from faket_dask.specimen.particles import ParticleTable
from faket_dask.stages.averaging import HalfSet

AVERAGE, PARTICLES, CURVES, SUMMARY = "average.mrc", "particles.csv", "fsc.csv", "summary.json"
OUTPUTS = (*(f"{half.value}.mrc" for half in HalfSet), AVERAGE, PARTICLES, CURVES, SUMMARY)
"""Names of all files of an average."""


def final_item(spec: AverageSpec, half: HalfSet) -> Item:
    """Return the item that holds the final poses and sums of a half-set, both in the frame of the first."""
    return last_round(spec, half) if half is HalfSet.A else joined_item()


def write_maps(spec: AverageSpec, folder: Path) -> None:
    """Write the averages of both half-sets and of all particles."""
    sums = {half: read_sums(spec, final_item(spec, half)) for half in HalfSet}
    voxel_size_A = spec.source.voxel_size_A
    for half, part in sums.items():
        write_volume(folder / f"{half.value}.mrc", part.average(), voxel_size_A)
    write_volume(folder / AVERAGE, add_sums(sums.values()).average(), voxel_size_A)


def list_scores(spec: AverageSpec) -> NDArray[np.float64]:
    """Return the final scores of all particles, those of the first half-set first."""
    return np.concatenate([read_poses(spec, final_item(spec, half)).score for half in HalfSet])


def tabulate_particles(spec: AverageSpec) -> ParticleTable:
    """Return the particles in their places, orientations and scores, in the order of the input."""
    count = len(spec.particles)
    rotation, shift, score = np.zeros((count, 3, 3)), np.zeros((count, 3)), np.zeros(count)
    for half, rows in spec.halves.items():
        rotation[rows], shift[rows], score[rows] = read_poses(spec, final_item(spec, half))
    middle_A = spec.source.locate(spec.particles.voxel)
    centre_A = middle_A + shift * spec.source.voxel_size_A
    return replace(spec.particles.table, centre_A=centre_A, rotation=rotation, score=score)


def write_curves(path: Path, halves: HalfAgreement, hands: HandAgreement | None) -> None:
    """Write the Fourier shell correlations as a table, a row for each shell."""
    columns: dict[str, NDArray[np.generic]] = {
        "resolution_A": halves.resolution_A,
        "beyond_limit": np.arange(len(halves.resolution_A)) >= halves.seen,
        "half_averages": halves.whole,
        "masked": halves.masked,
        "masked_random_phases": halves.randomised,
        "masked_corrected": halves.corrected,
    }
    if hands is not None:
        columns |= {"structure": hands.structure, "structure_mirrored": hands.mirrored}
    with replace_atomically(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(
            [f"{float(value):.6g}" for value in row] for row in zip(*columns.values(), strict=True)
        )


def write_summary(path: Path, spec: AverageSpec, halves: HalfAgreement, hands: HandAgreement | None) -> None:
    """Write settings, half-sets and what the agreement says, as JSON."""
    document: dict[str, Any] = {
        "tomogram": spec.source.title,
        "voxel_size_A": spec.source.voxel_size_A,
        "box_voxels": spec.alignment.edge,
        "settings": describe_settings(spec.settings),
        "start": spec.start.value,
        "particles": len(spec.particles),
        "rows": {half.value: (rows + 1).tolist() for half, rows in spec.halves.items()},
        "mean_score": float(np.mean(list_scores(spec))),
        "resolved_A": halves.resolved_A(),
    }
    if hands is not None:
        document["against"] = {
            "score": hands.structure_score,
            "mirrored_score": hands.mirrored_score,
            "beyond_limit": hands.beyond,
            "mirrored_beyond_limit": hands.mirrored_beyond,
            "error_beyond_limit": hands.error,
            "hand": hands.hand.value,
        }
    lines = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in document.items())
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")
