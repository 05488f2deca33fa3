"""Draw docs/demo.png from the demo's data set: ``python docs/demo_picture.py demo-dataset docs/demo.png``."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from faket_dask import open_dataset, open_series

MODALITIES = ("noiseless", "noisy", "faket", "reference", "benchmark")
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#f0e442")


def main(folder: str, target: str) -> None:
    """Draw two tilts of the first series, one row per angle."""
    dataset = open_dataset(folder)
    name = dataset.series[0]
    series = dataset.open(name)
    reference = dataset.spec.simulated_specimen(series.attrs["reference"])
    series["reference"] = open_series(dataset.spec.folder.specimen(reference))["tilts/benchmark"]
    pixel_size_A = series.attrs["pixel_size_A"]
    particles = dataset.particles(name)
    figure, axes = plt.subplots(2, 5, figsize=(12.5, 5.3), layout="constrained")
    for row, angle in zip(axes, (0, 60), strict=True):
        for axis, modality in zip(row, MODALITIES, strict=True):
            tilt = series[modality].sel(tilt_angle=angle).values
            low, high = np.percentile(tilt, (0.5, 99.5))
            axis.imshow(tilt, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            axis.set(xticks=[], yticks=[], title=modality if angle == 0 else None)
        row[0].set_ylabel(f"{angle}°")
    for number, kind in enumerate(dict.fromkeys(particles.class_name)):
        x, y, _ = particles.centre_A[particles.class_name == kind].T / pixel_size_A
        x = x - float(series["x"][0]) / pixel_size_A
        inside = (x > 0) & (x < tilt.shape[1])
        axes[0, 0].scatter(
            x[inside],
            y[inside],
            s=70,
            linewidths=1.5,
            facecolors="none",
            edgecolors=COLOURS[number],
            label=kind,
        )
    figure.legend(loc="outside lower left", ncols=6, frameon=False)
    figure.savefig(Path(target), dpi=80)
    Image.open(target).convert("RGB").quantize(128, method=Image.Quantize.FASTOCTREE).save(
        target, optimize=True
    )  # half the size


if __name__ == "__main__":
    main(*sys.argv[1:])
