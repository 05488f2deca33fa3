"""Speed of the projection compared with a loop over scikit-image's `radon`, in one process with one thread.

The time includes everything except compilation: casting, transposing, weights, and the copy into the stack. The loop is
timed on a few of the (angle, slice) pairs, before and after the projection, and extrapolated.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
from skimage.transform import radon

from faket_dask.kernels.projection import project


def seconds_of_loop(volume: np.ndarray, angles: np.ndarray) -> float:
    """Return the extrapolated time of the loop."""
    start = time.perf_counter()
    for y in range(volume.shape[1]):
        radon(volume[:, y], angles, circle=False)
    return time.perf_counter() - start


def seconds_of_ours(volume: np.ndarray, angles: np.ndarray) -> float:
    """Return the time of `project`."""
    start = time.perf_counter()
    project(volume, angles)
    return time.perf_counter() - start


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=1024)
    parser.add_argument("--depth", type=int, default=200)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--tilts", type=int, default=61)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()

    angles = np.linspace(-60, 60, args.tilts)
    sampled = angles[:: max(1, args.tilts // 6)]
    volume = np.random.default_rng(0).random((args.depth, args.rows, args.columns), dtype=np.float32)
    seconds_of_ours(volume[:4, :2, :8], angles)  # compiles

    cpu_lines = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    print(f"{cpu_lines[0].split(':')[1].strip()}, {os.cpu_count()} cores, 1 thread")
    print(f"volume (z, y, x) {volume.shape}, {args.tilts} tilts")
    ratios = []
    for _ in range(args.repeats):
        loop = [seconds_of_loop(volume[:, :1], sampled) / sampled.size]
        ours = seconds_of_ours(volume, angles) / (args.tilts * args.rows)
        loop.append(seconds_of_loop(volume[:, :1], sampled) / sampled.size)
        ratios.append(statistics.mean(loop) / ours)
        print(
            f"scikit-image {1e3 * statistics.mean(loop):8.2f} ms, ours {1e3 * ours:8.4f} ms"
            f" per tilt and slice: {ratios[-1]:6.0f} x"
        )
    print(f"median {statistics.median(ratios):.0f} x, least {min(ratios):.0f} x")


if __name__ == "__main__":
    main()
