"""Draw the pictures of presets: ``python docs/preset_pictures.py FOLDER docs [NAME …]``.

Makes a data set of each preset in a folder (minutes each), with phantoms for particles, and draws a slice of density
and labels beside a tilt of the built-in microscope.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import faket_dask
from faket_dask.config import parse
from faket_dask.config.specimen_presets import list_presets

PIXELS = 320
COLOURS = "tab20"


def make_dataset(name: str, folder: Path):
    """Make a data set with one specimen of a preset, or open the one that is there."""
    document = {
        "dataset": {"folder": str(folder / name), "seed": 7},
        "specimen": {"preset": name, "structures": "phantoms", "width_factor": 1.0},
        "acquisition": {
            "tilt_angles": {"start_deg": -2, "stop_deg": 2, "step_deg": 2},
            "pixel_size_A": 10,
            "detector_px": [PIXELS, PIXELS],
        },
        "microscope": {"defocus_um": 4.0, "dose_e_per_A2": 3.0},
        "references": [],
        "outputs": {"modalities": ["benchmark"], "report": False},
        "cluster": {"workers": 1},
    }
    return faket_dask.run(parse(document, Path()))


def draw(name: str, folder: Path, target: Path) -> None:
    """Draw slice, labels and tilt."""
    dataset = make_dataset(name, folder)
    tree = faket_dask.open_series(dataset.spec.folder.specimen(dataset.spec.specimens[0]))
    volume = tree["volume"]
    middle, column = volume.sizes["z"] // 2, (volume.sizes["x"] - PIXELS) // 2
    window = slice(column, column + PIXELS)
    density = volume["density"].isel(z=slice(middle - 1, middle + 2)).mean("z").values[:, window]
    classes = volume["class_mask"].isel(z=middle).values[:, window]
    tilt = tree["tilts/benchmark"].isel(tilt=1).values
    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.7), layout="constrained")
    for axis, image, tails, title in (
        (axes[0], -density, (1, 99.5), "density, 3 nm at mid-height"),
        (axes[2], tilt, (0.3, 99.7), "tilt at 0°, 3 e/Å², 4 µm"),
    ):
        low, high = np.percentile(image, tails)
        axis.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        axis.set(xticks=[], yticks=[], title=title)
    shown = np.where(classes > 0, classes % 20, np.nan)
    axes[1].imshow(shown, cmap=COLOURS, vmin=0, vmax=19, interpolation="nearest")
    axes[1].set(xticks=[], yticks=[], title="labels of classes")
    path = target / f"preset-{name}.png"
    figure.savefig(path, dpi=90)
    Image.open(path).convert("RGB").quantize(96, method=Image.Quantize.FASTOCTREE).save(path, optimize=True)


def main(folder: str, target: str, *names: str) -> None:
    """Draw the pictures of some presets, or of all."""
    for name in names or list_presets():
        draw(name, Path(folder), Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:])
