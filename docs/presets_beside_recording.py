"""Draw presets beside a recording: ``python docs/presets_beside_recording.py STACK PICTURE DATASET…``.

Each data set has one series in the style of the recording. Above are the tilts nearest to 0°, below slices of
tomograms, 6 nm at mid-height, made in one way; on the right is the recording, whose angles have the sign of Warp.
Images show the middle, smoothed by a Gaussian of 15 Å, between the same percentiles of each.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from faket_dask.dataset.modality_stores import owning_item, stack_group
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import read_tilt
from faket_dask.formats.openers import open_tilt_series
from faket_dask.kernels.artefacts import artefact_mask
from faket_dask.stages.consistency import crop_middle, mask_artefacts, reconstruct_middle

MODALITY = "spectral"
PIXELS = 320
LAYERS = 6
SMOOTHING_PX = 1.5

Tilts = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]


def read_dataset(folder: Path) -> Tilts:
    """Read the middle of the first series' tilts, with valid pixels and angles."""
    spec = DatasetSpec.read(folder)
    series = spec.series[0]
    group = stack_group(spec.folder, owning_item(series, MODALITY), MODALITY)
    angles = np.asarray(spec.geometry.acquisition(series.name).tilt_angles)
    stack = np.stack([crop_middle(read_tilt(group, MODALITY, tilt), PIXELS) for tilt in range(angles.size)])
    return stack, mask_artefacts(stack), angles


def read_recording(path: Path) -> Tilts:
    """Read the middle of a recording's aligned tilts, with valid pixels and angles."""
    series = open_tilt_series(path, sign="warp").aligned()
    pairs = [series.read_tilt_and_outside(tilt) for tilt in range(series.shape[0])]
    masks = [crop_middle(~(artefact_mask(image) | outside), PIXELS) > 0 for image, outside in pairs]
    stack = np.stack([crop_middle(image, PIXELS) for image, _ in pairs])
    return stack, np.stack(masks), series.geometry.tilt_angles


def main(recording: str, picture: str, *folders: str) -> None:
    """Draw all in one picture."""
    shown = {Path(folder).name.rsplit("-", 1)[0]: read_dataset(Path(folder)) for folder in folders}
    shown["recording"] = read_recording(Path(recording))
    figure, axes = plt.subplots(2, len(shown), figsize=(2.6 * len(shown), 5.4), layout="constrained")
    for column, (name, (stack, masks, angles)) in enumerate(shown.items()):
        slab = reconstruct_middle(stack, masks, angles, LAYERS).mean(axis=0)
        for axis, image in ((axes[0, column], stack[np.argmin(np.abs(angles))]), (axes[1, column], slab)):
            image = gaussian_filter(image, SMOOTHING_PX)
            low, high = np.percentile(image, (0.5, 99.5))
            axis.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
        axes[0, column].set_title(name)
    axes[0, 0].set_ylabel("tilt at 0°")
    axes[1, 0].set_ylabel("slice of the tomogram")
    path = Path(picture)
    figure.savefig(path, dpi=90)
    Image.open(path).convert("RGB").quantize(96, method=Image.Quantize.FASTOCTREE).save(path, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
