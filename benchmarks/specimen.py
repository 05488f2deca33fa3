"""Time, memory and labels of specimens.

    python benchmarks/specimen.py [--shape 180 512 512] [--density 29755 | --crowding 0.3] [--processes 2]
        [--structures FOLDER] [--membranes]
    python benchmarks/specimen.py --labels 100

Classes are the built-in phantoms, or the structures (PDB, mmCIF) and maps (MRC) in a folder, coordinates where a name
has both: so many of all together per µm³, or unlabelled in equal shares up to a fraction of the volume by molecular
volume. The output lists the hardware, the time of placement and rendering (both with templates), the fractions that are
filled, and the peak memory of a process.

`--labels` draws so many random specimens of 64 × 128 × 128 voxels and measures the law of labels: the share of each
instance's voxels that are as dense as the particle's surface, less a tenth for the ripples about neighbours, in the
least of all particles, and the voxels that an instance loses to others, which only membranes may to the particles that
sit in them.
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
    Chain,
    Cluster,
    Crowding,
    Distractors,
    Fiducials,
    PackingError,
    ParticleTable,
    Recipe,
    Sheet,
    Species,
    Vesicle,
    render_block,
)
from faket_dask.specimen.placement import draw_placement
from faket_dask.specimen.source_names import MAP_SUFFIXES, STRUCTURE_SUFFIXES
from faket_dask.specimen.template import Sampling

BLOCK = 64
VOXEL_A = 10.0


def list_sources(folder: Path | None) -> dict[str, str]:
    """Return the sources of all classes by name."""
    if folder is None:
        return {name: name for name in PHANTOMS}
    files = (
        path for suffix in MAP_SUFFIXES + STRUCTURE_SUFFIXES for path in sorted(folder.glob(f"*{suffix}"))
    )
    return {path.stem: str(path) for path in files}


def make_recipe(arguments: argparse.Namespace) -> Recipe:
    sources = list_sources(arguments.structures)
    membranes = (Vesicle(12, (250, 600)), Fiducials(20)) if arguments.membranes else ()
    if arguments.crowding:
        crowd = tuple(Species(name, source, share=1) for name, source in sources.items())
        return Recipe(
            tuple(arguments.shape),
            VOXEL_A,
            (*membranes, Crowding(arguments.crowding, crowd)),
            sampling=Sampling.AVERAGED,
        )
    density = arguments.density / len(sources)
    species = tuple(Species(name, source, density_per_um3=density) for name, source in sources.items())
    return Recipe(tuple(arguments.shape), VOXEL_A, (*species, *membranes), sampling=Sampling.AVERAGED)


def build(job: tuple[Recipe, ParticleTable, int, int]) -> tuple[int, float, float]:
    start = time.perf_counter()
    block = render_block(*job)
    seconds = time.perf_counter() - start
    return int(np.count_nonzero(block.class_mask)), seconds, peak_GiB()


def peak_GiB() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def time_specimen(arguments: argparse.Namespace) -> None:
    recipe = make_recipe(arguments)
    shape = recipe.shape
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {arguments.processes} processes"
    )
    start = time.perf_counter()
    placement = draw_placement(recipe, np.random.default_rng(1))
    placing, peak = time.perf_counter() - start, peak_GiB()
    table = placement.table
    jobs = [(recipe, table, y, min(y + BLOCK, shape[1])) for y in range(0, shape[1], BLOCK)]
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        records = pool.map(build, jobs, chunksize=1)
    wall = time.perf_counter() - start
    labelled = sum(record[0] for record in records) / np.prod(shape)
    print(f"{shape} voxels, {len(table)} objects, {table.is_cut.sum()} of them cut by the faces")
    print(
        f"molecules fill {placement.molecular_fraction:.1%} of the volume; objects take "
        f"{placement.occupied_fraction:.1%} of the voxels, and {labelled:.1%} are labelled"
    )
    print(
        f"placement {placing:.1f} s; rendering {wall:.1f} s wall, {sum(r[1] for r in records):.1f} s of work"
    )
    print(f"peak memory: placement {peak:.2f} GiB, rendering {max(r[2] for r in records):.2f} GiB a process")


def draw_recipe(rng: np.random.Generator) -> Recipe:
    """Draw a recipe of objects of all kinds, some of which may not find room."""
    names = list(PHANTOMS)
    rng.shuffle(names)
    spike = Species("spike", "comma", count=(0, 6), on_membrane=True, membrane_offset_A=rng.uniform(0, 60))
    components = (
        Species(names[0], count=(1, 15), chain=Chain((2, 5))),
        Species(names[1], count=(1, 15), cluster=Cluster((2, 6))),
        Species(names[2], count=(1, 30)),
        spike,
        Vesicle((1, 2), (120.0, 200.0), deformation=0.2),
        Sheet((0, 1), (120.0, 200.0)),
        Fiducials((0, 3)),
        Distractors((0, 5), (60.0, 150.0)),
        Crowding(rng.uniform(0.02, 0.2), tuple(Species(name, share=1) for name in names[3:]), labelled=True),
    )
    return Recipe(
        (64, 128, 128),
        VOXEL_A,
        components,
        ice_texture=0.0,
        sampling=rng.choice(list(Sampling)),
        cut_surfaces=bool(rng.integers(2)),
    )


def measure_labels(seed: int) -> tuple[int, float, int] | None:
    """Return the number of instances, the least share of dense voxels, and the voxels lost; ``None`` without room."""
    rng = np.random.default_rng([seed, 15])
    recipe = draw_recipe(rng)
    try:
        table = draw_placement(recipe, rng).table
    except PackingError:
        return None
    block = render_block(recipe, table, 0, recipe.shape[1])
    shares, lost = [], 0
    for index in np.flatnonzero(table.class_id > 0):
        row = table.row(index)
        component = recipe.by_class[row.class_name]
        reach = int(component.measure_reach(row, recipe.grid) / VOXEL_A) + 2
        y = round(row.centre_A[1] / VOXEL_A)
        rows = slice(max(0, y - reach), min(recipe.shape[1], y + reach + 1))
        alone = render_block(recipe, table.select(np.array([index])), rows.start, rows.stop)
        mine = alone.instance_mask == row.instance
        kept = block.instance_mask[:, rows] == row.instance
        assert not (kept & ~mine).any()
        if row.class_name not in ("vesicle", "sheet"):
            lost += int(mine.sum() - kept.sum())
            level = 0.9 * alone.density[mine].min()
            shares.append(float((block.density[:, rows][kept] >= level).mean()))
    return len(table), min(shares), lost


def check_labels(count: int, processes: int) -> None:
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        records = [record for record in pool.map(measure_labels, range(count), chunksize=1) if record]
    print(
        f"{len(records)} of {count} specimens found room, with {sum(r[0] for r in records)} objects; dense voxels of "
        f"an instance: {min(r[1] for r in records):.4f} or more; voxels lost to others: {sum(r[2] for r in records)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", type=int, nargs=3, default=(180, 512, 512), metavar=("Z", "Y", "X"))
    parser.add_argument("--density", type=float, default=29755.0, help="particles per µm³")
    parser.add_argument("--crowding", type=float, metavar="FRACTION")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--structures", type=Path, metavar="FOLDER")
    parser.add_argument("--membranes", action="store_true", help="add 12 vesicles and 20 beads")
    parser.add_argument("--labels", type=int, metavar="SPECIMENS")
    arguments = parser.parse_args()
    if arguments.labels:
        check_labels(arguments.labels, arguments.processes)
    else:
        time_specimen(arguments)


if __name__ == "__main__":
    main()
