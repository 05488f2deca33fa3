"""Overhead of a run: the share of its time spent on start-up, scheduling, idle workers at the end, and the report.

    python benchmarks/overhead.py [--size 1024] [--tilts 9] [--workers 2]

The script runs `faket-dask run` on two simulated series in a temporary folder and compares the wall-clock time with the
seconds in the markers of the units (kernels, with reading and writing of their arrays). The weights are random, at the
same cost.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import yaml


def document(folder: Path, size: int, tilts: int, workers: int) -> dict[str, object]:
    """Return the run file."""
    return {
        "dataset": {"folder": str(folder), "seed": 1},
        "specimen": {
            "count": 2,
            "thickness_A": 2000,
            "species": [{"name": "lantern", "count": 40}, {"name": "boot", "count": 40}],
            "fiducials": {"count": 12},
        },
        "acquisition": {
            "tilt_angles": {"start_deg": -60, "stop_deg": 60, "step_deg": 120 / (tilts - 1)},
            "pixel_size_A": 10,
            "detector_px": [size, size],
        },
        "references": [{"kind": "simulated", "name": "a"}, {"kind": "simulated", "name": "b"}],
        "style": {"weights": "random"},
        "cluster": {"workers": workers},
    }


def main() -> None:
    """Run the data set and print its overhead."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--tilts", type=int, default=9)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "data"
        file = Path(temporary) / "run.yaml"
        file.write_text(yaml.safe_dump(document(folder, options.size, options.tilts, options.workers)))
        command = [sys.executable, "-m", "faket_dask.cli"]
        subprocess.run([*command, "plan", str(file)], check=True)  # calibrates, once per machine
        begin = time.perf_counter()
        subprocess.run([*command, "run", str(file)], check=True)
        wall = time.perf_counter() - begin
        seconds: dict[str, list[float]] = defaultdict(list)
        for marker in (folder / "progress").rglob("*.json"):
            seconds[marker.relative_to(folder / "progress").parts[0]].append(
                json.loads(marker.read_text())["seconds"]
            )
    work = sum(map(sum, seconds.values()))
    for stage, spent in seconds.items():
        print(f"{stage:20} {len(spent):4} units, {sum(spent):8.1f} s")
    print(
        f"{wall:.1f} s on the clock x {options.workers} workers, {work:.1f} s in units: "
        f"{1 - work / (wall * options.workers):.1%} is overhead"
    )


if __name__ == "__main__":
    main()
