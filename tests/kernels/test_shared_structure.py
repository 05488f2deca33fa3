import numpy as np
import pytest

from faket_dask.kernels.noise.shared_structure import TiltPair, fit_matter_power, predict_common_power
from faket_dask.kernels.random_slab import interpolate_rings, project_random_slab
from faket_dask.kernels.similarity.tilt_coherence import measure_common_power

RINGS = 64
FREQUENCY = np.arange(1, RINGS + 1) * 0.5 / RINGS


def test_power_of_matter_is_found_again_in_noisy_tilts_of_a_slab():
    truth = 0.02 / (0.03**2 + FREQUENCY**2)
    angles, depth, contrast = np.arange(-30.0, 31.0, 3.0), 100, 0.05
    rng = np.random.default_rng(0)
    tilts = [
        contrast * tilt + rng.normal(size=tilt.shape)
        for tilt in project_random_slab(interpolate_rings(truth), (192, 192), depth, angles, rng)
    ]
    power = measure_common_power(np.array(tilts), angles, np.ones((angles.size, 192, 192), bool), rings=RINGS)
    pairs = [TiltPair(a, b, np.full(RINGS, contrast**2)) for a, b in power.tilt_angles]
    found = fit_matter_power(power.common, power.standard_error, power.number, depth, pairs)
    middle = (FREQUENCY > 0.05) & (FREQUENCY < 0.15)
    ratio = found[middle] / truth[middle]
    assert ratio.mean() == pytest.approx(1, abs=0.15)
    assert ((ratio > 0.5) & (ratio < 1.7)).all()


def test_where_the_lens_shows_nothing_the_rings_around_decide():
    truth = np.full(RINGS, 2.0)
    transfer = np.cos(np.pi * FREQUENCY / 0.2) ** 2
    pair = TiltPair(0.0, 3.0, transfer)
    common = predict_common_power(truth, 50, pair)
    found = fit_matter_power(common, np.full(RINGS, 1e-6), np.arange(1.0, RINGS + 1), 50, [pair])
    np.testing.assert_allclose(found, truth, rtol=1e-6)


def test_chance_is_no_matter():
    rng = np.random.default_rng(1)
    error = np.full(RINGS, 0.1)
    pair = TiltPair(0.0, 3.0, np.ones(RINGS))
    found = fit_matter_power(rng.normal(0, 0.1, RINGS), error, np.ones(RINGS), 50, [pair])
    assert np.mean(found > 0) < 0.15
