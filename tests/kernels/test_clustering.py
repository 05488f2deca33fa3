"""Tests of clustering: equality with scikit-learn's mean shift, and particles that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.clustering import (
    Segmentation,
    classify_voxels,
    mean_shift,
    shift_means,
    split_components,
)


def make_blobs(seed: int, shape: tuple[int, int, int] = (24, 48, 48), count: int = 25) -> np.ndarray:
    """Return a class mask with balls of random radius, some of which touch, and specks."""
    rng = np.random.default_rng(seed)
    grid = np.indices(shape)
    mask = np.zeros(shape, np.uint8)
    for _ in range(count):
        centre = rng.uniform(0, shape)
        near = ((grid - centre[:, None, None, None]) ** 2).sum(axis=0) <= rng.uniform(1, 6) ** 2
        mask[near] = rng.integers(1, 5)
    mask[rng.random(shape) < 1e-3] = 1
    return mask


def segment(mask: np.ndarray) -> Segmentation:
    return Segmentation(mask, np.ones(mask.shape, np.float32))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bandwidth", [5.0, 3.3])
def test_modes_are_those_of_scikit_learn(seed: int, bandwidth: float) -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    mask = make_blobs(seed) > 0
    points = np.argwhere(mask)
    reference = cluster.MeanShift(bandwidth=bandwidth, bin_seeding=True).fit(points)
    modes = shift_means(mask, bandwidth)
    np.testing.assert_array_equal(modes.centres, reference.cluster_centers_)
    different = modes.labels != reference.labels_
    if different.any():  # a point as near to one mode as to another
        distances = [
            np.linalg.norm(points[different] - modes.centres[labels[different]], axis=1)
            for labels in (modes.labels, reference.labels_)
        ]
        np.testing.assert_allclose(distances[0], distances[1], rtol=1e-12)
    assert different.mean() < 0.01


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**31), bandwidth=st.floats(1.0, 8.0))
def test_each_voxel_belongs_to_its_nearest_mode(seed: int, bandwidth: float) -> None:
    mask = make_blobs(seed, (12, 20, 20), 5) > 0
    modes = shift_means(mask, bandwidth)
    points = np.argwhere(mask)
    distances = np.linalg.norm(points[:, None] - modes.centres[None], axis=2)
    np.testing.assert_allclose(distances[np.arange(len(points)), modes.labels], distances.min(axis=1))
    apart = np.linalg.norm(modes.centres[:, None] - modes.centres[None], axis=2)
    assert (apart[~np.eye(len(apart), dtype=bool)] > bandwidth).all()


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**31), shift=st.tuples(*[st.integers(0, 3)] * 3))
def test_particles_move_with_the_volume(seed: int, shift: tuple[int, int, int]) -> None:
    mask = make_blobs(seed, (12, 20, 20), 5)
    padded = np.pad(mask, [(6 + move, 6 - move) for move in shift])
    there = split_components(segment(np.pad(mask, 6)), 5.0)
    moved = split_components(segment(padded), 5.0)
    order = np.lexsort(there.position.T), np.lexsort(moved.position.T)
    np.testing.assert_allclose(moved.position[order[1]], there.position[order[0]] + shift)


@pytest.mark.parametrize("find", [mean_shift, lambda s: split_components(s, 5.0)], ids=["shift", "split"])
def test_separate_balls_are_found_with_majority_class_and_size(find) -> None:
    mask = np.zeros((20, 40, 60), np.uint8)
    grid = np.indices(mask.shape)
    centres = np.array([[9, 9, 9], [10, 28, 12], [9, 15, 45]])
    for number, centre in enumerate(centres, start=1):
        mask[((grid - centre[:, None, None, None]) ** 2).sum(axis=0) <= 16] = number
    mask[8:10, 8:10, 8:10] = 3  # fewer voxels than those of class 1 around them
    found = find(segment(mask))
    order = np.argsort(found.class_id)
    assert found.class_id[order].tolist() == [1, 2, 3]
    np.testing.assert_allclose(found.position[order], centres, atol=0.2)
    assert (found.size == np.count_nonzero(mask == 2)).all()


def test_positions_are_in_voxels_of_the_scores_and_scores_are_means() -> None:
    scores = np.zeros((3, 12, 16, 17), np.float32)
    scores[0] = 0.4
    scores[2, 4:8, 6:10, 6:10] = 0.8
    found = mean_shift(classify_voxels(scores, 2), smallest={2: 8})
    np.testing.assert_allclose(found.position, [[5.5, 7.5, 7.5]])
    assert found.class_id.tolist() == [2]
    np.testing.assert_allclose(found.score, [0.8], rtol=1e-6)
    assert len(mean_shift(classify_voxels(scores, 2), smallest={2: 9})) == 0


def test_empty_foreground_gives_no_particles() -> None:
    empty = segment(np.zeros((4, 5, 6), np.uint8))
    assert len(mean_shift(empty)) == len(split_components(empty, 4.0)) == 0


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: classify_voxels(np.zeros((2, 3, 4))), "class, z, y, x"),
        (lambda: classify_voxels(np.zeros((2, 3, 4, 1)), 2), "cubes of 2"),
        (lambda: shift_means(np.ones((2, 2, 2), bool), 0.0), "bandwidth"),
        (lambda: segment(np.zeros((2, 2, 2))), "integers"),
        (lambda: Segmentation(np.zeros((2, 2, 2), int), np.zeros((2, 2, 3), np.float32)), "one shape"),
    ],
)
def test_wrong_arrays_are_named(action, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        action()
