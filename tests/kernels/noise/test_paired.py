import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.moments import match_moments, standardise
from faket_dask.kernels.noise import NoiseCurves, add_noise, fit_curves, noise_curves

NAMES = ("signal_scale", "noise_scale", "mean", "std")


def series(seed: int, tilts: int = 5, size: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((tilts, size, size))


def test_published_curves(golden):
    arrays = golden("noise_curves.npz")
    for index, (noisy, clean) in enumerate(zip(arrays["noisy"], arrays["clean"], strict=True)):
        curves = noise_curves(noisy, clean)
        for name in NAMES:
            np.testing.assert_allclose(getattr(curves, name), arrays[name][index], atol=1e-4)


@pytest.mark.parametrize("order", [2, 0])
def test_published_fits(golden, order):
    arrays = golden("noise_curves.npz")
    curves = [noise_curves(*pair) for pair in zip(arrays["noisy"], arrays["clean"], strict=True)]
    fitted = fit_curves(curves, arrays["tilt_angle"], order)
    for name in NAMES:
        np.testing.assert_allclose(getattr(fitted, name), arrays[f"{name}_fit{order}"], atol=1e-4)


@settings(max_examples=30)
@given(
    signal=st.floats(0.05, 0.99),
    mean=st.floats(-100, 100),
    std=st.floats(0.1, 100),
    seed=st.integers(0, 999),
)
def test_statistics_of_synthesised_noise_are_recovered(signal, mean, std, seed):
    clean, field = series(seed, 2, 128)
    noise = np.sqrt(1 - signal**2)
    noisy = match_moments(add_noise(clean, signal, noise, field), mean, std)
    curves = noise_curves(noisy[None], clean[None])
    assert curves.signal_scale[0] == pytest.approx(signal, abs=0.04)
    assert curves.noise_scale[0] == pytest.approx(noise, abs=0.04)
    assert curves.mean[0] == pytest.approx(mean, abs=1e-4)
    assert curves.std[0] == pytest.approx(std, rel=1e-4)


@settings(max_examples=30)
@given(seed=st.integers(0, 999), r=st.floats(0, 1), sigma=st.floats(0, 1))
def test_content_is_the_same_draw_with_a_quarter_of_the_noise(seed, r, sigma):
    noiseless, field = series(seed, 2, 16)
    noisy, content = (add_noise(noiseless, r, f * sigma, field) for f in (1, 0.25))
    np.testing.assert_allclose(noisy - content, 0.75 * sigma * field, atol=1e-5)
    np.testing.assert_allclose(4 * content - noisy, 3 * r * standardise(noiseless), atol=1e-5)


def test_noise_does_not_depend_on_the_unit_of_the_projection():
    noiseless, field = series(0, 2)
    np.testing.assert_allclose(
        add_noise(-700 * noiseless + 1e4, 0.4, 0.9, field), add_noise(-noiseless, 0.4, 0.9, field), atol=1e-5
    )


@pytest.mark.parametrize("value", [0.0, 0.1, -1e9])
def test_empty_field_of_view_gives_noise_alone(value):
    field = series(0, 1)[0]
    tilt = add_noise(np.full(field.shape, value, dtype=np.float32), 0.5, 0.8, field)
    np.testing.assert_allclose(tilt, 0.8 * field, atol=1e-6)


def test_unrelated_and_inverted_clean_tilts_count_as_no_signal():
    clean = series(0, 2)
    curves = noise_curves(np.stack([-clean[0], clean[1]]), np.stack([clean[0], np.zeros((64, 64))]))
    np.testing.assert_array_equal(curves.signal_scale, [0, 0])
    np.testing.assert_array_equal(curves.noise_scale, [1, 1])


def test_noiseless_series_is_all_signal():
    clean = series(0)
    curves = noise_curves(3 * clean + 2, clean)
    np.testing.assert_allclose(curves.signal_scale, 1)
    np.testing.assert_allclose(curves.noise_scale, 0, atol=1e-7)


def random_curves(tilts: int, seed: int = 0) -> NoiseCurves:
    rng = np.random.default_rng(seed)
    return NoiseCurves(*rng.uniform(0.2, 0.8, (2, tilts)), rng.normal(size=tilts), rng.uniform(1, 2, tilts))


def quadratic(angles: np.ndarray, level: float = 1) -> NoiseCurves:
    u = np.asarray(angles) / 60
    return NoiseCurves(0.6 - 0.2 * u**2, 0.5 + 0.1 * u, level * (10 - u), level * (1 + u**2))


def test_series_with_different_angles_are_averaged_as_curves():
    angles = [np.linspace(-60, 60, 41), np.array([-50.0, -20, 3, 40, 58])]
    at = np.arange(-60, 61, 2.0)
    fitted = fit_curves([quadratic(angles[0], 1), quadratic(angles[1], 3)], angles, 2, at)
    expected = quadratic(at, 2)
    for name in NAMES:
        np.testing.assert_allclose(getattr(fitted, name), getattr(expected, name), atol=1e-9)


def test_order_zero_is_one_level_for_all_tilts():
    angles = np.linspace(-60, 60, 7)
    curves = random_curves(7)
    fitted = fit_curves([curves], angles, 0, at=[0, 12.5])
    for name in NAMES:
        np.testing.assert_allclose(getattr(fitted, name), getattr(curves, name).mean())


def test_order_of_tilts_and_of_series_does_not_matter():
    angles = np.linspace(-60, 60, 9)
    a, b = random_curves(9, 1), random_curves(9, 2)
    reversed_a = NoiseCurves(*(getattr(a, name)[::-1] for name in NAMES))
    expected = fit_curves([a, b], angles, 2, at=angles)
    shuffled = fit_curves([b, reversed_a], [angles, angles[::-1]], 2, at=angles)
    for name in NAMES:
        np.testing.assert_allclose(getattr(shuffled, name), getattr(expected, name), atol=1e-12)


def test_single_tilt_has_a_fit_of_order_zero():
    fitted = fit_curves([random_curves(1)], [12.0], 0, at=[-3, 3])
    np.testing.assert_allclose(fitted.mean, random_curves(1).mean[0])


def test_extrapolated_fits_stay_physical():
    angles = np.array([-20.0, 0, 20])
    steep = NoiseCurves(
        np.array([0.1, 0.9, 0.2]), np.array([0.1, 0.8, 0.1]), np.zeros(3), np.array([1.0, 5, 1])
    )
    fitted = fit_curves([steep], angles, 2, at=np.linspace(-60, 60, 25))
    assert ((fitted.signal_scale >= 0) & (fitted.signal_scale <= 1)).all()
    assert (fitted.noise_scale >= 0).all()
    assert (fitted.std > 0).all()


@pytest.mark.parametrize(
    ("curves", "angles", "order", "at", "message"),
    [
        ([], [0.0], 0, None, "at least one series"),
        ([random_curves(2)], [0.0, 3.0], 2, None, "order 2 needs at least 3 distinct tilt angles"),
        ([random_curves(4)], [0.0, 3.0, 3.0, 0.0], 2, None, "there are 2"),
        ([random_curves(4)], [0.0, 3.0], 0, None, "4 tilts but angles of shape"),
        ([random_curves(2)], [[0.0, 3.0], [0.0, 3.0]], 0, None, "1 series but tilt angles for 2"),
        ([random_curves(2)] * 2, [[0.0, 3.0], [0.0, 6.0]], 0, None, "at which angles"),
        ([random_curves(2)], [0.0, np.nan], 0, None, "angles must be finite"),
        ([random_curves(2)], [0.0, 3.0], -1, None, "negative"),
    ],
)
def test_impossible_fits_are_refused(curves, angles, order, at, message):
    with pytest.raises(ValueError, match=message):
        fit_curves(curves, angles, order, at)


def test_error_names_the_damaged_tilt():
    noisy, clean = series(0), series(1)
    noisy[3] = 7
    with pytest.raises(ValueError, match=r"tilt 3 .* constant"):
        noise_curves(noisy, clean)
    noisy[3] = np.nan
    with pytest.raises(ValueError, match=r"tilt 3: .* NaN"):
        noise_curves(noisy, clean)


def test_shapes_must_match():
    with pytest.raises(ValueError, match="one shape"):
        noise_curves(series(0), series(0)[:, :, :60])
    with pytest.raises(ValueError, match="one shape"):
        add_noise(np.zeros((4, 4)), 0.5, 0.5, np.zeros((4, 5)))
    with pytest.raises(ValueError, match="not negative"):
        add_noise(np.zeros((4, 4)), 0.5, -0.5, np.zeros((4, 4)))
    with pytest.raises(ValueError, match="one value per tilt"):
        NoiseCurves(np.zeros(3), np.zeros(3), np.zeros(2), np.ones(3))
