import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.noise.spectra import log_spectrum_distance, radial_power_spectrum


def white(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@settings(max_examples=30)
@given(shape=st.tuples(st.integers(8, 70), st.integers(8, 70)), window=st.booleans(), seed=st.integers(0, 99))
def test_power_sums_to_the_variance_for_every_shape(shape, window, seed):
    frequency, power = radial_power_spectrum(white(shape, seed) * 7 + 3, window=window)
    assert frequency.shape == power.shape == (min(shape) // 2,)
    assert frequency[-1] == 0.5
    assert (np.diff(frequency) > 0).all()
    assert (power >= 0).all()


@pytest.mark.parametrize("shape", [(128, 128), (96, 250), (251, 97)])
@pytest.mark.parametrize("window", [False, True])
def test_white_noise_has_power_one_at_every_frequency(shape, window):
    power = np.mean([radial_power_spectrum(white(shape, s), 16, window=window)[1] for s in range(8)], axis=0)
    np.testing.assert_allclose(power, 1, atol=0.2)
    np.testing.assert_allclose(power[4:], 1, atol=0.06)


@pytest.mark.parametrize("shape", [(120, 200), (200, 120), (160, 160)])
@pytest.mark.parametrize("direction", [0, 37, 90])
def test_wave_has_its_power_at_its_frequency(shape, direction):
    y, x = np.indices(shape)
    phase = x * np.cos(np.deg2rad(direction)) + y * np.sin(np.deg2rad(direction))
    frequency, power = radial_power_spectrum(np.cos(2 * np.pi * 0.2 * phase), window=True)
    assert frequency[power.argmax()] == pytest.approx(0.2, abs=1 / min(shape))


def test_scale_and_shift_do_not_matter_and_constants_have_no_power():
    image = white((40, 50))
    np.testing.assert_allclose(radial_power_spectrum(-5 * image + 9)[1], radial_power_spectrum(image)[1])
    np.testing.assert_array_equal(radial_power_spectrum(np.full((40, 50), 0.1))[1], 0)


def test_distance_is_zero_for_equal_and_known_for_scaled_spectra():
    image = white((128, 160))
    assert log_spectrum_distance(image, 3 * image + 1) == pytest.approx(0, abs=1e-12)
    assert log_spectrum_distance(image, white((200, 140), 1)) < 0.15
    # Half of the variance moved below the band halves the power within it.
    y = np.indices((128, 160))[0]
    wave = np.sqrt(2) * np.cos(2 * np.pi * y * 4 / 128)
    assert log_spectrum_distance(image, image + wave) == pytest.approx(np.log(2), abs=0.02)
    assert log_spectrum_distance(image + wave, image) == log_spectrum_distance(image, image + wave)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: radial_power_spectrum(np.zeros((3, 4, 5))), r"\(y, x\)"),
        (lambda: radial_power_spectrum(np.zeros((3, 50))), "at least 4"),
        (lambda: radial_power_spectrum(np.eye(20), 11), "between 1 and 10"),
        (lambda: radial_power_spectrum(np.full((8, 8), np.nan)), "NaN"),
        (lambda: log_spectrum_distance(white((20, 20)), white((20, 20)), (0.51, 0.6)), "no ring"),
        (lambda: log_spectrum_distance(white((20, 20)), np.ones((20, 20))), "image b .* constant"),
    ],
)
def test_unusable_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
