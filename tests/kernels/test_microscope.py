import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.detector import Detector
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.microscope import Microscope, simulate_tilt, transmission
from faket_dask.kernels.optics import Defocus, Optics, contrast_transfer, interaction_constant, wavelength
from faket_dask.kernels.radiation_damage import critical_exposure, damage_envelope

PIXEL_A = 5.0
# A detector that loses nothing: what arrives is what is counted.
PERFECT = Microscope(detector=Detector(PIXEL_A, 1.0, 1.0, 1.0), damage=False, ice_thickness_A=0.0)
BRIGHT = 1e5


def image(
    potential: np.ndarray,
    microscope: Microscope = PERFECT,
    *,
    pixel_size_A: float = PIXEL_A,
    tilt_angle: float = 0.0,
    defocus_um: float = 3.0,
    dose: float = BRIGHT,
    before: float = 0.0,
    seed: int = 0,
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    exposure = Exposure(tilt_angle, Defocus(defocus_um), dose, before)
    return simulate_tilt(potential, pixel_size_A, microscope, exposure, rng)


def with_detector(**changes: float) -> Microscope:
    return dataclasses.replace(PERFECT, detector=dataclasses.replace(PERFECT.detector, **changes))


def blob(size: int = 128, width: float = 4.0, height: float = 50.0) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size // 2
    return height * np.exp(-(x**2 + y**2) / (2 * width**2))


def radial_frequency(size: int, pixel_size_A: float) -> np.ndarray:
    return np.hypot(*np.meshgrid(*[np.fft.fftfreq(size, pixel_size_A)] * 2, indexing="ij"))


@pytest.mark.parametrize(
    ("voltage_kV", "picometres", "sigma"),
    [(100, 3.701, 9.244e-4), (200, 2.508, 7.288e-4), (300, 1.969, 6.526e-4)],
)
def test_electrons_have_the_tabulated_wavelength_and_interaction(voltage_kV, picometres, sigma):
    assert wavelength(voltage_kV) == pytest.approx(picometres / 100, rel=1e-3)
    assert interaction_constant(voltage_kV) == pytest.approx(sigma, rel=1e-3)


# Contrast transfer


@pytest.mark.parametrize(("defocus_um", "voltage_kV"), [(1.0, 300.0), (3.0, 300.0), (2.0, 200.0)])
def test_zeros_of_the_ctf_lie_where_the_phase_is_a_multiple_of_pi(defocus_um, voltage_kV):
    # Without amplitude contrast the transfer vanishes where λ Δf k² − Cs λ³ k⁴ / 2 is a whole number n.
    size, pixel_A = 4096, 1.0
    optics = Optics(voltage_kV=voltage_kV, amplitude_contrast=0.0)
    line = contrast_transfer((1, size), pixel_A, optics, Defocus(defocus_um))[0, : size // 4]
    crossings = np.flatnonzero(np.sign(line[1:-1]) != np.sign(line[2:])) + 1
    found = np.fft.fftfreq(size, pixel_A)[crossings]
    length, defocus, cs = wavelength(voltage_kV), 1e4 * defocus_um, 2.7e7
    orders = np.arange(1, 6)
    expected = np.sqrt((defocus - np.sqrt(defocus**2 - 2 * cs * length * orders)) / (cs * length**2))
    np.testing.assert_allclose(found[:5], expected, atol=1.5 / (size * pixel_A))


def test_amplitude_contrast_transfers_the_lowest_frequencies_and_moves_the_zeros_inward():
    def line(fraction: float) -> np.ndarray:
        return contrast_transfer((1, 4096), 1.0, Optics(amplitude_contrast=fraction), Defocus(2.0))[0, :1024]

    assert line(0.0)[0] == 0
    assert line(0.1)[0] == pytest.approx(-0.1)
    first = [int(np.argmax(line(fraction)[1:] > 0)) for fraction in (0.0, 0.1, 0.3)]
    assert first[0] > first[1] > first[2]


@settings(max_examples=30)
@given(defocus=st.floats(-5, 8), fraction=st.floats(0, 1), astigmatism=st.floats(-1, 1))
def test_ctf_is_real_bounded_and_centrosymmetric(defocus, fraction, astigmatism):
    optics, astigmatic = Optics(amplitude_contrast=fraction), Defocus(defocus, astigmatism, 30.0)
    # Odd sizes: of the two frequencies at an even edge, an array holds only one.
    ctf = contrast_transfer((17, 25), 3.0, optics, astigmatic)
    assert np.abs(ctf).max() <= 1 + 1e-12
    np.testing.assert_allclose(ctf, np.roll(ctf[::-1, ::-1], 1, (0, 1)), atol=1e-9)


def test_astigmatism_adds_half_along_its_axis_and_takes_half_across():
    ctf = contrast_transfer((64, 64), 3.0, Optics(), Defocus(2.0, 0.8, 90.0))
    along, across = (contrast_transfer((64, 64), 3.0, Optics(), Defocus(mean)) for mean in (2.4, 1.6))
    np.testing.assert_allclose(ctf[:, 0], along[:, 0], atol=1e-9)  # y: 90° from x
    np.testing.assert_allclose(ctf[0], across[0], atol=1e-9)


def test_weak_object_is_imaged_through_the_ctf():
    potential = blob(height=0.01)
    relative = image(potential, dose=1e9) / (1e9 * PIXEL_A**2) - 1
    ctf = contrast_transfer(potential.shape, PIXEL_A, PERFECT.optics, Defocus(3.0))
    weak = 2 * interaction_constant(300.0) * np.fft.ifft2(np.fft.fft2(potential) * ctf).real
    inner = np.s_[32:-32, 32:-32]
    # Beyond it, counting noise of 1 / sqrt(2.5e10).
    assert np.abs(relative - weak)[inner].max() < 5 / np.sqrt(1e9 * PIXEL_A**2) + 0.02 * np.abs(weak).max()


@pytest.mark.parametrize("microscope", [PERFECT, Microscope(damage=False)])
def test_dense_is_dark_at_underfocus_and_bright_beyond(microscope):
    for defocus, dark in ((3.0, True), (-3.0, False)):
        counts = image(blob(), microscope, defocus_um=defocus)
        middle, around = counts[62:67, 62:67].mean(), counts[:20].mean()
        assert (middle < around) == dark


# Dose


@settings(max_examples=15)
@given(dose=st.floats(0.05, 20), pixel=st.floats(1, 15), angle=st.floats(-70, 70))
def test_mean_counts_are_dose_times_area_times_what_passes_ice_and_detector(dose, pixel, angle):
    microscope = Microscope()
    counts = image(np.zeros((64, 64)), microscope, pixel_size_A=pixel, tilt_angle=angle, dose=dose)
    expected = dose * pixel**2 * transmission(microscope, angle) * microscope.detector.dqe_zero
    assert counts.dtype == np.float32
    assert counts.mean() == pytest.approx(expected, abs=6 * np.sqrt(expected / counts.size))


@pytest.mark.parametrize("dose", [0.02, 1.0, 50.0])
def test_counts_of_a_perfect_detector_are_poisson_distributed(dose):
    counts = image(np.zeros((256, 256)), dose=dose).astype(np.float64)
    expected = dose * PIXEL_A**2
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-3)
    assert counts.mean() == pytest.approx(expected, rel=0.03)
    assert counts.var() == pytest.approx(expected, rel=0.03)
    skewness = ((counts - counts.mean()) ** 3).mean() / counts.std() ** 3
    assert skewness == pytest.approx(1 / np.sqrt(expected), abs=0.05)
    neighbours = np.corrcoef(counts[:, 1:].ravel(), counts[:, :-1].ravel())[0, 1]
    assert abs(neighbours) < 0.02


def test_more_dose_means_a_clearer_image():
    potential = blob(height=300.0)
    clean = image(potential, dose=1e9)
    correlations = [
        np.corrcoef(image(potential, dose=dose, seed=3).ravel(), clean.ravel())[0, 1]
        for dose in (0.3, 3.0, 30.0, 300.0)
    ]
    assert correlations == sorted(correlations)
    assert correlations[-1] > 2 * correlations[0]


def test_ice_takes_more_electrons_the_thicker_it_is_and_the_more_it_is_tilted():
    thin, thick = Microscope(ice_thickness_A=1000.0), Microscope(ice_thickness_A=3100.0)
    assert transmission(thick, 0.0) == pytest.approx(np.exp(-1))
    assert transmission(thick, 60.0) == pytest.approx(np.exp(-2))
    assert transmission(thin, 30.0) == transmission(thin, -30.0) > transmission(thick, 30.0)
    means = [image(np.zeros((32, 32)), thick, tilt_angle=angle).mean() for angle in (0, 30, 60)]
    assert means == sorted(means, reverse=True)


def test_draw_follows_from_the_seed():
    potential = blob(32)
    np.testing.assert_array_equal(image(potential, dose=1.0, seed=4), image(potential, dose=1.0, seed=4))
    assert (image(potential, dose=1.0, seed=4) != image(potential, dose=1.0, seed=5)).any()


# Damage


def test_critical_exposures_are_the_published_ones():
    # Grant & Grigorieff's fit at 300 kV; 0.8 of it at 200 kV.
    at_3A, at_20A = critical_exposure(np.array([1 / 3, 1 / 20]), 300.0)
    assert at_3A == pytest.approx(0.245 * 3**1.665 + 2.81)
    assert at_20A > at_3A
    np.testing.assert_allclose(critical_exposure(np.array([1 / 3]), 200.0), 0.8 * at_3A)


@settings(max_examples=30)
@given(before=st.floats(0, 150), more=st.floats(0.1, 50), dose=st.floats(0, 20))
def test_damage_only_grows_with_exposure_and_takes_the_finest_detail_first(before, more, dose):
    early, late = (
        damage_envelope((32, 32), 2.0, 300.0, exposure, dose) for exposure in (before, before + more)
    )
    assert (late <= early).all()
    assert early.min() >= 0
    assert early[0, 0] == late[0, 0] == 1
    assert (np.diff(early[0, :16]) <= 0).all()


def test_envelope_is_the_mean_over_the_exposure():
    before, dose = 10.0, 8.0
    critical = critical_exposure(radial_frequency(16, 2.0), 300.0)
    times = before + dose * (np.arange(2000) + 0.5) / 2000
    mean = np.mean([np.exp(-0.5 * time / critical) for time in times], axis=0)
    np.testing.assert_allclose(damage_envelope((16, 16), 2.0, 300.0, before, dose), mean, rtol=1e-5)
    critical_dose = critical_exposure(np.array([1 / 4.0]), 300.0)[0]
    assert damage_envelope((4, 4), 2.0, 300.0, critical_dose, 0.0)[0, 2] == pytest.approx(np.exp(-0.5))


def test_contrast_fades_with_the_exposure_before_a_tilt():
    texture = np.random.default_rng(0).normal(0, 500, (128, 128))
    damaging = dataclasses.replace(PERFECT, damage=True)
    contrast = [image(texture, damaging, dose=3.0, before=before).std() for before in (0, 20, 60, 120)]
    assert contrast == sorted(contrast, reverse=True)
    undamaged = image(texture, dose=3.0, before=120.0).std()
    assert undamaged > contrast[0] > 1.2 * contrast[-1]


# Detector


def noise_power(microscope: Microscope, pixel_size_A: float = PIXEL_A, size: int = 256) -> np.ndarray:
    counts = image(np.zeros((size, size)), microscope, pixel_size_A=pixel_size_A, dose=4.0)
    return np.abs(np.fft.fft2(counts - counts.mean())) ** 2 / counts.size


def test_noise_passes_the_detector_as_mtf_over_dqe_says():
    power = noise_power(with_detector(dqe_zero=0.8, dqe_nyquist=0.5, mtf_nyquist=0.4))
    falloff = (2 * PIXEL_A * radial_frequency(256, PIXEL_A)) ** 2
    # Noise power spectrum: mean counts × MTF² / (DQE / DQE(0)).
    expected = 4.0 * PIXEL_A**2 * 0.8 * 0.4 ** (2 * falloff) / (0.5 / 0.8) ** falloff
    for low, high in ((0.05, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        ring = (falloff > low) & (falloff <= high)
        assert power[ring].mean() == pytest.approx(expected[ring].mean(), rel=0.05)


def test_signal_passes_the_detector_as_its_mtf_says():
    period = 4  # half of the Nyquist frequency
    grating = 10 * np.cos(2 * np.pi * np.arange(128) / period)[None, :] * np.ones((128, 1))

    def amplitude(microscope: Microscope) -> float:
        return float(np.abs(np.fft.fft2(image(grating, microscope, dose=1e8)))[0, 128 // period])

    blurred = with_detector(mtf_nyquist=0.4, dqe_nyquist=0.6)
    assert amplitude(blurred) / amplitude(PERFECT) == pytest.approx(0.4 ** (1 / 4), rel=0.02)


def test_binned_image_is_blurred_less_than_the_detectors_own():
    own = with_detector(mtf_nyquist=0.4)
    fine = with_detector(mtf_nyquist=0.4, pixel_size_A=PIXEL_A / 4)
    edge = np.abs(radial_frequency(256, PIXEL_A) - 0.5 / PIXEL_A) < 0.01 / PIXEL_A
    assert noise_power(fine)[edge].mean() > 3 * noise_power(own)[edge].mean()


# Images


def test_image_is_as_large_as_its_potential_whatever_its_shape():
    for shape in ((40, 64), (33, 21), (8, 200)):
        assert image(np.zeros(shape), Microscope()).shape == shape


def test_borders_do_not_reach_round_to_the_other_side():
    edge = np.zeros((128, 128))
    edge[:, :10] = 100.0
    relative = image(edge, dose=1e9) / (1e9 * PIXEL_A**2)
    assert np.abs(relative[:, 10:40] - 1).max() > 0.01
    assert np.abs(relative[:, 100:] - 1).max() < 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"potential": np.zeros(5)}, r"a finite \(y, x\) image"),
        ({"potential": np.full((4, 4), np.nan)}, r"a finite \(y, x\) image"),
        ({"dose": 0.0}, "must be positive"),
        ({"dose": float("nan")}, "must be positive"),
        ({"pixel_size_A": -1.0}, "must be positive"),
        ({"before": -1.0}, "not negative"),
        ({"tilt_angle": 90.0}, "lie between -90° and 90°"),
    ],
)
def test_impossible_imaging_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        image(**{"potential": np.zeros((32, 32)), **arguments})


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        (Optics, {"voltage_kV": 0.3}),
        (Optics, {"amplitude_contrast": 1.5}),
        (Optics, {"spherical_aberration_mm": -1.0}),
        (Defocus, {"mean_um": 15_000.0}),
        (Detector, {"dqe_zero": 0.0}),
        (Detector, {"mtf_nyquist": float("nan")}),
        (Detector, {"pixel_size_A": 0.0}),
        (Microscope, {"ice_thickness_A": -1.0}),
    ],
)
def test_instruments_outside_their_physical_range_are_refused(part, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        part(**wrong)


def test_detector_records_at_2_angstroms_or_at_the_images_pixel_if_that_is_smaller():
    frequencies = (64, 64)
    usual, coarse = Detector(), Detector(10.0)
    np.testing.assert_array_equal(
        usual.modulation_transfer(frequencies, 1.2), Detector(1.2).modulation_transfer(frequencies, 1.2)
    )
    # Half modulation at its Nyquist frequency: 0.973 of it is left at 20 Å, and half if the detector had 10 Å pixels.
    assert usual.modulation_transfer(frequencies, 10.0)[0, 32] == pytest.approx(0.5 ** (1 / 25))
    assert coarse.modulation_transfer(frequencies, 10.0)[0, 32] == pytest.approx(0.5)
