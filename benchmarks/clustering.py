"""Particles from degraded score maps: F1 and time of scikit-learn's mean shift, of ours, and of the watershed.

    python benchmarks/clustering.py [--seeds 3] [--columns 256] [--without-reference]

Specimens of twelve classes of globules, with the masses and numbers of SHREC 2021's, vesicles left out, are rendered in
180 layers of 10 Å. Their class masks become score maps as bad as those of a network: of the particles some are missed,
some lose a part, some have another class, wholly or in patches; rims are eroded, gaps to near neighbours are closed,
blobs are added, and everything is blurred and noisy. A prediction finds the instance whose label, dilated once, has its
voxel. F1 of localisation counts the distinct instances found, F1 of classes those whose first prediction has their
class. Thresholds of size are a fifth of the mean size of a class. scikit-learn is needed for the reference.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from faket_dask.kernels.clustering import (
    Detections,
    Segmentation,
    classify_voxels,
    mean_shift,
    shift_means,
    split_components,
)
from faket_dask.kernels.clustering.detections import describe_clusters
from faket_dask.kernels.clustering.mean_shift import BANDWIDTH_PX, BINNING
from faket_dask.specimen import Recipe, Species, place, render_block

MASSES_KDA = (43, 63, 85, 158, 189, 236, 239, 542, 560, 593, 1309, 3327)
PER_UM3 = 2775.0
VOXEL_A = 10.0
LAYERS = 180


class Truth(NamedTuple):
    """Masks ``(z, y, x)`` of classes and instances, and the class of each instance, that of 0 first."""

    class_mask: NDArray[np.uint8]
    instance_mask: NDArray[np.int32]
    class_id: NDArray[np.int64]


def build_truth(columns: int, seed: int) -> Truth:
    """Build a specimen, and keep its labels."""
    volume_um3 = LAYERS * columns**2 * (VOXEL_A * 1e-4) ** 3
    count = round(PER_UM3 * volume_um3)
    species = tuple(Species(f"g{mass}", f"globule:{mass}kDa", count=count) for mass in MASSES_KDA)
    recipe = Recipe((LAYERS, columns, columns), VOXEL_A, species, ice_texture=0.0)
    table = place(recipe, np.random.default_rng(seed))
    block = render_block(recipe, table, 0, columns)
    labelled = table.labelled()
    class_id = np.zeros(int(labelled.instance.max()) + 1, np.int64)
    class_id[labelled.instance] = labelled.class_id
    return Truth(block.class_mask.astype(np.uint8), block.instance_mask.astype(np.int32), class_id)


def degrade(truth: Truth, seed: int) -> NDArray[np.float16]:
    """Turn true labels into scores ``(class, z, y, x)`` of a network that errs."""
    rng = np.random.default_rng((seed, 1))
    shape, classes = truth.class_mask.shape, int(truth.class_id.max()) + 1
    mask = np.zeros(shape, np.uint8)
    for instance, box in enumerate(ndimage.find_objects(truth.instance_mask), start=1):
        if box is None or rng.random() < 0.08:
            continue
        mine = truth.instance_mask[box] == instance
        if rng.random() < 0.4:
            eroded = ndimage.binary_erosion(mine)
            mine = eroded if eroded.any() else mine
        if rng.random() < 0.15:
            normal = rng.standard_normal(3)
            places = np.tensordot(normal, np.indices(mine.shape), axes=1)
            mine &= places > np.quantile(places[mine], rng.uniform(0.2, 0.6))
        label = truth.class_id[instance] if rng.random() > 0.1 else rng.integers(1, classes)
        mask[box][mine] = label
    for _ in range(round(0.1 * len(truth.class_id))):
        _add_ball(mask, rng.uniform(0, shape), rng.uniform(1, 4), int(rng.integers(1, classes)))
    gaps = ndimage.binary_closing(mask > 0, iterations=2) & (mask == 0)
    nearest = ndimage.distance_transform_edt(mask == 0, return_distances=False, return_indices=True)
    mask[gaps] = mask[tuple(nearest)][gaps]
    patches = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), 2) * 15
    confused = (patches > 1.0) & (mask > 0)
    mask[confused] = (mask[confused] + 4) % classes
    scores = np.empty((classes, *shape), np.float16)
    for label in range(classes):
        soft = ndimage.gaussian_filter((mask == label).astype(np.float32), 1.0)
        noise = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), 1.0)
        scores[label] = soft + 0.35 * noise
    return scores


def _add_ball(mask: NDArray[np.uint8], centre: NDArray[np.float64], radius: float, label: int) -> None:
    box = tuple(slice(max(0, int(at - radius)), int(at + radius) + 2) for at in centre)
    region = mask[box]
    axes = [np.arange(at.start, at.start + size) for at, size in zip(box, region.shape, strict=True)]
    grid = np.meshgrid(*axes, indexing="ij")
    region[sum((axis - at) ** 2 for axis, at in zip(grid, centre, strict=True)) <= radius**2] = label


def measure_f1(truth: Truth, found: Detections) -> tuple[float, float]:
    """Return the F1 of localisation and of classes."""
    widened = ndimage.grey_dilation(truth.instance_mask, footprint=ndimage.generate_binary_structure(3, 1))
    seen = np.where(truth.instance_mask > 0, truth.instance_mask, widened)
    voxels = np.clip(np.rint(found.position).astype(int), 0, np.array(seen.shape) - 1)
    hit = seen[tuple(voxels.T)]
    distinct, first = np.unique(hit, return_index=True)
    first, distinct = first[distinct > 0], distinct[distinct > 0]
    right = np.count_nonzero(found.class_id[first] == truth.class_id[distinct])
    total = len(np.unique(truth.instance_mask)) - 1 + len(found)
    return 2 * len(distinct) / total, 2 * right / total


def find_by_scikit_learn(segmentation: Segmentation, smallest: dict[int, int]) -> Detections:
    """Find particles with scikit-learn's mean shift."""
    from sklearn.cluster import MeanShift

    points = np.argwhere(segmentation.class_mask > 0)
    fit = MeanShift(bandwidth=BANDWIDTH_PX, bin_seeding=True).fit(points)
    found = describe_clusters(segmentation, points, fit.labels_.astype(np.intp), fit.cluster_centers_)
    return found.drop_small(smallest)


def main() -> None:
    """Print F1 and time of each method and seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--columns", type=int, default=256)
    parser.add_argument("--without-reference", action="store_true", help="leave scikit-learn out")
    arguments = parser.parse_args()
    shift_means(np.ones((2, 2, 2), np.bool_), 5.0)  # compiles
    methods: dict[str, Callable[[Segmentation, dict[int, int]], Detections]] = {
        "mean_shift": lambda segmentation, smallest: mean_shift(segmentation, smallest=smallest),
    }
    for distance in (5.0, 6.0, 7.0):
        methods[f"split_components({distance:g})"] = lambda segmentation, smallest, distance=distance: (
            split_components(segmentation, distance, smallest)
        )
    if not arguments.without_reference:
        methods["scikit-learn MeanShift"] = find_by_scikit_learn
    for seed in range(arguments.seeds):
        truth = build_truth(arguments.columns, seed)
        voxels = np.bincount(truth.class_mask.ravel())
        instances = np.bincount(truth.class_id[1:])
        smallest = {c: round(0.2 * voxels[c] / instances[c] / BINNING**3) for c in range(1, len(voxels))}
        scores = degrade(truth, seed)
        begin = time.process_time()
        segmentation = classify_voxels(scores, BINNING)
        points = np.count_nonzero(segmentation.class_mask)
        print(
            f"seed {seed}: {len(truth.class_id) - 1} particles, {points} voxels of foreground; scores averaged in "
            f"{time.process_time() - begin:.1f} s",
            flush=True,
        )
        for name, find in methods.items():
            begin = time.process_time()
            found = find(segmentation, smallest)
            seconds = time.process_time() - begin
            location, classes = measure_f1(truth, found)
            print(
                f"  {name:24s} {len(found):5d} found, F1 {location:.4f} (classes {classes:.4f}), {seconds:.3f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
