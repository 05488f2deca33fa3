"""Draw docs/matched.png: ``python docs/matched_picture.py DATASET OTHER-DATASET docs/matched.png``.

Two data sets of one specimen and one reference: one made with `preset: matched` that kept `noisy` and `spectral`, the
other with `preset: published`.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from faket_dask import open_dataset
from faket_dask.dataset.references import reference_tilt
from faket_dask.kernels.moments import standardise

SIDE = 320


def middle(tilt: np.ndarray) -> np.ndarray:
    top, left = ((size - SIDE) // 2 for size in tilt.shape)
    return standardise(tilt[top : top + SIDE, left : left + SIDE])


def main(folder: str, other: str, target: str) -> None:
    dataset, published = open_dataset(folder), open_dataset(other)
    [name] = dataset.series
    ours, theirs, blueprint = dataset.open(name), published.open(name), dataset.blueprint
    reference = blueprint.series[0].reference
    figure, axes = plt.subplots(2, 5, figsize=(15, 6.3), layout="constrained")
    for row, angle in zip(axes, (0, 60), strict=True):
        recorded = int(np.argmin(np.abs(blueprint.reference_angles(reference) - angle)))
        tilts = {
            "noisy": ours["noisy"].sel(tilt_angle=angle).values,
            "published": theirs["faket"].sel(tilt_angle=angle).values,
            "spectral": ours["spectral"].sel(tilt_angle=angle).values,
            "matched": ours["faket"].sel(tilt_angle=angle).values,
            "recorded tilt": reference_tilt(blueprint, reference, recorded),
        }
        for axis, (title, tilt) in zip(row, tilts.items(), strict=True):
            axis.imshow(middle(tilt), cmap="gray", vmin=-3, vmax=3, interpolation="nearest")
            axis.set(xticks=[], yticks=[], title=title if angle == 0 else None)
        row[0].set_ylabel(f"{angle}°")
    figure.savefig(Path(target), dpi=100)
    plt.close(figure)
    Image.open(target).convert("L").quantize(32).save(target, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
