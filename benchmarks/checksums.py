"""Checksums of every array of three small data sets, to show that a change of the code changes no result.

    python benchmarks/checksums.py before.json          # on the commit to compare with
    python benchmarks/checksums.py after.json --compare before.json [--renamed 'reconstruction/=tomograms/']

The three cover built and existing specimens, simulated, recorded and blended references, all noise statistics, three
presets of the style transfer, tiles, resampling, alignment, masks, drawn acquisitions and tomograms. Checksums hold for
one machine: one step of Adam is a sign, so that instruction sets and library versions may differ in pixels.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import zarr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from faket_dask.config import parse
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.serial import execute_serially
from faket_dask.pipeline.plan import plan

ACQUISITION = {
    "tilt_angles": {"start_deg": -40, "stop_deg": 40, "step_deg": 20},
    "pixel_size_A": 10,
    "detector_px": [96, 80],
}
SPECIMEN = {
    "count": 2,
    "thickness_A": 600,
    "width_factor": 1.5,
    "species": [{"name": "propeller", "count": 4}, {"name": "boot", "count": [2, 6]}],
    "membranes": [{"kind": "vesicle", "count": 1, "radius_A": [100, 150]}],
    "fiducials": {"count": 2},
}


def write_inputs(folder: Path) -> None:
    """Write a recorded tilt-series with angles and alignment, and a specimen volume with its labels."""
    rng = np.random.default_rng(7)
    tilts = 7
    stack = rng.standard_normal((tilts, 112, 100)).astype("float32")
    stack = gaussian_filter(stack, (0, 1, 1)) * 30 + 100 + np.linspace(0, 20, tilts)[:, None, None]
    stack[:, 30:38, 40:48] -= 200
    stack[2, 5, 5] = 9000
    _write_mrc(folder / "recorded.mrc", stack.astype("float32"), 11.0)
    angles = np.linspace(-45, 45, tilts)
    (folder / "recorded.tlt").write_text("".join(f"{angle:.2f}\n" for angle in angles))
    lines = [f"0.9962 -0.0872 0.0872 0.9962 {i * 0.5:.3f} {-i * 0.3:.3f}\n" for i in range(tilts)]
    (folder / "recorded.xf").write_text("".join(lines))
    density = gaussian_filter(rng.standard_normal((40, 96, 120)).astype("float32"), 2)
    instances = np.zeros(density.shape, "int16")
    classes = np.zeros(density.shape, "int8")
    z, y, x = np.ogrid[:40, :96, :120]
    for number, centre in enumerate([(20, 30, 40), (20, 60, 80), (15, 70, 30)], start=1):
        ball = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < 64
        instances[ball], classes[ball] = number, 1 + number % 2
        density[ball] += 1
    for name, volume in (("density", density), ("instances", instances), ("classes", classes)):
        _write_mrc(folder / f"{name}.mrc", volume, 10.0)


def _write_mrc(path: Path, data: NDArray[Any], voxel_size_A: float) -> None:
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(data)
        file.voxel_size = voxel_size_A


def describe_data_sets(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the run files of the three data sets by name."""
    published = {
        "dataset": {"seed": 11},
        "specimen": SPECIMEN,
        "references": [{"kind": "simulated", "name": name} for name in ("a", "b")],
        "style": {"weights": "random", "random_seed": 5},
        "reconstruction": {"modalities": ["noiseless", "faket"], "binning": 2},
        "outputs": {"modalities": ["faket", "noisy", "content", "baseline", "benchmark"]},
    }
    matched = {
        "dataset": {"seed": 12},
        "specimen": SPECIMEN | {"balanced": True},
        "references": [
            {
                "name": "recorded",
                "stack": str(folder / "recorded.mrc"),
                "align": True,
                "resample": True,
                "pixel_size_A": 11.0,
            },
            {"kind": "simulated", "name": "simulated"},
            {"kind": "blend", "name": "blend", "weights": {"recorded": 2, "simulated": 1}},
        ],
        "noise": {"statistics": "unpaired", "fit_over": "own_reference"},
        "style": {
            "weights": "random",
            "random_seed": 6,
            "preset": "matched",
            "angle_match": "interpolate",
            "evaluations": 3,
        },
        "reconstruction": {
            "modalities": ["spectral"],
            "filter": "exact",
            "post_binning": 2,
            "tilt_stride": 2,
        },
        "outputs": {"modalities": ["faket", "noisy", "spectral"]},
    }
    stack = {"stack": str(folder / "recorded.mrc"), "pixel_size_A": 10.0}
    recorded = {
        "dataset": {"seed": 13},
        "specimen": {
            "kind": "volume",
            "volumes": [
                {
                    "density": str(folder / "density.mrc"),
                    "class_mask": str(folder / "classes.mrc"),
                    "instance_mask": str(folder / "instances.mrc"),
                }
            ],
        },
        "acquisition": ACQUISITION
        | {"tilt_angles": {"start_deg": [-50, -40], "stop_deg": [40, 50], "step_deg": [10, 20]}},
        "microscope": {"defocus_um": [2, 4], "dose_e_per_A2": [1, 3]},
        "references": [
            {"name": "warp", "angle_sign": "warp", **stack},
            {"name": "unmasked", "mask": "none", **stack},
        ],
        "noise": {"given": {"signal_scale": [0.3], "noise_scale": [0.9]}, "statistics": "given"},
        "style": {
            "weights": "random",
            "random_seed": 7,
            "preset": "recorded",
            "iterations": 2,
            "reference_size": "fit_to_tilt",
            "tile": 48,
        },
        "pairing": "all",
        "outputs": {
            "modalities": ["faket", "noisy", "content", "baseline", "spectral", "benchmark"],
            "report": False,
        },
    }
    documents = {"published": published, "matched": matched, "recorded": recorded}
    for name, document in documents.items():
        document.setdefault("acquisition", ACQUISITION)
        document["dataset"]["folder"] = str(folder / name)
    return documents


def compute_checksums(folder: Path) -> dict[str, str]:
    """Make the three data sets, and return the checksum of every array and particle table by its path."""
    write_inputs(folder)
    checksums = {}
    for name, document in describe_data_sets(folder).items():
        planned = plan(parse(document, folder))
        planned.spec.write()
        execute_serially(planned, CompletedUnits.read(planned))
        for path in sorted((folder / name).rglob("zarr.json")):
            if json.loads(path.read_text())["node_type"] == "array":
                values = np.ascontiguousarray(zarr.open_array(path.parent, mode="r")[...])
                header = f"{values.dtype} {values.shape} ".encode()
                key = str(path.parent.relative_to(folder))
                checksums[key] = hashlib.sha256(header + values.tobytes()).hexdigest()
        for path in sorted((folder / name).rglob("*.particles.csv")):
            checksums[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return checksums


def compare(before: dict[str, str], after: dict[str, str], renamed: dict[str, str]) -> int:
    """Print the differences between two lists, and return their number."""
    expected = {}
    for path, checksum in before.items():
        for pattern, replacement in renamed.items():
            path = re.sub(pattern, replacement, path)
        expected[path] = checksum
    differences = [path for path in expected if after.get(path) != expected[path]]
    for path in differences:
        print(f"{path}: {'differs' if path in after else 'is missing'}")
    print(f"{len(expected)} arrays before, {len(after)} now, {len(differences)} differ or are missing")
    return len(differences)


def main() -> None:
    """Write the checksums of this commit, and compare them with a list of another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path, help="list to write")
    parser.add_argument("--compare", type=Path, help="list of another commit")
    parser.add_argument(
        "--renamed", nargs="*", default=[], help="changes of paths, pattern=replacement, one after the other"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checksums = compute_checksums(Path(folder))
    options.file.write_text(json.dumps(checksums, indent=1) + "\n")
    if options.compare:
        renamed = dict(pair.split("=", 1) for pair in options.renamed)
        raise SystemExit(min(1, compare(json.loads(options.compare.read_text()), checksums, renamed)))


if __name__ == "__main__":
    main()
