import mrcfile
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.noise import add_noise
from faket_dask.kernels.noise.spectra import log_spectrum_distance, radial_power_spectrum
from faket_dask.kernels.noise.spectral import CELLS, anisotropy, noise_power, shaped_field


def white(seed: int, shape: tuple[int, int] = (256, 300)) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@settings(max_examples=15)
@given(
    fall=st.floats(-3, 3), seed=st.integers(0, 99), rows=st.integers(64, 140), columns=st.integers(64, 140)
)
def test_field_has_the_spectrum_and_is_standard(fall, seed, rows, columns):
    rings = 32
    noise = np.exp(-fall * np.arange(1, rings + 1) / rings)
    field = shaped_field(white(seed, (rows, columns)), noise)
    assert field.shape == (rows, columns)
    assert field.dtype == np.float32
    assert abs(field.mean()) < 1e-5
    assert field.std() == pytest.approx(1, abs=1e-5)
    _, found = radial_power_spectrum(field, rings)
    assert np.log(found[8:] / noise[8:]).std() < 0.2


def test_white_noise_stays_as_it_is():
    draw = white(0)
    np.testing.assert_allclose(
        shaped_field(draw, np.ones(20), np.ones(CELLS)), (draw - draw.mean()) / draw.std(), atol=1e-5
    )


@pytest.mark.parametrize("unit", [1, 0.03])
@pytest.mark.parametrize("ramp", [0, 1e4])
def test_power_of_the_signal_is_not_noise(unit, ramp):
    """Whatever share of the variance a ramp has, which leaves less of a standardised tilt to signal and noise."""
    rings = np.arange(1, 129)
    signal, noise = np.exp(-rings / 20), np.full(128, 0.8)
    signal *= 4 / np.pi * rings.sum() / (rings * signal).sum()  # outer rings hold more; to a variance of 1
    recorded = 0.2 * signal + noise
    recorded[:2] += ramp
    found = noise_power(unit * recorded, signal, np.sqrt(0.2))
    np.testing.assert_allclose(found, noise, rtol=0.02)


def test_low_frequencies_of_ice_are_excluded_from_noise():
    recorded = np.ones(128)
    recorded[:3] = 500
    np.testing.assert_allclose(noise_power(recorded, np.ones(128), 0.0), 1, rtol=1e-3)


def drifted(image: np.ndarray) -> np.ndarray:
    """Blurred along x."""
    x = np.fft.rfftfreq(image.shape[1])
    return np.fft.irfft2(np.fft.rfft2(image) * np.exp(-4 * x**2), s=image.shape)


def test_noise_of_a_drifted_tilt_is_drifted():
    tilt = drifted(white(0, (400, 420)))
    _, ring_powers = radial_power_spectrum(tilt)
    field = shaped_field(white(1), ring_powers, anisotropy(tilt))
    expected = drifted(white(1))
    ratios = []
    for image in (field, expected):
        spectrum = np.abs(np.fft.fft2(image)) ** 2
        ratios.append(spectrum[:20, 100:140].mean() / spectrum[100:128, :20].mean())
    assert ratios[0] == pytest.approx(ratios[1], rel=0.15)


@pytest.mark.parametrize("shape", [(64, 64), (301, 280)])
def test_isotropic_noise_has_next_to_no_direction(shape):
    found = anisotropy(white(3, shape))
    assert found.shape == CELLS
    assert (found == 1).mean() > 0.5
    assert np.abs(found - 1).mean() < 0.15


def test_invalid_power_is_refused():
    for noise in (np.zeros(8), -np.ones(8), np.array([1, np.nan])):
        with pytest.raises(ValueError, match="power of the noise"):
            shaped_field(white(0), noise)


@pytest.mark.real_data
def test_closer_to_a_real_tilt_than_white_noise(real_series):
    with mrcfile.mmap(real_series / "00254.stack.mrc") as file:
        tilt = np.array(file.data[20, 200:, :330])
    _, ring_powers = radial_power_spectrum(tilt)
    nothing = np.zeros(tilt.shape)
    noise = noise_power(ring_powers, np.zeros(ring_powers.size), 0.0)
    field = shaped_field(white(0, tilt.shape), noise, anisotropy(tilt))
    spectral, plain = (add_noise(nothing, 0.0, 1.0, draw) for draw in (field, white(0, tilt.shape)))
    assert log_spectrum_distance(spectral, tilt) < 0.7 * log_spectrum_distance(plain, tilt)
