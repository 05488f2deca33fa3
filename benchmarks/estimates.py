"""Estimated and measured time of every stage, for three kinds of run.

    python benchmarks/estimates.py [--only small recorded crowded] [--stack STACK] [--structures FOLDER]

`small` is simulated alone; `recorded` takes a recorded tilt-series, aligned and resampled, as its reference; `crowded`
has structures, maps, membranes and tomograms. The recording is made up unless one is given (an MRC stack with `.tlt`
and `.xf` beside it), and so are structure and map unless a folder of them is given. Each runs with `faket-dask run` on
one worker in a temporary folder. Estimates are those that the run began with, from its event log; measured are the
processor times in the markers, which other load of the machine leaves almost alone. The first plan on a machine
calibrates the estimates; delete the cache's `calibration` folder to do so again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.ndimage import gaussian_filter

from faket_dask.engine.event_log import parse_requirements, read_lines, select_last_run
from faket_dask.engine.folder import RunFolder
from faket_dask.engine.marker import Marker
from faket_dask.formats.imod import write_angles, write_transforms
from faket_dask.formats.mrc import write_stack, write_volume
from faket_dask.specimen.phantoms import phantom_template

CONFIGURATIONS = ("small", "recorded", "crowded")


def describe_run(name: str, folder: Path, stack: Path | None, structures: Path | None) -> dict[str, Any]:
    """Return one of the run files, and write the inputs that it needs."""
    document: dict[str, Any] = {
        "dataset": {"folder": str(folder / "data"), "seed": 3},
        "specimen": {
            "count": 2,
            "thickness_A": 600,
            "width_factor": 1.5,
            "species": [{"name": "propeller", "count": 4}, {"name": "boot", "count": [2, 6]}],
            "fiducials": {"count": 2},
        },
        "acquisition": {
            "tilt_angles": {"start_deg": -40, "stop_deg": 40, "step_deg": 20},
            "pixel_size_A": 10,
            "detector_px": [96, 80],
        },
        "references": [{"kind": "simulated", "name": "a"}, {"kind": "simulated", "name": "b"}],
        "style": {"weights": "random", "random_seed": 5},
        "outputs": {"modalities": ["faket", "noisy", "content", "baseline", "benchmark"]},
        "cluster": {"workers": 1},
    }
    if name == "recorded":
        document["specimen"]["count"] = 1
        document["acquisition"] |= {"pixel_size_A": 12, "detector_px": [256, 256]}
        reference = {"name": "recorded", "stack": str(stack or write_recording(folder))}
        document["references"] = [reference | {"align": True, "resample": True, "angle_sign": "warp"}]
        document["noise"] = {"statistics": "unpaired"}
        document["style"] |= {"preset": "matched"}
        document["outputs"] = {"modalities": ["faket", "noisy", "spectral"]}
    if name == "crowded":
        species = list_structures(structures) if structures else write_structures(folder)
        document["specimen"] = {
            "count": 1,
            "thickness_A": 1500,
            "species": species,
            "membranes": [{"kind": "vesicle", "count": 4, "radius_A": [250, 350]}],
            "fiducials": {"count": 8},
        }
        document["acquisition"] |= {"pixel_size_A": 6, "detector_px": [512, 512]}
        document["acquisition"]["tilt_angles"] = {"start_deg": -60, "stop_deg": 60, "step_deg": 6}
        document["references"] = [{"kind": "simulated", "name": "a"}]
        document["outputs"] = {"modalities": ["noisy", "benchmark"]}
        document["reconstruction"] = {"modalities": ["noisy"], "binning": 2}
    return document


def write_recording(folder: Path) -> Path:
    """Write a recording of nine tilts of 630 x 652 pixels with beads, and its angles and alignment."""
    rng = np.random.default_rng(1)
    shape = (9, 630, 652)
    tilts = 100 + 20 * rng.standard_normal(shape, np.float32)
    rows, columns = np.ogrid[: shape[1], : shape[2]]
    for y, x in rng.uniform(50, 580, (12, 2)):
        tilts[:, np.hypot(rows - y, columns - x) < 6] -= 150
    path = folder / "recorded.mrc"
    write_stack(path, iter(tilts), shape, 10.0)
    write_angles(folder / "recorded.tlt", np.linspace(-48, 48, shape[0]))
    angle = np.deg2rad(4.3)
    turn = [[np.cos(angle), -np.sin(angle), 20.0], [np.sin(angle), np.cos(angle), -3.0]]
    write_transforms(folder / "recorded.xf", np.array([turn] * shape[0]))
    return path


def write_structures(folder: Path) -> list[dict[str, Any]]:
    """Write a map and a structure, and return species made of them."""
    template = phantom_template("lantern", 4.0)
    write_volume(folder / "map.mrc", gaussian_filter(template.density, 1), template.voxel_size_A)
    atoms = np.random.default_rng(2).normal(size=(20_000, 3))
    atoms *= (
        80
        * np.random.default_rng(3).uniform(0, 1, (20_000, 1)) ** (1 / 3)
        / np.linalg.norm(atoms, axis=1, keepdims=True)
    )
    lines = [
        f"ATOM  {number % 100_000:5d}  C   ALA A{number % 10_000:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00"
        + "C".rjust(12)
        for number, (x, y, z) in enumerate(atoms, start=1)
    ]
    (folder / "ball.pdb").write_text("\n".join([*lines, "END", ""]))
    return [
        {"name": "map", "source": str(folder / "map.mrc"), "count": 60},
        {"name": "ball", "source": str(folder / "ball.pdb"), "count": 60},
        {"name": "boot", "count": 200},
    ]


def list_structures(folder: Path) -> list[dict[str, Any]]:
    """Return species made of all structures and maps of a folder."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".pdb", ".mrc")]
    by_name = {path.stem: path for path in files}
    return [{"name": name, "source": str(path), "count": 30} for name, path in by_name.items()]


def measure_stages(data: Path) -> list[tuple[str, int, float | None, float]]:
    """Return name, units, estimated and measured seconds of each stage of a finished run."""
    folder = RunFolder(data)
    lines, _ = read_lines(folder.event_log)
    requirements = parse_requirements(select_last_run(lines)[0])
    measured: dict[str, float] = defaultdict(float)
    for path in (data / "progress").rglob("*.json"):
        marker = Marker.read(path)
        if marker is not None and marker.processor_s is not None:
            measured[path.relative_to(data / "progress").parts[0]] += marker.processor_s
    return [
        (
            stage.stage,
            stage.units,
            stage.seconds,
            measured[stage.stage],
        )
        for stage in requirements.stages
    ]


def main() -> None:
    """Run the configurations and print a table for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=CONFIGURATIONS, default=CONFIGURATIONS)
    parser.add_argument("--stack", type=Path, help="recorded tilt-series")
    parser.add_argument("--structures", type=Path, help="folder of .pdb and .mrc files")
    options = parser.parse_args()
    for name in options.only:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            file = folder / "run.yaml"
            file.write_text(yaml.safe_dump(describe_run(name, folder, options.stack, options.structures)))
            for command in ("plan", "run"):
                subprocess.run([sys.executable, "-m", "faket_dask.cli", command, str(file)], check=True)
            print(f"\n{name}; load of the machine {os.getloadavg()[0]:.1f}")
            print(f"{'stage':22} {'units':>5} {'estimated':>10} {'measured':>10} {'ratio':>6}")
            for stage, units, estimate, measured in measure_stages(folder / "data"):
                told = "unknown" if estimate is None else f"{estimate:.2f} s"
                ratio = "" if estimate is None else f"{estimate / max(measured, 1e-3):.2f}"
                print(f"{stage:22} {units:5} {told:>10} {measured:8.2f} s {ratio:>6}")


if __name__ == "__main__":
    main()
