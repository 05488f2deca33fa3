"""Judges of tomograms on random volumes, whose difference is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faket_dask.kernels.noise.spectra import radial_power_spectrum
from faket_dask.kernels.similarity.discrimination import discriminate_linearly, measure_accuracy
from faket_dask.kernels.similarity.patch_network import PatchNetwork
from faket_dask.kernels.similarity.tomogram_judges import judge_by_network, judge_ring_powers, judge_shapes
from faket_dask.kernels.similarity.tomogram_patches import (
    cut_patches,
    measure_ring_powers,
    measure_shapes,
    whiten_patches,
    whiten_tomogram,
)


def make_noise(
    seed: int, blur: float = 1.0, shape: tuple[int, int, int] = (16, 128, 128)
) -> NDArray[np.float64]:
    """Return blurred noise with some white noise, as a detector leaves it."""
    rng = np.random.default_rng(seed)
    volume = rng.normal(size=shape)
    if blur:
        volume = scipy.ndimage.gaussian_filter(volume, (0, blur, blur))
        volume = volume / volume.std() + 0.3 * rng.normal(size=shape)
    return volume


def add_objects(volume: NDArray[np.float64], seed: int, depth: float = 16.0) -> NDArray[np.float64]:
    """Put dark balls into a volume of white noise."""
    rng = np.random.default_rng(seed)
    marks = np.zeros(volume.shape)
    places = tuple(rng.integers(0, size, 90) for size in volume.shape)
    marks[places] = 1
    balls = scipy.ndimage.gaussian_filter(marks, 2.0)
    return volume - depth * balls / balls.max()


def test_ring_powers_tell_spectra_apart_and_not_draws() -> None:
    recorded = make_noise(0)
    other = judge_ring_powers(make_noise(1, blur=1.3), recorded, size=32)
    same = judge_ring_powers(make_noise(2), recorded, size=32)
    assert other.accuracy > 0.95
    assert same.accuracy == pytest.approx(0.5, abs=0.15)
    assert same.floor == pytest.approx(0.5, abs=0.2)
    assert same.patches == (64, 64)


def test_shapes_tell_objects_and_not_spectra() -> None:
    recorded = add_objects(make_noise(0, blur=0), 7)
    spectra = judge_shapes(make_noise(1, blur=1.3), make_noise(2, blur=0.8), size=32)
    objects = judge_shapes(make_noise(1, blur=0), recorded, size=32)
    assert spectra.accuracy == pytest.approx(0.5, abs=0.12)
    assert objects.accuracy > 0.65


def test_network_tells_objects_and_not_draws() -> None:
    sets = [
        cut_patches(whiten_tomogram(volume), 16, depth=8, layer_step=8)
        for volume in (make_noise(1, 0), make_noise(2, 0), add_objects(make_noise(0, 0), 7))
    ]
    plain, other, objects = (whiten_patches(patches.values) for patches in sets)
    rows = sets[0].rows
    judge = PatchNetwork(seed=0, steps=40)
    assert measure_accuracy(plain, rows, objects, rows, judge) > 0.75
    assert measure_accuracy(plain, rows, other, rows, judge) == pytest.approx(0.5, abs=0.15)


def test_network_judge_repeats_for_every_seed() -> None:
    shape = (16, 64, 128)
    verdicts = judge_by_network(make_noise(1, 0, shape), make_noise(2, 0, shape), seeds=[0, 1], steps=1)
    assert len(verdicts) == 2
    assert verdicts[0].patches == (8, 8)


def test_network_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    patches = [rng.normal(size=(6, 4, 12, 12)).astype(np.float32) for _ in range(3)]
    first, again = (PatchNetwork(seed=3, steps=3)(*patches) for _ in range(2))
    assert first.tolist() == again.tolist()


def test_whitened_patches_have_equal_rings() -> None:
    white = whiten_patches(cut_patches(whiten_tomogram(make_noise(0, 2.0)), 64, depth=4).values)
    _, power = radial_power_spectrum(white[0, 2], bins=8)
    np.testing.assert_allclose(power, 1.0, atol=0.3)
    np.testing.assert_allclose(white.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(white.std(axis=(1, 2, 3)), 1, atol=1e-4)


def test_whitened_noise_is_normal() -> None:
    shapes = measure_shapes(whiten_patches(cut_patches(whiten_tomogram(make_noise(4, 1.0))).values))
    skewness, kurtosis = shapes[:, :6:2].mean(axis=0), shapes[:, 1:6:2].mean(axis=0)
    np.testing.assert_allclose(skewness, 0, atol=0.1)
    np.testing.assert_allclose(kurtosis, 3, atol=0.3)


def test_ring_powers_do_not_depend_on_unit() -> None:
    patches = cut_patches(make_noise(5), 32).values
    np.testing.assert_allclose(
        measure_ring_powers(patches), measure_ring_powers(3 * patches + 100), rtol=0, atol=1e-3
    )


def test_masked_places_give_no_patches() -> None:
    valid = np.full((128, 128), True)
    valid[10, 70] = False
    patches = cut_patches(np.zeros((4, 128, 128)), 64, valid_mask=valid)
    assert list(zip(patches.rows, patches.columns, strict=True)) == [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75)]


@settings(max_examples=20, deadline=None)
@given(shift=st.floats(0.0, 3.0), seed=st.integers(0, 100))
def test_linear_discriminant_is_as_good_as_theory(shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(4000, 3)), rng.normal(size=(4000, 3))
    second[:, 1] += shift
    places = np.tile([0.25, 0.75], 2000)
    # Two normal distributions of unit variance are told apart with the probability Φ(shift / 2).
    expected = scipy.stats.norm.cdf(shift / 2)
    assert measure_accuracy(first, places, second, places) == pytest.approx(expected, abs=0.05)


def test_discriminant_weighs_sets_of_different_size_alike() -> None:
    rng = np.random.default_rng(0)
    is_second = discriminate_linearly(
        rng.normal(size=(2000, 1)), rng.normal(size=(40, 1)) + 1, rng.normal(size=(4000, 1)) + 0.5
    )
    assert is_second.mean() == pytest.approx(0.5, abs=0.15)


def test_too_small_tomogram_is_refused() -> None:
    with pytest.raises(ValueError, match="a half of a tomogram has 0 patches; at least 2 are needed"):
        judge_ring_powers(np.zeros((4, 40, 64)), make_noise(0))
