"""Time and memory to build a specimen in blocks of y.

    python benchmarks/specimen.py [--shape 200 1024 2048] [--particles 2000] [--processes 2]
        [--structures FOLDER]

Classes are the built-in phantoms, or the structures (PDB, mmCIF) and maps (MRC) in a folder. The output lists the
hardware, the time of placement and rendering (both with templates), and the peak memory of a worker.
"""

import argparse
import multiprocessing
import os
import platform
import resource
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from faket_dask.specimen import (
    PHANTOMS,
    Fiducials,
    ParticleTable,
    Recipe,
    Species,
    Vesicles,
    place,
    render_block,
)
from faket_dask.specimen.sources import MAP_SUFFIXES, STRUCTURE_SUFFIXES

BLOCK = 64


def recipe(shape: tuple[int, int, int], particles: int, structures: Path | None) -> Recipe:
    if structures is None:
        sources = {name: name for name in PHANTOMS}
    else:
        suffixes = STRUCTURE_SUFFIXES + MAP_SUFFIXES
        files = sorted(path for path in structures.iterdir() if path.suffix in suffixes)
        sources = {path.name: str(path) for path in files}
    counts = [len(share) for share in np.array_split(np.arange(particles), len(sources))]
    species = tuple(
        Species(name, (source,), count=count)
        for (name, source), count in zip(sources.items(), counts, strict=True)
    )
    return Recipe(shape, 10.0, (*species, Vesicles(12, (250, 600)), Fiducials(20)))


def build(job: tuple[Recipe, ParticleTable, int, int]) -> tuple[int, float, float]:
    start = time.perf_counter()
    block = render_block(*job)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return int(np.count_nonzero(block.class_mask)), seconds, peak


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", type=int, nargs=3, default=(200, 1024, 2048), metavar=("Z", "Y", "X"))
    parser.add_argument("--particles", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--structures", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    shape = tuple(arguments.shape)
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {arguments.processes} processes"
    )
    contents = recipe(shape, arguments.particles, arguments.structures)
    start = time.perf_counter()
    table = place(contents, np.random.default_rng(1))
    placing = time.perf_counter() - start
    jobs = [(contents, table, y, min(y + BLOCK, shape[1])) for y in range(0, shape[1], BLOCK)]
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        records = pool.map(build, jobs, chunksize=1)
    wall = time.perf_counter() - start
    labelled = sum(record[0] for record in records) / np.prod(shape)
    print(f"{shape} voxels, {len(table)} objects, {labelled:.1%} of the voxels labelled")
    print(
        f"placement {placing:.2f} s; rendering {wall:.1f} s wall, {sum(r[1] for r in records):.1f} s of work"
    )
    print(f"peak memory of a worker {max(r[2] for r in records):.2f} GiB")


if __name__ == "__main__":
    main()
