"""Template matching in a simulated tomogram: what is found, thresholds by null searches, and scores and time of pytme.

    python benchmarks/template_matching.py [TEMPLATE] [--voxel 20] [--step 24] [--columns 96] [--noise 4]
        [--pytme PYTHON]

TEMPLATE is a density map, structure or phantom; by default `lantern`. Ten particles and as many globules of 560 kDa
are rendered in 800 Å of ice, projected at -60° to 60° by 3°, given white noise (`--noise`, in standard deviations of
the projections' signal), and reconstructed with a ramp filter and a Hann window. A pick within half of the particle's
radius is a hit.

`--pytme` names the Python of an environment with pytme (GPL; it is run as a program of its own), whose spherical score
is computed of the same tomogram with the same template and orientations, without missing wedge in either.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.matching.correlation import BestMatch, correlate_block
from faket_dask.kernels.matching.null_template import Null
from faket_dask.kernels.matching.peaks import find_peaks, score_of_chance
from faket_dask.kernels.matching.rotations import rotation_angle
from faket_dask.kernels.projection import project
from faket_dask.matching.template_source import load_search_template, resolve_source
from faket_dask.specimen import ParticleTable, Recipe, Species, place, render_block
from faket_dask.specimen.template import Sampling
from faket_dask.stages.matching import MatchBlocks, MatchSettings, prepare_template
from faket_dask.stages.reconstruction import prepare_tilt

ANGLES = np.arange(-60.0, 61.0, 3.0)
THICKNESS_A = 800.0
COMPARED = 100
"""Orientations that pytme is compared in."""

PYTME = """
import sys, time
import numpy as np
from tme.analyzer import MaxScoreOverRotations
from tme.matching_data import MatchingData
from tme.matching_exhaustive import MATCHING_EXHAUSTIVE_REGISTER, match_exhaustive

given = np.load(sys.argv[1])
setup, score = MATCHING_EXHAUSTIVE_REGISTER["FLCSphericalMask"]
seconds = []
for count in (10, len(given["rotations"])):
    data = MatchingData(
        target=given["volume"], template=given["template"], template_mask=given["mask"],
        rotations=given["rotations"][:count],
    )
    begin = time.perf_counter()
    result = match_exhaustive(
        matching_data=data, matching_score=score, matching_setup=setup,
        callback_class=MaxScoreOverRotations, callback_class_args={"score_threshold": -1},
        interpolation_order=1,
    )
    seconds.append(time.perf_counter() - begin)
np.savez(sys.argv[2], score=result[0], seconds=seconds)
"""
"""Two runs, since starting and planning take seconds."""


def simulate(
    source: str, voxel_A: float, columns: int, noise: float
) -> tuple[NDArray[np.float32], ParticleTable]:
    """Return a tomogram and the table of its particles."""
    shape = (round(THICKNESS_A / voxel_A), columns, columns)
    species = (
        Species("target", source, count=10),
        Species("other", "globule:560kDa", count=10),
    )
    recipe = Recipe(shape, voxel_A, species, ice_texture=0.0, sampling=Sampling.AVERAGED)
    rng = np.random.default_rng(0)
    table = place(recipe, rng)
    stack = project(render_block(recipe, table, 0, columns).density, ANGLES)
    stack = stack + rng.normal(0, noise * stack.std(), stack.shape).astype(np.float32)
    filtered = [
        prepare_tilt(tilt=tilt, kind="hann", tilt_angles=ANGLES, index=index, thickness_px=float(shape[0]))
        for index, tilt in enumerate(stack)
    ]
    return back_project(np.stack(filtered), ANGLES, shape[0]), table


def search(
    volume: NDArray[np.float32], source: str, voxel_A: float, settings: MatchSettings, null: Null | None
) -> tuple[BestMatch, float]:
    """Return scores of the whole tomogram, and the seconds per orientation."""
    template = prepare_template(load_search_template(source, voxel_A), voxel_A, settings, null)
    blocks = MatchBlocks(volume.shape, template.reach)
    best = BestMatch(*(np.empty(volume.shape, dtype) for dtype in (np.float32, np.int32, np.float32)))
    begin = time.process_time()
    for index in range(len(blocks)):
        region = blocks.region(index)
        block = blocks.extend(index, volume[blocks.clip(index)])
        for whole, part in zip(best, correlate_block(block, template, settings.rotations), strict=True):
            whole[region] = part
    return best, (time.process_time() - begin) / len(settings.rotations)


def compare_with_pytme(python: Path, volume: NDArray[np.float32], source: str, voxel_A: float) -> None:
    """Print agreement and times of the two programs."""
    template = prepare_template(load_search_template(source, voxel_A), voxel_A, MatchSettings())
    turns = MatchSettings(step_deg=30.0).rotations[:COMPARED]
    padded = np.pad(volume, template.reach, mode="symmetric")
    correlate_block(padded, template, turns[:2])
    begin = time.perf_counter()
    ours = correlate_block(padded, template, turns).score
    seconds = (time.perf_counter() - begin) / COMPARED
    # Axes are z, y, x there.
    flipped = np.ascontiguousarray(turns[:, ::-1, ::-1], dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        for convention, rotations in (("rotations", flipped), ("their inverses", flipped.transpose(0, 2, 1))):
            given, result = Path(folder) / "given.npz", Path(folder) / "result.npz"
            np.savez(
                given,
                volume=padded,
                template=template.turn(np.eye(3)),
                mask=template.mask(),
                rotations=np.ascontiguousarray(rotations),
            )
            subprocess.run(
                [str(python), "-c", PYTME, str(given), str(result)], check=True, capture_output=True
            )
            with np.load(result) as theirs:
                first, last = theirs["seconds"]
                inside = tuple(slice(template.reach, -template.reach) for _ in range(3))
                score = theirs["score"][inside]
                agreement = np.corrcoef(score.ravel(), ours.ravel())[0, 1]
                print(
                    f"pytme, {convention}: correlation of the scores {agreement:.4f}, highest {score.max():.3f} "
                    f"(ours {ours.max():.3f}), {(last - first) / (COMPARED - 10) * 1e3:.1f} ms per orientation "
                    f"(ours {seconds * 1e3:.1f} ms) of {padded.shape} voxels"
                )


def main() -> None:
    """Print what is found, and how pytme compares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("template", nargs="?", default="lantern")
    parser.add_argument("--voxel", type=float, default=20.0)
    parser.add_argument("--step", type=float, default=24.0)
    parser.add_argument("--columns", type=int, default=96)
    parser.add_argument("--noise", type=float, default=4.0)
    parser.add_argument("--pytme", type=Path)
    arguments = parser.parse_args()
    source, voxel_A = resolve_source(arguments.template), arguments.voxel
    volume, table = simulate(source, voxel_A, arguments.columns, arguments.noise)
    truth = table.select(table.class_name == "target")
    settings = MatchSettings(tilt_angles=tuple(ANGLES.tolist()), step_deg=arguments.step)
    radius_A = load_search_template(source, voxel_A).radius_A
    best, seconds = search(volume, source, voxel_A, settings, None)
    peaks = find_peaks(best.score, radius_A / voxel_A)
    places = peaks.voxel[:, ::-1] * voxel_A
    distances = np.linalg.norm(places[:, None] - truth.centre_A[None], axis=2)
    is_hit = distances.min(axis=1) < radius_A / 2
    precision = np.cumsum(is_hit) / np.arange(1, len(is_hit) + 1)
    turned = rotation_angle(
        settings.rotations[best.orientation[tuple(peaks.voxel.T)]], truth.rotation[distances.argmin(axis=1)]
    )
    print(
        f"{len(truth)} particles of {radius_A:.0f} Å radius, {volume.shape} voxels of {voxel_A:g} Å, "
        f"{len(settings.rotations)} orientations, {seconds * 1e3:.1f} ms each; average precision "
        f"{(precision * is_hit).sum() / len(truth):.3f}; median angle to the truth {np.median(turned[is_hit]):.1f}°",
        flush=True,
    )
    for null in Null:
        chance = best.opposite
        if null is not Null.INVERTED:
            chance = search(volume, source, voxel_A, settings, null)[0].score
        threshold = score_of_chance(find_peaks(chance, radius_A / voxel_A).score, 1)
        picked = peaks.score > threshold
        print(
            f"threshold by {null.value} template, 1 false peak: {threshold:.3f}; "
            f"{np.count_nonzero(picked & is_hit)} hits, {np.count_nonzero(picked & ~is_hit)} others",
            flush=True,
        )
    if arguments.pytme is not None:
        compare_with_pytme(arguments.pytme, volume, source, voxel_A)


if __name__ == "__main__":
    main()
