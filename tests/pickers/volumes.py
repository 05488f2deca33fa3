"""Labelled tomograms in memory: bright and dark cubes in noise."""

import numpy as np

from faket_dask.pickers.training_tomogram import TrainingTomogram

CLASS_IDS = {"bright": 1, "dark": 2}


def make_tomogram(
    seed: int = 0, shape: tuple[int, int, int] = (24, 32, 40), objects: int = 10, name: str = "cubes"
) -> TrainingTomogram:
    rng = np.random.default_rng(seed)
    tomogram = rng.standard_normal(shape).astype(np.float32)
    mask = np.zeros(shape, dtype=np.uint16)
    centre = rng.uniform(3, np.array(shape) - 4, (objects, 3))
    class_id = np.arange(objects) % 2 + 1
    for place, label in zip(np.round(centre).astype(int), class_id, strict=True):
        region = tuple(slice(at - 2, at + 3) for at in place)
        tomogram[region] = (6, -6)[label - 1]
        mask[region] = label
    return TrainingTomogram(name, tomogram, mask, centre, class_id, CLASS_IDS, 10.0)
