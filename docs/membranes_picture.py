"""Draw docs/membranes.png, sections of membranes by kind: ``python docs/membranes_picture.py docs/membranes.png``."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from faket_dask.specimen import (
    Cisterna,
    Ellipsoid,
    FreeForm,
    Mitochondrion,
    Recipe,
    Sheet,
    Species,
    Torus,
    Tubule,
    Vesicle,
    place,
    render_block,
)
from faket_dask.specimen.membranes.compartments import map_compartments
from faket_dask.specimen.species import Topology

VOXEL_A, DEPTH, SIDE = 10.0, 180, 256
SHOWN = {
    "vesicle, inner_gap_A": (3, Vesicle(1, 560.0, inner_gap_A=160.0, deformation=0.06)),
    "ellipsoid": (3, Ellipsoid(3, (350.0, 550.0))),
    "torus": (1, Torus(3)),
    "tubule": (3, Tubule(3, (150.0, 220.0), length_A=(1000.0, 1500.0))),
    "cisterna, stack": (3, Cisterna(1, 950.0, stack=4, may_be_cut=True)),
    "free_form": (3, FreeForm(1, 560.0)),
    "mitochondrion": (3, Mitochondrion(1, 1000.0, may_be_cut=True)),
    "sheet": (3, Sheet(5)),
}
PROTEINS = (
    Species("pump", "boot", count=25, on_membrane=True, membrane_offset_A=45.0),
    Species("spike", "comma", count=25, on_membrane=True, membrane_offset_A=45.0, topology=Topology.INWARD),
)


def main(target: str) -> None:
    """Draw a section and the compartments of each kind."""
    figure, axes = plt.subplots(4, 4, figsize=(12.0, 12.6), layout="constrained")
    for number, (title, (seed, group)) in enumerate(SHOWN.items()):
        recipe = Recipe((DEPTH, SIDE, SIDE), VOXEL_A, (group, *PROTEINS), ice_texture=0.0)
        table = place(recipe, np.random.default_rng(seed))
        block = render_block(recipe, table, 0, SIDE)
        compartments = map_compartments(recipe, table, 0, SIDE)
        membranes = np.isin(block.class_mask, recipe.class_ids[group.name])
        section = int(np.argmax(membranes.sum(axis=(1, 2))))
        density, labels = axes[2 * (number // 4) : 2 * (number // 4) + 2, number % 4]
        density.imshow(block.density[section], cmap="gray_r", vmin=-1, vmax=4, origin="lower")
        density.set_title(title)
        shown = np.where(compartments[section] > 0, compartments[section] % 8, np.nan)
        labels.imshow(shown, cmap="Pastel1", vmin=0, vmax=8, origin="lower", interpolation="nearest")
        classes = np.ma.masked_equal(block.class_mask[section], 0)
        labels.imshow(classes, cmap="Set1", vmin=0, vmax=8, origin="lower", interpolation="nearest")
    for axis in axes.flat:
        axis.set_axis_off()
    figure.savefig(target, dpi=75)
    Image.open(target).convert("RGB").quantize(64).save(Path(target), optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
