"""Time, memory, fractions and labels of the specimens that come with the package.

    python benchmarks/presets.py crowded-cytosol [--pixels 512 512] [--seeds 1 2] [--processes 2]
        [--structures phantoms] [--voxel-size-A 10] [--law]

Draws each specimen as a run does (placement in one process, rendering in blocks of 64 rows in several) and prints
seconds by the clock and of the processor, the machine's load, the peak memory of a process, the share of the volume
that molecules fill, that of the voxels which objects take and those which are labelled. `--law` measures how much of
each instance lies in its density (`label_law.py`).
"""

import argparse
import multiprocessing
import os
import platform
import resource
import time
from dataclasses import replace

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from label_law import measure_law

from faket_dask.config import BuiltSpecimen
from faket_dask.config.specimen_presets import list_presets
from faket_dask.pipeline.structure_choice import choose_for_specimen
from faket_dask.specimen import ParticleTable, Recipe, render_block
from faket_dask.specimen.placement import draw_placement
from faket_dask.specimen.template import Sampling

BLOCK = 64


def make_recipe(arguments: argparse.Namespace) -> Recipe:
    section = BuiltSpecimen.model_validate({"preset": arguments.preset, "structures": arguments.structures})
    section = choose_for_specimen(section)
    depth = round(section.thickness_A / arguments.voxel_size_A)
    return section.recipe((depth, *arguments.pixels), arguments.voxel_size_A, Sampling.AVERAGED)


def build(job: tuple[Recipe, ParticleTable, int, int]) -> tuple[int, float, float]:
    start = time.process_time()
    block = render_block(*job)
    return int(np.count_nonzero(block.class_mask)), time.process_time() - start, peak_GiB()


def peak_GiB() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(recipe: Recipe, seed: int, processes: int, law: bool) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    for component in recipe.components:
        component.check(recipe.grid)
    templates_s, cpu = time.process_time() - cpu, time.process_time()
    placement = draw_placement(recipe, np.random.default_rng(seed))
    placing_s, peak, placed = time.process_time() - cpu, peak_GiB(), time.perf_counter()
    table = placement.table
    height = recipe.shape[1]
    jobs = [(recipe, table, y, min(y + BLOCK, height)) for y in range(0, height, BLOCK)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        records = pool.map(build, jobs, chunksize=1)
    done = time.perf_counter()
    print(f"seed {seed}, {recipe.shape} voxels, {len(table)} objects, {table.is_cut.sum()} cut")
    print(f"  labelled: {table.labelled().counts()}")
    print(
        f"  molecules fill {placement.molecular_fraction:.1%}, objects take {placement.occupied_fraction:.1%} of the "
        f"voxels, {sum(r[0] for r in records) / np.prod(recipe.shape):.1%} are labelled"
    )
    print(
        f"  processor: templates {templates_s:.1f} s, placement {placing_s:.1f} s, rendering with templates "
        f"{sum(r[1] for r in records):.1f} s"
    )
    print(
        f"  clock: placement {placed - wall:.1f} s, rendering {done - placed:.1f} s, together {done - wall:.1f} s, "
        f"at a load of {os.getloadavg()[0]:.1f}"
    )
    print(
        f"  peak memory of a process: {peak:.2f} GiB placing, {max(r[2] for r in records):.2f} GiB rendering",
        flush=True,
    )
    if law:
        found = measure_law(replace(recipe, ice_texture=0.0), table, processes)
        print(
            f"  law of labels: {found.instances} instances, at least {found.least_share:.4f} of an instance is dense "
            f"({found.worst_class}); voxels lost to others: {found.lost}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset", choices=list_presets())
    parser.add_argument("--pixels", type=int, nargs=2, default=(512, 512), metavar=("Y", "X"))
    parser.add_argument("--voxel-size-A", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=(1,))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--structures", choices=("auto", "pdb", "phantoms"), default="phantoms")
    parser.add_argument("--law", action="store_true")
    arguments = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {arguments.processes} processes"
    )
    recipe = make_recipe(arguments)
    for seed in arguments.seeds:
        measure(recipe, seed, arguments.processes, arguments.law)


if __name__ == "__main__":
    main()
