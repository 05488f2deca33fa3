"""Dose weighting, compared with the published exposure filter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.dose_weighting import DoseWeighting


def weighting(tilts: int = 5, dose: float = 3.0, voltage_kV: float = 300.0) -> DoseWeighting:
    return DoseWeighting(voltage_kV, tuple(dose * np.arange(tilts)), (dose,) * tilts)


def test_ratio_of_two_tilts_is_that_of_the_published_filter() -> None:
    # Grant & Grigorieff (2015): exp(−N / 2 Nc), Nc = 0.245 k^−1.665 + 2.81 e/Å² at 300 kV, 0.8 times that at 200 kV.
    k = np.array([0.02, 0.05, 0.1])
    for voltage_kV, factor in ((300.0, 1.0), (200.0, 0.8)):
        critical = factor * (0.245 * k**-1.665 + 2.81)
        made = weighting(voltage_kV=voltage_kV)
        np.testing.assert_allclose(made.curve(k, 4) / made.curve(k, 0), np.exp(-12 / (2 * critical)))


@settings(max_examples=20, deadline=None)
@given(tilts=st.integers(1, 9), dose=st.floats(0.1, 10))
def test_noise_power_and_density_stay(tilts: int, dose: float) -> None:
    made, k = weighting(tilts, dose), np.linspace(0, 0.2, 50)
    curves = np.array([made.curve(k, tilt) for tilt in range(tilts)])
    np.testing.assert_allclose((curves**2).mean(axis=0), 1)
    np.testing.assert_allclose(curves[:, 0], 1)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), k=st.floats(0.005, 0.2))
def test_no_other_weights_give_a_better_signal_to_noise_ratio(seed: int, k: float) -> None:
    made = weighting()
    left = np.array([made.curve(np.array([k]), tilt)[0] for tilt in range(5)])  # signal left, up to a factor

    def ratio(weights: np.ndarray) -> float:
        return float((weights * left).sum() / np.sqrt((weights**2).sum()))

    assert ratio(left) >= ratio(np.random.default_rng(seed).random(5))


def test_tilt_is_multiplied_by_the_curve() -> None:
    image = np.random.default_rng(0).standard_normal((48, 64))
    made, pixel_size_A = weighting(), 5.0
    ky, kx = np.fft.fftfreq(48, pixel_size_A)[:, None], np.fft.fftfreq(64, pixel_size_A)
    expected = np.fft.ifft2(np.fft.fft2(image) * made.curve(np.hypot(kx, ky), 4)).real
    weighted = made.apply(np.tile(image, (3, 3)), pixel_size_A, 4)[48:96, 64:128]
    assert np.abs(weighted - expected).max() < 1e-3 * expected.std()


def test_selected_tilts_are_normalised_over_themselves() -> None:
    chosen, k = weighting().select([4]), np.array([0.05])
    assert chosen.curve(k, 0) == pytest.approx(1)


@pytest.mark.parametrize(
    ("before", "dose", "message"),
    [((0.0,), (3.0, 3.0), "each tilt has both"), ((-1.0,), (3.0,), "negative"), ((0.0,), (0.0,), "positive")],
)
def test_impossible_exposures_are_refused(
    before: tuple[float, ...], dose: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        DoseWeighting(300.0, before, dose)
