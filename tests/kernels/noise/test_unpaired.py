import mrcfile
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import resize

from faket_dask.kernels.moments import standardise
from faket_dask.kernels.noise import add_noise, fit_curves, unpaired_noise_curves
from faket_dask.kernels.noise.unpaired import fit_spectral_scales, ring_power, signal_is_distinct


def blobs(seed: int, shape: tuple[int, int], tilts: int = 1) -> np.ndarray:
    """Projections of round particles, a few pixels wide."""
    rng = np.random.default_rng(seed)
    points = (rng.random((tilts, *shape)) < 0.004).astype(float)
    return np.stack([scipy.ndimage.gaussian_filter(tilt, 3.0) for tilt in points])


def errors(arrays, series: int, recorded: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Largest departures of signal and noise scale from the paired estimates."""
    angles = arrays["tilt_angle"]
    curves = unpaired_noise_curves(recorded, angles, clean, np.resize(angles, len(clean)))
    return np.array(
        [np.abs(getattr(curves, k) - arrays[k][series]).max() for k in ("signal_scale", "noise_scale")]
    )


@pytest.mark.parametrize("series", [0, 1, 2])
def test_agrees_with_the_paired_estimate(golden, series):
    arrays = golden("noise_curves.npz")
    own, other = arrays["clean"][series], arrays["clean"][(series + 1) % 3]
    for clean in (own, other, np.concatenate(arrays["clean"])):
        assert (errors(arrays, series, arrays["noisy"][series], clean) <= [0.06, 0.03]).all()


def with_beads(tilt: np.ndarray) -> np.ndarray:
    y, x = np.ogrid[: tilt.shape[0], : tilt.shape[1]]
    for row, column in ((12, 20), (40, 9), (50, 51)):
        tilt[(y - row) ** 2 + (x - column) ** 2 < 7] = tilt.mean() - 8 * tilt.std()
    return tilt


def with_bad_pixels(tilt: np.ndarray) -> np.ndarray:
    tilt[[3, 30, 60], [50, 7, 33]] = [1e4, -1e3, 1e2]
    return tilt


def with_gradient(tilt: np.ndarray) -> np.ndarray:
    y, x = (np.linspace(-1, 1, size) for size in tilt.shape)
    return tilt + 2 * tilt.std() * (x + 0.5 * y[:, None] + x**2)


@pytest.mark.parametrize("spoilt", [with_beads, with_bad_pixels, with_gradient])
def test_beads_bad_pixels_and_gradients_do_not_count(golden, spoilt):
    arrays = golden("noise_curves.npz")
    for series in range(3):
        recorded = np.stack([spoilt(tilt.astype(np.float64)) for tilt in arrays["noisy"][series]])
        assert (errors(arrays, series, recorded, arrays["clean"][series]) <= [0.06, 0.045]).all()


@settings(max_examples=20)
@given(signal=st.floats(0.05, 0.95), seed=st.integers(0, 999), rows=st.integers(160, 200))
def test_scales_of_synthesised_noise_are_recovered_from_another_specimen(signal, seed, rows):
    shape = (rows, 180)
    field = np.random.default_rng(seed).standard_normal(shape)
    recorded = add_noise(blobs(seed, shape)[0], signal, np.sqrt(1 - signal**2), field)
    curves = unpaired_noise_curves(recorded[None], [0.0], blobs(seed + 1000, (192, 256), 3), [0.0] * 3)
    assert curves.signal_scale[0] == pytest.approx(signal, abs=0.07)
    assert curves.signal_scale[0] ** 2 + curves.noise_scale[0] ** 2 == pytest.approx(1)


@settings(max_examples=10)
@given(scale=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3), other=st.floats(-50, -0.01))
def test_units_do_not_matter(scale, offset, other):
    shape = (64, 80)
    recorded = standardise(blobs(0, shape)[0] + np.random.default_rng(0).normal(0, 0.02, shape))[None]
    expected = unpaired_noise_curves(recorded, [3.0], blobs(1, shape), [0.0])
    found = unpaired_noise_curves(scale * recorded + offset, [3.0], other * blobs(1, shape), [0.0])
    np.testing.assert_allclose(found.signal_scale, expected.signal_scale, atol=1e-3)
    np.testing.assert_allclose(found.std, scale * expected.std, rtol=1e-3)


@pytest.mark.parametrize("blur", [2, 10])
def test_scales_are_recovered_from_blurred_noise(blur):
    shape = (256, 256)
    radius = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None, :])
    rng = np.random.default_rng(0)
    white = np.fft.rfft2(rng.standard_normal((5, *shape)))
    fields = [standardise(field) for field in np.fft.irfft2(white * np.exp(-blur * radius**2), s=shape)]
    recorded = np.stack(
        [add_noise(clean, 0.3, np.sqrt(0.91), f) for clean, f in zip(blobs(5, shape, 5), fields, strict=True)]
    )
    curves = unpaired_noise_curves(recorded, np.arange(5.0), blobs(9, shape, 3), [0.0, 2.0, 4.0])
    np.testing.assert_allclose(curves.signal_scale, 0.3, atol=0.06)


def test_scales_of_resampled_recordings_use_their_own_nyquist_frequency():
    shape = (160, 160)
    coarse = np.stack(
        [
            add_noise(clean, 0.3, np.sqrt(0.91), np.random.default_rng(seed).standard_normal(shape))
            for seed, clean in enumerate(blobs(5, shape, 3))
        ]
    )
    fine = np.stack([resize(tilt, (240, 240), order=3, preserve_range=True) for tilt in coarse])
    clean = np.stack([resize(tilt, (240, 240), order=3, preserve_range=True) for tilt in blobs(9, shape, 3)])
    rings = 120
    scales = fit_spectral_scales(
        np.stack([ring_power(tilt, rings) for tilt in fine]),
        np.arange(3.0),
        fine.shape[1:],
        np.stack([ring_power(tilt, rings) for tilt in clean]),
        np.arange(3.0),
        nyquist=0.5 * 160 / 240,
    )
    # The noise that is left has less variance than all of it had.
    np.testing.assert_allclose(scales[0], 0.3, atol=0.06)
    np.testing.assert_allclose(np.hypot(*scales), 1)


@pytest.mark.parametrize("covered", [0.25, 0.5])
@pytest.mark.parametrize("step", [2.0, -5.0, 20.0])
def test_carbon_and_grid_bars_do_not_count_as_signal(covered, step):
    shape = (256, 256)
    y, x = np.mgrid[: shape[0], : shape[1]]
    recorded = add_noise(
        blobs(5, shape)[0], 0.2, np.sqrt(0.96), np.random.default_rng(0).standard_normal(shape)
    )
    plain, edged = (
        unpaired_noise_curves(image[None], [0.0], blobs(9, shape, 3), [0.0] * 3)
        for image in (recorded, recorded + step * (x + 0.3 * y < covered * shape[1]))
    )
    np.testing.assert_allclose(edged.signal_scale, plain.signal_scale, atol=0.03)
    np.testing.assert_allclose(edged.std, plain.std, rtol=0.03)


def test_without_signal_all_is_noise_and_without_noise_all_is_signal():
    noise = np.random.default_rng(0).standard_normal((1, 96, 96))
    empty = np.zeros((1, 96, 96))
    assert unpaired_noise_curves(noise, [0.0], empty, [0.0]).signal_scale[0] == 0
    clean = blobs(3, (96, 96))
    assert unpaired_noise_curves(clean, [0.0], clean, [0.0]).signal_scale[0] == pytest.approx(1, abs=0.02)


@pytest.mark.real_data
def test_curves_of_a_real_series_are_smooth(real_series):
    with mrcfile.mmap(real_series / "00254.stack.mrc") as file:
        recorded = np.array(file.data[::4, 100:484, 100:484])
    angles = np.loadtxt(real_series / "00254.tlt")[::4]
    curves = unpaired_noise_curves(recorded, angles, blobs(0, (256, 256), 2), [-60.0, 60.0])
    smooth = fit_curves([curves], angles, 2)
    assert ((curves.signal_scale > 0.02) & (curves.signal_scale < 0.4)).all()
    np.testing.assert_allclose(curves.signal_scale, smooth.signal_scale, atol=0.04)
    np.testing.assert_allclose(curves.noise_scale, smooth.noise_scale, atol=0.01)


@pytest.mark.parametrize(
    ("recorded", "angles", "clean", "clean_angles", "message"),
    [
        (np.ones((2, 32, 32)), [0.0], np.ones((1, 32, 32)), [0.0], "reference must be .* one angle per tilt"),
        (np.ones((1, 32, 32)), [0.0], np.ones((1, 8, 32)), [0.0], "noiseless must have 16 x 16"),
        (np.ones((1, 32, 32)), [np.nan], np.ones((1, 32, 32)), [0.0], "finite"),
        (np.ones((1, 32, 32)), [0.0], np.ones((1, 32, 32)), [0.0], "tilt 0 .* constant"),
        (np.full((1, 32, 32), np.inf), [0.0], np.ones((1, 32, 32)), [0.0], "tilt 0 .* finite"),
    ],
)
def test_unusable_stacks_are_refused(recorded, angles, clean, clean_angles, message):
    with pytest.raises(ValueError, match=message):
        unpaired_noise_curves(recorded, angles, clean, clean_angles)


def test_signal_of_blobs_is_distinct_and_that_of_ice_is_not() -> None:
    shape = (192, 256)
    ice = np.random.default_rng(3).standard_normal(shape)
    spectra = [
        np.stack([ring_power(image, 96)])
        for image in (blobs(1, shape)[0], ice, scipy.ndimage.gaussian_filter(ice, 0.3))
    ]
    assert [signal_is_distinct(found) for found in spectra] == [True, False, False]
