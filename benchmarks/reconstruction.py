"""Speed of the back-projection compared with a loop over slices, in one process with one thread.

The loop works like radontea, which the published pipeline calls: for every slice and angle, NumPy's linear
interpolation onto the whole square, from which the slab is then cut; it is also timed on the slab alone. radontea
itself is timed where it can be imported. The time includes everything except compilation. The loop is timed on a few
of the slices and angles, before and after the back-projection, and extrapolated.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import statistics
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from faket_dask.kernels.backprojection import back_project

LAYERS = {512: 180, 1024: 360}


def loop(sinogram: np.ndarray, angles: np.ndarray, layers: int) -> np.ndarray:
    """Return one slice of `layers` layers from its ``(tilt, x)`` rows."""
    width = sinogram.shape[1]
    columns = np.arange(width)
    centre = (width - 1) / 2
    z, x = np.meshgrid(np.arange(layers) - layers // 2, columns - centre, indexing="ij")
    total = np.zeros((layers, width))
    for row, angle in zip(sinogram, np.deg2rad(angles), strict=True):
        u = x * np.cos(angle) - z * np.sin(angle) + centre
        total += np.interp(u.ravel(), columns, row - row.mean(), left=0, right=0).reshape(u.shape)
    return total * np.pi / len(angles)


def seconds_of_loop(stack: np.ndarray, angles: np.ndarray, layers: int) -> float:
    """Return the extrapolated time of the loop."""
    start = time.perf_counter()
    loop(stack[:, 0].astype(np.float64), angles, layers)
    return time.perf_counter() - start


def seconds_of_radontea(stack: np.ndarray, angles: np.ndarray) -> float:
    """Return the extrapolated time of radontea."""
    import radontea

    start = time.perf_counter()
    radontea.backproject(stack[:, 0].astype(np.float64), np.deg2rad(angles), filtering=None)
    return time.perf_counter() - start


def seconds_of_ours(stack: np.ndarray, angles: np.ndarray, layers: int) -> float:
    """Return the time of `back_project`."""
    start = time.perf_counter()
    back_project(stack, angles, layers)
    return time.perf_counter() - start


def main() -> None:
    """Print all times and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--tilts", type=int, default=61)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()

    cpu_lines = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    print(f"{cpu_lines[0].split(':')[1].strip()}, {os.cpu_count()} cores, 1 thread")
    angles = np.linspace(-60, 60, args.tilts)
    few = angles[:: max(1, args.tilts // 10)]
    rng = np.random.default_rng(0)
    for columns in args.columns:
        layers = LAYERS.get(columns, round(0.35156 * columns))
        stack = rng.standard_normal((args.tilts, args.rows, columns), dtype=np.float32)
        seconds_of_ours(stack[:, :2], angles, 2)  # compiles
        print(
            f"{columns} columns, {layers} layers, {args.tilts} tilts, blocks of {args.rows} rows; ms per slice"
        )
        ratios: dict[str, list[float]] = {"loop": [], "loop on the slab": [], "radontea": []}
        for _ in range(args.repeats):
            measured: dict[str, list[float]] = {name: [] for name in ratios}
            sampled = stack[:: max(1, args.tilts // 10)]
            for half in range(2):
                share = args.tilts / few.size
                measured["loop"].append(share * seconds_of_loop(sampled, few, columns))
                measured["loop on the slab"].append(share * seconds_of_loop(sampled, few, layers))
                if find_spec("radontea"):
                    measured["radontea"].append(share * seconds_of_radontea(sampled, few))
                if half == 0:
                    ours = seconds_of_ours(stack, angles, layers) / args.rows
            shown = [f"ours {1e3 * ours:.3f}"]
            for name, seconds in measured.items():
                if seconds:
                    ratios[name].append(statistics.mean(seconds) / ours)
                    shown.append(f"{name} {1e3 * statistics.mean(seconds):.0f} ({ratios[name][-1]:.0f} x)")
            print("  " + ", ".join(shown))
        for name, values in ratios.items():
            if values:
                print(f"  {name}: median {statistics.median(values):.0f} x, least {min(values):.0f} x")


if __name__ == "__main__":
    main()
