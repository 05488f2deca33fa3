"""Law of labels: an instance's voxels are as dense as the object, and no two instances share any.

A voxel of an object's label is dense if it has nine tenths of the least density that the label has where the object is
alone, or half of it where templates ripple (voxels that average over their cube) and for beads, whose rim the soft edge
of a particle displaces; half is nearer to the object than to ice. Membranes give way to the proteins that sit on them,
and the subunits of a filament, which touch, share the voxels between them; neither counts as lost.

    python benchmarks/label_law.py [--specimens 100] [--first 0]

measures random specimens of 64 x 128 x 128 voxels of 10 Å: particles, chains, clusters, membrane proteins, organelles,
filaments, beads, distractors and a labelled crowd, in a volume, a film of ice with carbon, or a lamella with
contamination.
"""

import argparse
import multiprocessing
import os
from collections import Counter, defaultdict
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from faket_dask.errors import InputError
from faket_dask.specimen import (
    Carbon,
    Chain,
    Cisterna,
    Cluster,
    Contamination,
    Crowding,
    Distractors,
    Ellipsoid,
    Fiducials,
    Film,
    FreeForm,
    Lamella,
    ParticleTable,
    Recipe,
    Sheet,
    Species,
    Torus,
    Tubule,
    Vesicle,
    list_parts,
    place,
    render_block,
)
from faket_dask.specimen.component import Component, Layer, MergedComponent
from faket_dask.specimen.filaments.kinds import Helices, Microtubules, Polymers
from faket_dask.specimen.slab.slab import Slab
from faket_dask.specimen.species import Topology
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
    ice = table.class_name == "ice"
    for index in np.flatnonzero(table.class_id > 0):
        row = table.row(index)
        component = recipe.by_class[row.class_name]
        reach = component.measure_reach(row, recipe.grid) / voxel_A + 1
        middle = row.centre_A[1] / voxel_A
        first, last = max(y_start, int(middle - reach)), min(y_stop, int(middle + reach) + 2)
        if first >= last:
            continue
        alone = render_block(recipe, table.select(ice | (np.arange(len(table)) == index)), first, last)
        mine = alone.instance_mask == row.instance
        if not mine.any():
            continue
        seen = block.instance_mask[:, first - y_start : last - y_start]
        kept = seen == row.instance
        assert not (kept & ~mine).any()
        others = mine & ~kept
        if component.layer is Layer.MEMBRANES:  # gives way to the proteins that sit on it
            others &= ~np.isin(seen, table.instance[table.parent == row.instance])
        elif isinstance(component, MergedComponent):
            others &= ~np.isin(seen, table.instance[table.class_name == row.class_name])
        strict = recipe.sampling is Sampling.SMOOTHED and row.class_name != "fiducial"
        least = float(alone.density[mine].min())  # the middle of a bilayer is less dense than ice
        level = least - (0.1 if strict else 0.5) * abs(least) - 0.01  # crystals have the potential of ice, 0
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


def draw_recipe(rng: np.random.Generator) -> Recipe:
    """Draw a recipe with some of all kinds of objects."""
    organelles = (
        Vesicle((1, 2), (120.0, 220.0), deformation=0.2),
        Vesicle(1, 240.0, name="double", inner_gap_A=110.0),
        Ellipsoid(1, (150.0, 220.0), aspect=(0.7, 0.9)),
        Torus(1, 180.0, tube_radius_A=80.0),
        Tubule(1, 100.0, length_A=500.0, bend_radius_A=500.0),
        Cisterna(1, 400.0, lumen_A=130.0, rim_swelling=1.1),
        FreeForm(1, 220.0, amplitude_A=30.0, wavelength_A=400.0, bend_radius_A=90.0),
        Sheet((1, 2), (150.0, 210.0)),
    )
    filaments = (
        Helices(count=(1, 2), name="actin", length_A=(300.0, 500.0)),
        Microtubules(count=1, name="microtubule", length_A=400.0),
        Polymers(
            count=(1, 3),
            name="beads",
            source="comma",
            spacing_A=90.0,
            length_A=400.0,
            persistence_length_A=500.0,
        ),
    )
    slabs = (
        None,
        None,
        Film(thickness_A=(500.0, 520.0), wedge_deg=(0.0, 2.0), roughness_A=6.0, carbon=Carbon((60.0, 90.0))),
        Lamella(
            thickness_A=(380.0, 420.0),
            wedge_deg=(0.0, 3.0),
            curtaining_A=10.0,
            contamination=Contamination((1, 2), (90.0, 100.0)),
        ),
    )
    group = organelles[rng.integers(len(organelles))]
    components: list[Component] = [
        Species("lantern", count=(1, 4), chain=Chain((2, 3))),
        Species("boot", count=(1, 6), cluster=Cluster((2, 4))),
        Species("coil", count=(1, 8)),
        group,
        Species("spike", "comma", count=(0, 4), on_membrane=True, membrane_offset_A=30.0),
        Species("pump", "boot", count=(0, 3), on_membrane=group.name, topology=Topology.INWARD),
        filaments[rng.integers(len(filaments))],
        Fiducials((0, 2)),
        Distractors((0, 5), (60.0, 120.0)),
        Crowding(
            float(rng.uniform(0.01, 0.15)),
            (Species("propeller", share=1), Species("grain", "comma", share=1)),
            labelled=True,
        ),
    ]
    slab: Slab | None = slabs[rng.integers(len(slabs))]
    return Recipe(
        (64, 128, 128),
        10.0,
        tuple(components) if slab is None else (*components, *list_parts(slab)),
        ice_texture=0.0,
        sampling=list(Sampling)[rng.integers(len(Sampling))],
        cut_surfaces=slab is None and bool(rng.integers(2)),
    )


def main() -> None:
    """Print the law of each random specimen, and the worst of all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--specimens", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    arguments = parser.parse_args()
    seed, laws, unplaced = arguments.first, [], 0
    classes: Counter[str] = Counter()
    while len(laws) < arguments.specimens:
        rng = np.random.default_rng(seed)
        recipe = draw_recipe(rng)
        try:
            table = place(recipe, rng)
        except InputError as error:
            unplaced += 1
            print(f"seed {seed}: {error}")
        else:
            laws.append(measure_law(recipe, table))
            classes.update(table.counts())
            print(f"seed {seed}: {laws[-1]}", flush=True)
        seed += 1
    worst = min(laws, key=lambda law: law.least_share)
    print(
        f"{len(laws)} specimens ({unplaced} had no room), {sum(law.instances for law in laws)} instances: "
        f"{dict(classes)}"
    )
    print(
        f"worst: {worst.least_share:.4f} ({worst.worst_class}); lost: {sum(law.lost for law in laws)} voxels"
    )


if __name__ == "__main__":
    main()
