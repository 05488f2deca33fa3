import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.kernels.noise.physical import (
    SignalMoments,
    estimate_relative_thickness,
    find_physical_scales,
)


@given(gain=st.floats(0.01, 0.3), std=st.floats(1, 50), own=st.floats(0.1, 3))
def test_signal_per_volt_is_the_gain_whatever_the_specimen(gain, std, own):
    # x = (r standardised + sigma noise), scaled to the tilt's deviation: the signal's deviation is gain times its own.
    scales = find_physical_scales(np.ones(64), std, SignalMoments(own, 1.0, np.ones(64)), gain)
    whole = np.hypot(scales.signal_scale, scales.noise_scale)
    assert scales.signal_scale / whole * scales.std == pytest.approx(gain * own, rel=1e-6)


def test_signal_and_noise_have_the_recordings_variance_together():
    scales = find_physical_scales(np.ones(64), 4.0, SignalMoments(10.0, 1.0, np.ones(64)), 0.2)
    assert scales.std == pytest.approx(4.0)
    assert scales.signal_scale == pytest.approx(0.5)
    assert scales.excess == 0


def test_crowd_that_the_recording_has_not_adds_its_variance():
    scales = find_physical_scales(np.ones(64), 4.0, SignalMoments(40.0, 1.0, np.ones(64)), 0.2)
    assert scales.std > 8.0
    assert scales.excess == pytest.approx(3.0, rel=0.05)


def test_beads_do_not_take_the_place_of_noise():
    bare = find_physical_scales(np.ones(64), 4.0, SignalMoments(10.0, 1.0, np.ones(64)), 0.2)
    # Beads raise the variance fourfold; without them the specimen is the same.
    beads = find_physical_scales(np.ones(64), 4.0, SignalMoments(20.0, 0.25, np.full(64, 0.25)), 0.2)
    assert beads.noise_scale == pytest.approx(bare.noise_scale)
    assert beads.signal_scale == pytest.approx(2 * bare.signal_scale)
    assert beads.std == pytest.approx(np.sqrt(16 - 4 + 16))


def test_ice_is_as_thick_as_its_intensity_falls():
    angles = np.arange(-60.0, 61.0, 3.0)
    noise = np.random.default_rng(0).normal(1, 0.01, angles.size)
    intensity = 120 * np.exp(-0.7 / np.cos(np.deg2rad(angles))) * noise
    assert estimate_relative_thickness(intensity, angles) == pytest.approx(0.7, abs=0.03)
    assert estimate_relative_thickness(np.full(3, 2.0), [-60, 0, 60]) == pytest.approx(0)
    with pytest.raises(ValueError, match="positive"):
        estimate_relative_thickness([1.0, -1.0], [0, 10])


def test_noise_is_what_the_recordings_own_matter_leaves():
    # A crowded specimen in the style of a recording whose specimen explains a quarter of its power.
    crowd = SignalMoments(40.0, 1.0, np.ones(64))
    scales = find_physical_scales(np.ones(64), 4.0, crowd, 0.2, matter=np.full(64, 4.0 / 0.2**2))
    noise = scales.noise_scale / np.hypot(scales.signal_scale, scales.noise_scale) * scales.std
    assert noise == pytest.approx(np.sqrt(12.0))
    np.testing.assert_allclose(scales.explained, 0.25, rtol=1e-3)
