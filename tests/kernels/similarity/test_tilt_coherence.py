"""Common power of neighbouring tilts against simulated tilts, whose structure and noise are known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faket_dask.kernels.projection import project
from faket_dask.kernels.similarity.slab_decorrelation import slab_coherence
from faket_dask.kernels.similarity.tilt_coherence import (
    CommonPower,
    centred_bands,
    measure_common_power,
    pair_neighbours,
)

ANGLES = np.array([-6.0, -3.0, 0.0, 3.0, 6.0])
THICKNESS, SIZE = 72, 96


def simulate_slab(seed: int, noise: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return noiseless tilts of a random slab, and the same with independent noise."""
    rng = np.random.default_rng(seed)
    volume = scipy.ndimage.gaussian_filter(rng.normal(size=(THICKNESS, SIZE, 2 * SIZE)), 1.0)
    tilts = project(volume.astype(np.float32), ANGLES, SIZE).astype(np.float64)
    tilts /= tilts.std()
    return tilts, tilts + noise * rng.normal(size=tilts.shape)


def everywhere(tilts: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.ones(tilts.shape, dtype=np.bool_)


def measure(tilts: NDArray[np.float64], **settings: float) -> CommonPower:
    return measure_common_power(tilts, ANGLES, everywhere(tilts), **settings)


BANDS = [0.03, 0.06, 0.1, 0.15, 0.2]


def test_common_power_is_the_structures_less_the_slabs_decorrelation() -> None:
    ratios = []
    for seed in range(8):
        noiseless, noisy = simulate_slab(seed, noise=1.5)
        truth = measure(noiseless).average_bands(BANDS)
        ratios.append(measure(noisy).average_bands(BANDS).common / truth.total)
    expected = slab_coherence(truth.frequency, THICKNESS, 0.0, 3.0)
    assert expected[0] > 0.95 > 0.8 > expected[-1]
    error = np.std(ratios, axis=0, ddof=1) / np.sqrt(len(ratios))
    assert np.all(np.abs(np.mean(ratios, axis=0) - expected) < 3 * error)
    assert np.all(error < 0.06)


def test_standard_errors_are_the_scatter_over_specimens() -> None:
    found = [measure(simulate_slab(seed, noise=1.0)[1]).average_bands(BANDS) for seed in range(30)]
    for value, error in (("common", "standard_error"), ("coherence", "coherence_error")):
        scatter = np.std([getattr(f, value) for f in found], axis=0, ddof=1)
        stated = np.sqrt(np.mean([getattr(f, error) ** 2 for f in found], axis=0))
        np.testing.assert_allclose(stated / scatter, 1.0, atol=0.45)
        assert 0.8 < np.mean(stated / scatter) < 1.25


def test_independent_noise_has_nothing_in_common() -> None:
    noise = np.random.default_rng(3).normal(size=(5, 64, 80))
    power = measure(noise).average_bands([0.05, 0.5])
    assert abs(power.coherence[0]) < 3 * power.coherence_error[0] < 0.05
    assert power.total == pytest.approx([1.0], abs=0.05)


def test_power_has_the_unit_of_the_images_squared() -> None:
    _, noisy = simulate_slab(0, noise=1.0)
    one, scaled = measure(noisy), measure(7 * noisy - 100)
    np.testing.assert_allclose(scaled.common, 49 * one.common, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(scaled.coherence, one.coherence, rtol=1e-6, atol=1e-9)


def test_structure_upside_down_is_not_common() -> None:
    noiseless, _ = simulate_slab(1, noise=0.0)
    power = measure(noiseless).average_bands([0.03, 0.15])
    assert power.coherence[0] > 0.85
    assert abs(power.null_coherence[0]) < 0.2


def test_pairs_further_apart_have_less_in_common() -> None:
    noiseless, _ = simulate_slab(2, noise=0.0)
    near, far = (measure(noiseless, step_deg=step).average_bands(BANDS).coherence for step in (3.0, 9.0))
    assert np.all(far < near)


def test_masked_pixels_do_not_count() -> None:
    _, noisy = simulate_slab(4, noise=1.0)
    valid = everywhere(noisy)
    valid[:, 40:56, 30:50] = False
    damaged = np.where(valid, noisy, 500.0)
    clean, masked = measure(noisy), measure_common_power(damaged, ANGLES, valid)
    for name in ("common", "total"):
        found, truth = (getattr(p.average_bands([0.04, 0.2]), name) for p in (masked, clean))
        np.testing.assert_allclose(found, truth, rtol=0.15)


@settings(max_examples=20, deadline=None)
@given(
    frequency=st.floats(1e-4, 0.5),
    thickness=st.floats(0, 300),
    angles=st.tuples(st.floats(-60, 60), st.floats(-60, 60)),
)
def test_slab_coherence_is_the_mean_of_sinc_over_directions(
    frequency: float, thickness: float, angles: tuple[float, float]
) -> None:
    radians = np.deg2rad(angles)
    directions = np.linspace(0, 2 * np.pi, 4096, endpoint=False)
    # Stretched to the less tilted one's frame, a frequency there is cos times one of the specimen.
    along_x = frequency * np.cos(directions) * np.cos(radians).max()
    expected = np.sinc(thickness * along_x * (np.tan(radians[0]) - np.tan(radians[1]))).mean()
    assert slab_coherence(frequency, thickness, *angles)[0] == pytest.approx(expected, abs=1e-4)


def test_pairs_are_one_step_apart() -> None:
    assert pair_neighbours([6, -3, 0, 3, 40, 43, 12]) == [(1, 2), (2, 3), (3, 0)]
    assert pair_neighbours([0, 3, 6, 9], step_deg=6) == [(0, 2), (1, 3)]
    assert pair_neighbours([5.0]) == []


def test_bands_surround_their_centres() -> None:
    np.testing.assert_allclose(centred_bands([0.1, 0.2], 4.0), [[0.05, 0.2], [0.1, 0.4]])


@pytest.mark.parametrize(
    ("angles", "masked", "message"),
    [
        ([50, 53, 56, 57, 58], False, "no two tilts of neighbours lie within 30 degrees"),
        ([-6, -3, 0, 3, 6], True, "only 0% of the tilts at -6 and -3 degrees is valid in both"),
    ],
)
def test_series_without_pairs_are_refused(angles: list[float], masked: bool, message: str) -> None:
    tilts = np.random.default_rng(0).normal(size=(5, 32, 32))
    valid = np.full(tilts.shape, True)
    if masked:
        valid[0, :, :16], valid[1, :, 15:] = False, False
    with pytest.raises(ValueError, match=message):
        measure_common_power(tilts, angles, valid)
