"""Time of scoring 1,500 picks of a tomogram of SHREC's size, by each scorer, and of the whole command.

    python benchmarks/scoring.py

1,500 balls of twelve classes lie in the 180 middle layers of a mask of 512³ voxels. The picks are their centres,
displaced by up to two voxels along each axis, one in ten at a random place and one in ten of another class. Times are
processor times, which do not depend on what else runs, of the better of three runs; those of the scorers are without
reading the files, which is listed on its own, and those of the commands are with everything.
"""

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from faket_dask.formats.mrc import open_volume, write_volume
from faket_dask.formats.shrec import CLASSES
from faket_dask.scoring.czii2024 import count_czii2024
from faket_dask.scoring.one_to_one import score_one_to_one
from faket_dask.scoring.picks import Picks
from faket_dask.scoring.shrec2021 import score_shrec2021
from faket_dask.specimen.particles import make_table
from faket_dask.workflow.score.occupancy import read_occupancy

SIZE, LAYERS, PARTICLES, VOXEL_A = 512, (165, 345), 1500, 10.0
RADIUS, SPACING = 6, 24


def draw_truth(rng: np.random.Generator) -> Picks:
    """Place particles at random on a lattice, in voxels."""
    axes = [np.arange(12, SIZE - 12, SPACING)] * 2 + [np.arange(LAYERS[0] + 12, LAYERS[1] - 12, SPACING)]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    places = lattice[rng.permutation(len(lattice))[:PARTICLES]]
    return Picks(places.astype(np.float64), rng.integers(2, 14, PARTICLES))


def draw_picks(truth: Picks, rng: np.random.Generator) -> Picks:
    positions = truth.positions + rng.uniform(-2, 2, truth.positions.shape)
    stray = rng.random(PARTICLES) < 0.1
    positions[stray] = rng.uniform((0, 0, LAYERS[0]), (SIZE, SIZE, LAYERS[1]), (np.count_nonzero(stray), 3))
    is_wrong = rng.random(PARTICLES) < 0.1
    class_id = np.where(is_wrong, rng.integers(2, 14, PARTICLES), truth.class_id)
    return Picks(positions, class_id, rng.random(PARTICLES))


def paint(truth: Picks) -> np.ndarray:
    mask = np.zeros((SIZE,) * 3, np.uint16)
    ball = (np.indices((2 * RADIUS + 1,) * 3) - RADIUS).reshape(3, -1).T
    ball = ball[(ball**2).sum(axis=1) <= RADIUS**2]
    for number, position in enumerate(truth.positions.astype(int), start=1):
        x, y, z = (position + ball).T
        mask[z, y, x] = number
    return mask


def measure(run: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(3):
        start = processor_time()
        run()
        seconds.append(processor_time() - start)
    return min(seconds)


def processor_time() -> float:
    """Return the seconds of this process and of those that it has started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def write_files(folder: Path, truth: Picks, picks: Picks, mask: np.ndarray) -> list[list[str]]:
    """Write the files of all lists, and return the arguments of a command for each scorer."""
    names, picked = (np.array(CLASSES)[points.class_id] for points in (truth, picks))
    write_volume(folder / "occupancy_mask.mrc", mask, VOXEL_A)
    rows = zip(names, truth.positions, strict=True)
    (folder / "locations.txt").write_text(
        "".join(f"{name} {x:.0f} {y:.0f} {z:.0f} 0 0 0\n" for name, (x, y, z) in rows)
    )
    rows = zip(picked, picks.positions, strict=True)
    (folder / "picks.txt").write_text("".join(f"{name} {x} {y} {z}\n" for name, (x, y, z) in rows))
    turns = np.tile(np.eye(3), (PARTICLES, 1, 1))
    make_table(names, truth.class_id, truth.positions * VOXEL_A, turns).write_csv(folder / "truth.csv")
    make_table(picked, picks.class_id, picks.positions * VOXEL_A, turns).write_csv(folder / "picks.csv")
    files = [str(folder / name) for name in ("picks.txt", "locations.txt", "occupancy_mask.mrc")]
    tables = [str(folder / "picks.csv"), str(folder / "truth.csv"), "--radius-A", "60"]
    return [
        [*files[:2], "--scorer", "shrec2021", "--occupancy", files[2]],
        tables,
        [*tables, "--scorer", "czii2024"],
    ]


def main() -> None:
    rng = np.random.default_rng(0)
    truth = draw_truth(rng)
    picks, mask = draw_picks(truth, rng), paint(truth)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; {PARTICLES} picks")
    radius = dict.fromkeys(range(2, 14), float(RADIUS))
    scorers: dict[str, Callable[[], Any]] = {
        "shrec2021": lambda: score_shrec2021(picks, truth, mask),
        "one-to-one": lambda: score_one_to_one(picks, truth, float(RADIUS)),
        "czii2024": lambda: count_czii2024(picks, truth, radius),
    }
    repeats = range(20)
    for name, run in scorers.items():
        seconds = measure(lambda run=run: [run() for _ in repeats]) / len(repeats)
        print(f"{name}: {1000 * seconds:.1f} ms")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = write_files(folder, truth, picks, mask)
        volume = open_volume(folder / "occupancy_mask.mrc")
        print(
            f"reading the mask of {SIZE}³ voxels, {volume.dtype}: {measure(lambda: read_occupancy(volume)):.2f} s"
        )
        for arguments in commands:
            command = [sys.executable, "-m", "faket_dask.cli", "score", *arguments]
            seconds = measure(lambda words=command: subprocess.run(words, check=True, capture_output=True))
            scorer = arguments[arguments.index("--scorer") + 1] if "--scorer" in arguments else "one-to-one"
            print(f"faket-dask score --scorer {scorer}, whole command: {seconds:.2f} s")


if __name__ == "__main__":
    main()
