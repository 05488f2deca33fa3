"""Memory of a worker that filters a 3500² tilt and one that back-projects a part of a 3500² x 360 tomogram.

The units of the batch run themselves are computed, each in a process of its own, on stores without data (which read
as zeros). Reported is the peak of the process, and what of it the interpreter with all libraries takes before.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import distributed  # noqa: F401 - a worker process has it loaded, too

from faket_dask.config import parse
from faket_dask.dataset.blueprint import Blueprint, Inputs
from faket_dask.dataset.tomograms import tomograms_of
from faket_dask.dataset.units import STAGES


def blueprint(folder: Path, size: int, layers: int) -> Blueprint:
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
        "reconstruction": {"of": ["noiseless"]},
    }
    return Blueprint(parse(document, folder), Inputs({}, (), (), ""))


def peak_MB() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def compute(made: Blueprint, stage: str, item: str) -> None:
    before = peak_MB()
    start = time.perf_counter()
    STAGES[stage].compute(made, item, 0)
    seconds = time.perf_counter() - start
    print(f"{stage}: peak {peak_MB():.0f} MB, {before:.0f} MB of it before; {seconds:.1f} s with compilation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=3500)
    parser.add_argument("--layers", type=int, default=360)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        made = blueprint(Path(scratch) / "data", args.size, args.layers)
        [tomogram] = tomograms_of(made, made.series[0])
        STAGES["project"].set_up(made, tomogram.owner)
        for stage in ("filter", "reconstruct"):
            STAGES[stage].set_up(made, tomogram.item)
            process = multiprocessing.get_context("spawn").Process(
                target=compute, args=(made, stage, tomogram.item)
            )
            process.start()
            process.join()


if __name__ == "__main__":
    main()
