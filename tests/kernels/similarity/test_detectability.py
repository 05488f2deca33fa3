"""Gain, noise, d′ and contrast of particles against images whose signal and noise are known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.microscope import Microscope
from faket_dask.kernels.optics import Defocus
from faket_dask.kernels.signal_transfer import signal_transfer, transfer_signal
from faket_dask.kernels.similarity.detectability import (
    contrast_to_noise,
    detectability,
    measure_particle_energy,
)
from faket_dask.kernels.similarity.particle_contrast import measure_particle_contrast
from faket_dask.kernels.similarity.signal_gain import SignalGain, measure_signal_gain

SIZE = 128


def make_signals(tilts: int = 3) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    return scipy.ndimage.gaussian_filter(rng.normal(size=(tilts, SIZE, SIZE)), (0, 1, 1))


def test_gain_is_the_lens_with_its_sign() -> None:
    microscope, exposure = Microscope(), Exposure(0.0, Defocus(5.0), 2.0)
    signals = make_signals()
    rng = np.random.default_rng(1)
    images = [
        transfer_signal(s, 10.0, microscope, exposure) + 0.02 * rng.normal(size=s.shape) for s in signals
    ]
    gain = measure_signal_gain(images, signals, rings=32)
    transfer = signal_transfer((SIZE, SIZE), 10.0, microscope, exposure)
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(SIZE), np.fft.fftfreq(SIZE)))
    expected = np.array([transfer[np.abs(radius - f) < 0.008].mean() for f in gain.frequency])
    inside = (gain.frequency > 0.03) & (gain.frequency < 0.45)
    assert expected[inside].min() < -0.3 < 0.5 < expected[inside].max()
    np.testing.assert_allclose(gain.gain[inside], expected[inside], atol=0.09)


@settings(max_examples=10, deadline=None)
@given(
    scale=st.floats(-5, 5).filter(lambda x: abs(x) > 0.1), noise=st.floats(0.1, 3), seed=st.integers(0, 99)
)
def test_gain_and_noise_of_a_known_mixture(scale: float, noise: float, seed: int) -> None:
    signals = np.random.default_rng(seed).normal(size=(2, 64, 64))
    images = scale * signals + noise * np.random.default_rng(seed + 1000).normal(size=signals.shape)
    gain = measure_signal_gain(images, signals, rings=4)
    assert np.all(np.abs(gain.gain - scale) < 6 * gain.standard_error)
    np.testing.assert_allclose(gain.noise, noise**2, rtol=0.35)
    with_ice = measure_signal_gain(images, signals, rings=4, ice_power=0.5)
    np.testing.assert_allclose(with_ice.noise, gain.noise + 0.5 * gain.gain**2, rtol=1e-9)


def test_standard_error_is_the_scatter() -> None:
    signals = make_signals(1)
    rng = np.random.default_rng(2)
    gains = [
        measure_signal_gain(signals + rng.normal(size=signals.shape), signals, rings=8) for _ in range(60)
    ]
    scatter = np.std([g.gain for g in gains], axis=0)
    stated = np.mean([g.standard_error for g in gains], axis=0)
    np.testing.assert_allclose(stated / scatter, 1, atol=0.35)


def make_particle() -> NDArray[np.float64]:
    y, x = np.mgrid[-16:16, -16:16]
    return -np.exp(-(x**2 + (y / 1.5) ** 2) / 18.0)


def test_detectability_is_that_of_a_matched_filter() -> None:
    """A matched filter's outputs with and without the particle are d′ of their standard deviations apart."""
    particle = make_particle()
    signals = make_signals()
    rng = np.random.default_rng(3)
    noise = scipy.ndimage.gaussian_filter(rng.normal(size=signals.shape), (0, 0.6, 0.6), mode="wrap")
    noise += 0.5 * rng.normal(size=signals.shape)
    gain = measure_signal_gain(4 * signals + noise, signals, rings=32)
    stated = detectability(gain, measure_particle_energy(particle[None]))
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(SIZE), np.fft.fftfreq(SIZE)))
    spectrum = SIZE**2 * (np.exp(-((2 * np.pi * radius * 0.6) ** 2)) + 0.25)
    image = np.zeros((SIZE, SIZE))
    image[:32, :32] = 4 * particle
    filtered = np.fft.ifft2(np.fft.fft2(noise) * np.conj(np.fft.fft2(image)) / spectrum).real
    response = np.sum(np.abs(np.fft.fft2(image)) ** 2 / spectrum) / image.size
    assert stated == pytest.approx(response / filtered.std(), rel=0.1)


def test_detectability_grows_with_gain_and_not_with_unit() -> None:
    particle = measure_particle_energy(make_particle()[None])
    one = SignalGain(np.array([0.1, 0.5]), np.ones(2), np.ones(2), np.ones(2), np.zeros(2))
    twice = SignalGain(one.frequency, 2 * one.gain, one.noise, one.signal, one.standard_error)
    other_unit = SignalGain(one.frequency, 9 * one.gain, 81 * one.noise, one.signal, one.standard_error)
    assert detectability(twice, particle) == pytest.approx(2 * detectability(one, particle))
    assert detectability(other_unit, particle) == pytest.approx(detectability(one, particle))
    assert contrast_to_noise(twice, particle) == pytest.approx(2 * contrast_to_noise(one, particle))


def test_energy_is_the_sum_of_squares() -> None:
    particle = make_particle()
    assert measure_particle_energy(particle[None]).energy.sum() == pytest.approx(np.sum(particle**2))


def test_contrast_of_spheres_of_known_depth() -> None:
    rng = np.random.default_rng(4)
    tomogram = rng.normal(size=(40, 96, 96))
    tomogram[:10], tomogram[30:] = 0, 0  # empty layers
    centres = np.array([[20, y, x] for y in range(12, 96, 24) for x in range(12, 96, 24)])
    z, y, x = np.mgrid[:40, :96, :96]
    for centre in centres:
        tomogram[(z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= 25] -= 3
    found = measure_particle_contrast(tomogram, np.vstack([centres, [[20, 1, 50]]]), 5.0)
    layers = tomogram[15:26]
    assert found.particles == 16
    assert found.contrast == pytest.approx((3 + layers.mean()) / layers.std(), abs=4 * found.standard_error)
    assert measure_particle_contrast(-7 * tomogram, centres, 5.0).contrast == pytest.approx(-found.contrast)


def test_no_particle_within_the_tomogram() -> None:
    assert measure_particle_contrast(np.zeros((4, 8, 8)), [[0, 0, 0]], 2.0).particles == 0
