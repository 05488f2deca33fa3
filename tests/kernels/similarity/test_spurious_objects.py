"""Objects that no label explains."""

import numpy as np
import pytest

from faket_dask.kernels.similarity.spurious_objects import find_blobs, mask_labels, spurious_density


def disc(shape: tuple[int, int], centre: tuple[int, int], radius: float) -> np.ndarray:
    return np.hypot(*(np.ogrid[: shape[0], : shape[1]][axis] - centre[axis] for axis in (0, 1))) < radius


@pytest.mark.parametrize("radius", [3, 6, 11])
@pytest.mark.parametrize("depth", [-3.0, 3.0])
def test_bead_is_found_at_its_place(radius: int, depth: float) -> None:
    rng = np.random.default_rng(0)
    image = rng.standard_normal((200, 240)) + depth * disc((200, 240), (70, 150), radius)
    places = find_blobs(image)
    assert len(places) >= 1
    assert np.hypot(*(places - (70, 150)).T).min() <= radius


def test_noise_has_few_objects() -> None:
    rng = np.random.default_rng(1)
    counts = [len(find_blobs(rng.standard_normal((256, 256)))) for _ in range(6)]
    assert np.mean(counts) < 5


def test_objects_outside_labels_are_counted() -> None:
    rng = np.random.default_rng(2)
    shape = (256, 256)
    known, made_up = disc(shape, (60, 60), 6), disc(shape, (180, 190), 6)
    explained = mask_labels(0.01 * rng.standard_normal(shape) - known)
    assert explained[60, 60]
    assert not explained[180, 190]
    assert explained.mean() < 0.05
    noise = rng.standard_normal(shape)
    honest, inventive = (spurious_density(noise - 4 * beads, explained) for beads in (known, known | made_up))
    assert inventive >= honest + 1e6 / noise.size


def test_empty_image_has_no_objects() -> None:
    assert len(find_blobs(np.ones((64, 64)))) == 0
    assert not mask_labels(np.ones((64, 64))).any()
