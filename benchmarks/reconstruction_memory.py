"""Memory of a worker that filters a 3500² tilt, and of one that back-projects a part of a 3500² x 360 tomogram.

The units of the batch run are computed, each in a process of its own: on a tilt of noise, and on filtered tilts of
zeros. The output lists the peak of the process and the share of the interpreter with all libraries.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import distributed  # noqa: F401 - a worker process has it loaded, too
import numpy as np

from faket_dask.config import parse
from faket_dask.dataset.geometry import BLOCK_ROWS
from faket_dask.dataset.inputs import Inputs
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.tomograms import list_tomograms
from faket_dask.engine.arrays import open_array
from faket_dask.engine.unit import Item
from faket_dask.pipeline import TILT_SERIES


def spec(folder: Path, size: int, layers: int, kind: str, binning: int) -> DatasetSpec:
    document = {
        "dataset": {"folder": str(folder), "seed": 0},
        "specimen": {
            "thickness_A": 10 * layers,
            "width_factor": 1,
            "species": [{"name": "boot", "count": 1}],
        },
        "acquisition": {
            "tilt_angles": {"start_deg": -60, "stop_deg": 60, "step_deg": 2},
            "pixel_size_A": 10,
            "detector_px": [size, size],
        },
        "references": [{"kind": "simulated", "name": "a"}],
        "outputs": {"modalities": ["noisy"]},
        "reconstruction": {"modalities": ["noiseless"], "filter": kind, "post_binning": binning},
    }
    return DatasetSpec(parse(document, folder), Inputs({}, (), (), ""))


def peak_MB() -> float:
    """Return the peak of this process alone; `getrusage` would include that of the parent process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def compute(made: DatasetSpec, stage: str, item: Item) -> None:
    before = peak_MB()
    start = time.perf_counter()
    TILT_SERIES[stage].compute(made, item, 0)
    seconds = time.perf_counter() - start
    print(f"{stage}: peak {peak_MB():.0f} MB, {before:.0f} MB of it before; {seconds:.1f} s with compilation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=3500)
    parser.add_argument("--layers", type=int, default=360)
    parser.add_argument("--filter", default="hann")
    parser.add_argument("--post-binning", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        made = spec(Path(scratch) / "data", args.size, args.layers, args.filter, args.post_binning)
        [tomogram] = list_tomograms(made, made.series[0])
        for stage in ("project", "filter", "reconstruct"):
            item = Item(tomogram.owner) if stage == "project" else tomogram.item
            TILT_SERIES[stage].set_up(made, item)
        noise = np.random.default_rng(0).standard_normal((args.size, args.size), dtype=np.float32)
        stack = open_array(tomogram.stack_group, tomogram.modality)
        for start in range(0, args.size, BLOCK_ROWS):
            block = np.zeros((stack.shape[0], *noise[start : start + BLOCK_ROWS].shape), dtype=np.float32)
            block[tomogram.tilts[0]] = noise[start : start + BLOCK_ROWS]
            stack[:, start : start + BLOCK_ROWS] = block
        filtered = open_array(tomogram.group, f"{tomogram.modality}_filtered")
        for tilt in range(filtered.shape[0]):
            filtered[tilt] = np.zeros(filtered.shape[1:], dtype=np.float32)
        for stage in ("filter", "reconstruct"):
            process = multiprocessing.get_context("spawn").Process(
                target=compute, args=(made, stage, tomogram.item)
            )
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(f"{stage} failed")


if __name__ == "__main__":
    main()
