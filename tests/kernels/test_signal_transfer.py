import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.defocus_gradient import defocus_at
from faket_dask.kernels.detector import Detector
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.microscope import Microscope, contrast_left, simulate_tilt
from faket_dask.kernels.optics import Defocus, Optics
from faket_dask.kernels.signal_transfer import (
    relative_contrast,
    signal_transfer,
    transfer_signal,
)

PIXEL_A = 10.0


def specimen(shape: tuple[int, int] = (96, 128), seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = np.zeros(shape)
    for y, x in rng.uniform((0, 0), shape, (40, 2)):
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        image -= 5 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8)
    return image


def test_signal_is_the_mean_of_many_simulated_images():
    # Weak enough for the thin phase object of the simulation to be linear, and counted without noise to speak of.
    image, microscope = 0.1 * specimen(), Microscope(damage=False)
    exposure = Exposure(0.0, Defocus(3.0, 0.3, 20.0), 1e9)
    counts = simulate_tilt(-PIXEL_A * image, PIXEL_A, microscope, exposure, np.random.default_rng(0))
    relative = counts / counts.mean() - 1
    contrast = relative_contrast(PIXEL_A, microscope.optics) * contrast_left(microscope, 0.0)
    signal = contrast * transfer_signal(image, PIXEL_A, microscope, exposure)
    signal -= signal.mean()
    assert np.corrcoef(relative.ravel(), signal.ravel())[0, 1] > 0.999
    assert np.std(relative - signal) < 0.03 * np.std(signal)


def test_defocus_follows_the_height_of_the_tilted_specimen():
    # Columns to the right lie further down the beam at positive angles, nearer to focus at underfocus.
    focus = Defocus(3.0)
    left, axis, right = (defocus_at(column, 200, PIXEL_A, 45.0, focus).mean_um for column in (0, 100, 200))
    assert (left, axis, right) == pytest.approx((3.1, 3.0, 2.9))
    assert defocus_at(0, 200, PIXEL_A, -45.0, focus).mean_um == pytest.approx(2.9)


@settings(max_examples=10, deadline=None)
@given(angle=st.floats(-65, 65), defocus=st.floats(0.8, 6), column=st.integers(0, 1500))
def test_strips_image_every_column_with_its_own_defocus(angle, defocus, column):
    # A point far out on a wide image appears as by a lens with the defocus of its column everywhere.
    columns, rows = 1501, 64
    image = np.zeros((rows, columns))
    image[rows // 2, column] = -1.0
    microscope, exposure = Microscope(damage=False), Exposure(angle, Defocus(defocus), 2.0)
    strips = transfer_signal(image, PIXEL_A, microscope, exposure)
    own = defocus_at(column, columns, PIXEL_A, angle, Defocus(defocus))
    whole = transfer_signal(image, PIXEL_A, microscope, Exposure(0.0, own, 2.0))
    near = np.s_[:, max(0, column - 3) : column + 4]
    assert np.abs(strips - whole)[near].max() < 0.04 * np.abs(whole).max()


def test_signal_without_tilt_is_one_multiplication_in_fourier_space():
    image = specimen((64, 64))
    microscope, exposure = Microscope(), Exposure(0.0, Defocus(2.0), 3.0, 40.0)
    inner = np.s_[20:-20, 20:-20]
    periodic = np.tile(image, (3, 3))
    whole = transfer_signal(periodic, PIXEL_A, microscope, exposure)[64:128, 64:128]
    transfer = signal_transfer((64, 64), PIXEL_A, microscope, exposure)
    product = np.fft.ifft2(np.fft.fft2(image) * transfer).real
    np.testing.assert_allclose(whole[inner], product[inner], atol=2e-3 * np.abs(product).max())


def test_dense_matter_stays_dark_at_underfocus_and_turns_bright_beyond_focus():
    rows, columns = np.ogrid[-32:32, -32:32]
    image = -np.exp(-(rows**2 + columns**2) / 4.0)
    for defocus, dark in ((3.0, True), (-3.0, False)):
        signal = transfer_signal(image, PIXEL_A, Microscope(), Exposure(0.0, Defocus(defocus), 2.0))
        assert (signal[32, 32] < 0) == dark


def test_exposure_and_detector_take_away_fine_detail():
    fresh, spent = (
        signal_transfer((64, 64), PIXEL_A, Microscope(), Exposure(0.0, Defocus(3.0), 2.0, before))
        for before in (0.0, 100.0)
    )
    assert abs(spent[0, 32]) < 0.4 * abs(fresh[0, 32])
    sharp = Microscope(detector=Detector(PIXEL_A, mtf_nyquist=1.0), damage=False)
    blurred = Microscope(detector=Detector(PIXEL_A, mtf_nyquist=0.25), damage=False)
    exposure = Exposure(0.0, Defocus(3.0), 2.0)
    ratio = (
        signal_transfer((64, 64), PIXEL_A, blurred, exposure)[0]
        / signal_transfer((64, 64), PIXEL_A, sharp, exposure)[0]
    )
    assert ratio[0] == pytest.approx(1)
    assert ratio[32] == pytest.approx(0.25)


def test_contrast_of_a_volt_is_twice_the_phase_it_shifts():
    # 6.526e-4 rad/(V Å) at 300 kV (Kirkland), 10 Å.
    assert relative_contrast(10.0, Optics(300.0)) == pytest.approx(2 * 6.526e-4 * 10, rel=1e-3)


def test_memory_and_result_do_not_depend_on_how_wide_the_image_is():
    image = specimen((64, 700))
    exposure = Exposure(55.0, Defocus(3.0), 2.0)
    wide = transfer_signal(image, PIXEL_A, Microscope(), exposure)
    # The middle of a narrower cut about the same tilt axis.
    narrow = transfer_signal(image[:, 150:550], PIXEL_A, Microscope(), exposure)
    inner = np.s_[:, 60:340]
    assert np.abs(wide[:, 150:550] - narrow)[inner].max() < 0.05 * wide.std() * math.sqrt(2)


@pytest.mark.parametrize("wrong", [np.zeros(4), np.full((8, 8), np.inf)])
def test_impossible_projections_are_refused(wrong):
    with pytest.raises(ValueError, match="noiseless"):
        transfer_signal(wrong, PIXEL_A, Microscope(), Exposure(0.0, Defocus(3.0), 2.0))
