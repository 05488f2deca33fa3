"""Draw docs/ice.png, a film at its carbon edge and a lamella: ``python docs/ice_picture.py docs/ice.png``."""

import math
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.microscope import Microscope, simulate_tilt
from faket_dask.kernels.optics import Defocus
from faket_dask.kernels.projection import project
from faket_dask.specimen import (
    Carbon,
    Contamination,
    Crowding,
    Fiducials,
    Film,
    Lamella,
    Recipe,
    Species,
    list_parts,
    place,
    render_block,
)
from faket_dask.specimen.halo import Halo

VOXEL_A, SIDE, DEPTH, ANGLES = 10.0, 256, 110, (0.0, 50.0)
SPECIES = (Species("lantern", count=60), Species("boot", count=60))
FILM = Film(
    thickness_A=400.0,
    wedge_deg=0.5,
    meniscus_A=150.0,
    hole_radius_A=3000.0,
    hole_offset_A=2700.0,
    roughness_A=12.0,
    carbon=Carbon((120.0, 120.0)),
    contamination=Contamination(6, (250.0, 450.0)),
)
LAMELLA = Lamella(thickness_A=600.0, wedge_deg=1.0, curtaining_A=30.0, roughness_A=8.0)
CROWD = Crowding(0.12, (Species("globule:250kDa", share=1.0),), labelled=True)
RECIPES = {
    "film": (
        *SPECIES,
        Species("propeller", count=60, at_surface=0.8),
        Fiducials(5, halo=Halo()),
        *list_parts(FILM),
    ),
    "lamella": (*SPECIES, CROWD, *list_parts(LAMELLA)),
}


def main(target: str) -> None:
    """Draw a section, labels and two tilts of each."""
    figure, axes = plt.subplots(2, 4, figsize=(12.5, 6.2), layout="constrained")
    steepest = math.radians(ANGLES[1])
    width = math.ceil(SIDE / math.cos(steepest) + DEPTH * math.tan(steepest))
    for row, (name, components) in zip(axes, RECIPES.items(), strict=True):
        recipe = Recipe((DEPTH, SIDE, width), VOXEL_A, components)
        table = place(recipe, np.random.default_rng(4))
        block = render_block(recipe, table, 0, SIDE)
        shown = slice((width - SIDE) // 2, (width - SIDE) // 2 + SIDE)
        masks = np.moveaxis(block.class_mask[:, :, shown], 1, 0)
        middle = int(np.argmax([np.count_nonzero(np.bincount(mask.ravel()) > 100) for mask in masks]))
        row[0].imshow(block.density[:, middle, shown], cmap="gray_r", vmin=-5, vmax=5, origin="lower")
        labels = np.ma.masked_equal(block.class_mask[:, middle, shown], 0)
        row[1].imshow(labels, cmap="tab10", vmin=0, vmax=9, origin="lower", interpolation="nearest")
        row[0].set_title(f"{name}: section x, z")
        row[1].set_title("its labels")
        tilts = project(block.density, ANGLES, width=SIDE)
        for axis, angle, tilt in zip(row[2:], ANGLES, tilts, strict=True):
            image = simulate_tilt(
                -tilt * VOXEL_A,
                VOXEL_A,
                Microscope(ice_thickness_A=DEPTH * VOXEL_A),
                Exposure(angle, Defocus(3.0), 4.0),
                np.random.default_rng(0),
            )
            low, high = np.percentile(image, (0.5, 99.5))
            axis.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            axis.set_title(f"tilt of {angle:g}°")
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    figure.savefig(Path(target), dpi=80)
    Image.open(target).convert("RGB").quantize(96, method=Image.Quantize.FASTOCTREE).save(
        target, optimize=True
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
