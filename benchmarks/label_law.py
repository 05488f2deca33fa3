"""Law of labels: an instance's voxels are as dense as the object, and no two instances share any.

A voxel of an object's label is dense if it has nine tenths of the least density that the label has where the object is
alone, or half of it where templates ripple (voxels that average over their cube) and for beads, whose rim the soft edge
of a particle displaces; half is nearer to the object than to ice.
"""

import multiprocessing
from collections import defaultdict
from typing import NamedTuple

import numpy as np

from faket_dask.specimen import ParticleTable, Recipe, render_block
from faket_dask.specimen.component import Layer
from faket_dask.specimen.template import Sampling

BLOCK = 64


class Law(NamedTuple):
    """Labelled instances, the least share of dense voxels of one of them, its class, and the voxels lost to others."""

    instances: int
    least_share: float
    worst_class: str
    lost: int


def measure_block(job: tuple[Recipe, ParticleTable, int, int]) -> list[tuple[int, int, int, int]]:
    """Return instance, voxels of its label, dense ones, and those lost to others, of the objects in a block of rows."""
    recipe, table, y_start, y_stop = job
    block = render_block(recipe, table, y_start, y_stop)
    records = []
    voxel_A = recipe.voxel_size_A
    for index in np.flatnonzero(table.class_id > 0):
        row = table.row(index)
        component = recipe.by_class[row.class_name]
        reach = component.measure_reach(row, recipe.grid) / voxel_A + 1
        middle = row.centre_A[1] / voxel_A
        first, last = max(y_start, int(middle - reach)), min(y_stop, int(middle + reach) + 2)
        if first >= last:
            continue
        alone = render_block(recipe, table.select(np.array([index])), first, last)
        mine = alone.instance_mask == row.instance
        if not mine.any():
            continue
        seen = block.instance_mask[:, first - y_start : last - y_start]
        kept = seen == row.instance
        assert not (kept & ~mine).any()
        others = mine & ~kept
        if component.layer is Layer.MEMBRANES:  # gives way to the proteins that sit on it
            others &= ~np.isin(seen, table.instance[table.parent == row.instance])
        strict = recipe.sampling is Sampling.SMOOTHED and row.class_name != "fiducial"
        least = float(alone.density[mine].min())  # the middle of a bilayer is less dense than ice
        level = least - (0.1 if strict else 0.5) * abs(least)
        dense = block.density[:, first - y_start : last - y_start][kept] >= level
        records.append((int(row.instance), int(kept.sum()), int(dense.sum()), int(others.sum())))
    return records


def measure_law(recipe: Recipe, table: ParticleTable, processes: int = 1) -> Law:
    """Measure the law of labels of a specimen without the texture of ice, in blocks of rows."""
    height = recipe.shape[1]
    jobs = [(recipe, table, y, min(y + BLOCK, height)) for y in range(0, height, BLOCK)]
    if processes > 1:
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            blocks = pool.map(measure_block, jobs, chunksize=1)
    else:
        blocks = [measure_block(job) for job in jobs]
    voxels: dict[int, np.ndarray] = defaultdict(lambda: np.zeros(3, np.int64))
    for records in blocks:
        for instance, *counts in records:
            voxels[instance] += counts
    shares = {instance: counts[1] / counts[0] for instance, counts in voxels.items() if counts[0]}
    worst = min(shares, key=lambda instance: shares[instance])
    name = str(table.class_name[np.flatnonzero(table.instance == worst)[0]])
    return Law(len(shares), shares[worst], name, sum(int(counts[2]) for counts in voxels.values()))
