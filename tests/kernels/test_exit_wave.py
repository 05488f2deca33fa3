"""Gold, moving ice, displaced images, faulty sensors, and the defocus across a tilted specimen."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.detector import Detector
from faket_dask.kernels.displacement import Displacement
from faket_dask.kernels.exit_wave import Layer
from faket_dask.kernels.exposure import Exposure
from faket_dask.kernels.gold import Beads, gold_mean_free_path, project_beads
from faket_dask.kernels.microscope import (
    Microscope,
    simulate_layers,
    simulate_tilt,
    transmission,
    transmission_across,
)
from faket_dask.kernels.optics import Defocus, contrast_transfer, interaction_constant
from faket_dask.kernels.sensor_faults import draw_sensor_faults
from faket_dask.kernels.signal_transfer import relative_contrast, transfer_signal

PIXEL_A = 10.0
PERFECT = Microscope(detector=Detector(PIXEL_A, 1.0, 1.0, 1.0), damage=False, ice_thickness_A=0.0)
BRIGHT = 1e7


def relative(
    layers: list[Layer],
    microscope: Microscope = PERFECT,
    exposure: Exposure = Exposure(0.0, Defocus(3.0), BRIGHT),
    displacement: Displacement = Displacement(),
) -> np.ndarray:
    shape = layers[0].potential.shape
    counts = simulate_layers(
        layers, shape, PIXEL_A, microscope, exposure, np.random.default_rng(0), displacement
    )
    return counts / (exposure.dose_e_per_A2 * PIXEL_A**2)


def points(shape: tuple[int, int], height: float = 1.0) -> np.ndarray:
    image = np.zeros(shape)
    rng = np.random.default_rng(1)
    image[rng.integers(0, shape[0], 60), rng.integers(0, shape[1], 60)] = height
    return image


# Defocus across a tilted specimen


def test_tilted_weak_specimen_is_imaged_as_its_signal_is_transferred():
    noiseless = -points((96, 800), 0.5)
    exposure = Exposure(55.0, Defocus(3.0, 0.2, 30.0), 1e12)
    image = relative([Layer(-noiseless * PIXEL_A)], exposure=exposure) - 1
    signal = transfer_signal(noiseless, PIXEL_A, PERFECT, exposure)
    signal *= relative_contrast(PIXEL_A, PERFECT.optics)
    # Beside a weak second order, edges differ by their margins.
    assert np.std(image - signal) < 0.03 * np.std(signal)


def test_defocus_at_the_rim_differs_from_that_at_the_axis():
    image = np.zeros((64, 640))
    image[32, 40] = 1.0
    exposure = Exposure(60.0, Defocus(3.0), BRIGHT)
    tilted = relative([Layer(image)], exposure=exposure)[:, :80]
    own = Defocus(3.0 - 1e-4 * PIXEL_A * (40 - 320) * math.tan(math.radians(60)))
    alike, axis = (
        relative([Layer(image)], exposure=Exposure(0.0, defocus, BRIGHT))[:, :80]
        for defocus in (own, Defocus(3.0))
    )
    assert own.mean_um == pytest.approx(3.485, abs=1e-3)
    assert np.std(tilted - alike) < 0.05 * np.std(alike)
    assert np.std(tilted - axis) > 0.3 * np.std(alike)


# Gold


@settings(max_examples=20, deadline=None)
@given(
    angle=st.floats(-65, 65),
    radius=st.floats(10, 80),
    x=st.floats(-60, 60),
    z=st.floats(-100, 100),
    shift=st.floats(-25, 25),
)
def test_projected_bead_holds_its_volume_at_its_place_at_every_angle(angle, radius, x, z, shift):
    beads = Beads(np.array([[x, 300.0, z]]), np.array([radius]), 22.0)
    path = project_beads(beads, (64, 80), PIXEL_A, angle, shift_A=(shift, 7.0)).path_A
    assert path.sum() * PIXEL_A**2 == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.05)
    rows, columns = np.mgrid[:64, :80]
    theta = math.radians(angle)
    middle = (path * columns).sum() / path.sum() * PIXEL_A, (path * rows).sum() / path.sum() * PIXEL_A
    assert middle == pytest.approx(
        (400 + x * math.cos(theta) - z * math.sin(theta) + shift, 307.0), abs=0.1 * radius
    )


def test_layers_share_out_a_bead():
    beads = Beads(np.array([[5.0, 200.0, 30.0]]), np.array([60.0]), 22.0)
    edges = (-math.inf, 0.0, 40.0, math.inf)
    whole = project_beads(beads, (40, 50), PIXEL_A, 40.0).path_A
    parts = [
        project_beads(beads, (40, 50), PIXEL_A, 40.0, layer_A=layer).path_A
        for layer in itertools.pairwise(edges)
    ]
    assert all(part.any() for part in parts)
    np.testing.assert_allclose(np.sum(parts, axis=0), whole, atol=1e-3)


def test_gold_takes_about_half_of_the_electrons_through_100_angstroms():
    # Lenz's model in the first Born approximation, written out anew: 0.105 Å² elastic in all, 0.080 Å² beyond 14 mrad.
    born = (
        4 * math.pi * 79**2 * 1.587**2 / (0.5292 * 2 * math.pi / 0.01969) ** 2 / (79 ** (1 / 3) / 0.5292) ** 2
    )
    beyond = born / (1 + (0.014 * 2 * math.pi / 0.01969 * 0.5292 / 79 ** (1 / 3)) ** 2)
    assert 1 / (0.059 * beyond) == pytest.approx(gold_mean_free_path(300.0), rel=0.6)
    assert 0.4 < math.exp(-100 / gold_mean_free_path(300.0)) < 0.6
    assert gold_mean_free_path(100.0) < gold_mean_free_path(200.0) < gold_mean_free_path(300.0)


def test_beads_absorb_what_passes_through_them():
    # A flat foil of gold over the whole image: no lens changes it.
    beads = project_beads(Beads(np.zeros((0, 3)), np.zeros(0), 22.0), (32, 32), PIXEL_A, 0.0)
    foil = dataclasses.replace(beads, path_A=np.full((32, 32), 100.0, np.float32))
    image = relative([Layer(np.full((32, 32), 2200.0), gold=foil)])
    assert image.mean() == pytest.approx(math.exp(-100 / gold_mean_free_path(300.0)), rel=1e-3)


# Damage


def test_damage_takes_detail_of_particles_and_leaves_gold():
    damaged = dataclasses.replace(PERFECT, damage=True)
    exposure = Exposure(0.0, Defocus(3.0), 1e13)
    gold = project_beads(Beads(np.array([[0.0, 320.0, 0.0]]), np.array([50.0]), 22.0), (64, 64), PIXEL_A, 0.0)
    weak = dataclasses.replace(gold, path_A=1e-3 * gold.path_A)
    kept, taken = (
        [(relative([layer], microscope, exposure) - 1)[32, 32] for microscope in (PERFECT, damaged)]
        for layer in (Layer(22.0 * weak.path_A, gold=weak), Layer(22.0 * weak.path_A))
    )
    assert kept[1] == pytest.approx(kept[0], rel=0.02)
    assert abs(taken[1]) < 0.3 * abs(taken[0])


def test_ice_keeps_its_texture_and_moves():
    rng = np.random.default_rng(2)
    deviation = 0.05
    ice = deviation * rng.standard_normal((256, 256))
    damaged = dataclasses.replace(PERFECT, damage=True)
    exposure = Exposure(0.0, Defocus(3.0), 1e13)
    fresh, moved, faded = (
        relative([Layer(ice, ice_deviation=own)], microscope, exposure) - 1
        for own, microscope in ((0.0, PERFECT), (deviation, damaged), (0.0, damaged))
    )
    assert np.std(moved) == pytest.approx(np.std(fresh), rel=0.03)
    assert np.std(faded) < 0.1 * np.std(fresh)
    assert abs(np.corrcoef(moved.ravel(), fresh.ravel())[0, 1]) < 0.15


# Displacement


def test_image_is_displaced_by_its_shift():
    image = np.zeros((64, 96))
    image[30, 40] = 1.0
    still = relative([Layer(image)])
    moved = relative([Layer(image)], displacement=Displacement((30.0, -20.0)))
    inner = np.s_[12:-12, 12:-12]
    noise = 1 / math.sqrt(BRIGHT * PIXEL_A**2)
    assert np.abs(np.roll(still, (-2, 3), (0, 1)) - moved)[inner].max() < 8 * noise


def test_drift_and_motion_take_detail_of_the_image():
    period = 4
    grating = 5 * np.cos(2 * np.pi * np.arange(128) / period)[None, :] * np.ones((64, 1))

    def amplitude(displacement: Displacement) -> float:
        return float(np.abs(np.fft.fft2(relative([Layer(grating)], displacement=displacement)))[0, 32])

    k = 1 / (period * PIXEL_A)
    still = amplitude(Displacement())
    assert amplitude(Displacement(drift_A=(20.0, 0.0))) / still == pytest.approx(np.sinc(20 * k), rel=0.02)
    assert amplitude(Displacement(drift_A=(0.0, 20.0))) / still == pytest.approx(1, rel=0.02)
    blurred = amplitude(Displacement(motion_A=5.0)) / still
    assert blurred == pytest.approx(math.exp(-2 * (math.pi * 5 * k) ** 2), rel=0.02)


# Ice and sensor


def test_without_a_filter_electrons_that_lost_energy_are_a_background():
    ice = dataclasses.replace(PERFECT, ice_thickness_A=2000.0)
    open_column = dataclasses.replace(ice, energy_filter=False)
    layer = Layer(points((64, 64), 20.0))
    filtered, unfiltered = relative([layer], ice), relative([layer], open_column)
    passing = math.exp(-2000 / 3100)
    assert filtered.mean() == pytest.approx(passing, rel=0.01)
    assert unfiltered.mean() == pytest.approx(1, rel=0.01)
    assert np.std(unfiltered) == pytest.approx(np.std(filtered), rel=0.01)


def test_wedge_of_ice_takes_more_electrons_on_one_side():
    wedge = dataclasses.replace(PERFECT, ice_thickness_A=1500.0, ice_wedge_deg=5.0)
    distance = np.array([-2000.0, 0.0, 2000.0])
    thin, middle, thick = transmission_across(wedge, 40.0, distance)
    assert thin > middle > thick
    assert middle == pytest.approx(transmission(wedge, 40.0))
    cosine = math.cos(math.radians(40))
    expected = math.exp(-(1500 + 2000 / cosine * math.tan(math.radians(5))) / (3100 * cosine))
    assert thick == pytest.approx(expected)
    image = relative([Layer(np.zeros((32, 64)))], wedge)
    assert image[:, :8].mean() > image[:, -8:].mean()


def test_sensor_faults_stay_in_place_from_tilt_to_tilt():
    faults = draw_sensor_faults((128, 128), 0.05, 1e-3, np.random.default_rng(3))
    flat = np.full((128, 128), 100.0, np.float32)
    one, other = (faults.apply(flat, np.random.default_rng(seed)) for seed in (0, 1))
    assert faults.hot.sum() == 16
    assert (one[faults.hot] > 500).all()
    assert (one != other)[faults.hot].all()
    np.testing.assert_array_equal(one[~faults.hot], other[~faults.hot])
    assert one[~faults.hot].std() == pytest.approx(5, rel=0.05)


# Several layers


def test_one_layer_is_the_thin_specimen():
    potential = points((64, 64), 300.0)
    exposure = Exposure(30.0, Defocus(3.0), 2.0, 20.0)
    thin = simulate_tilt(potential, PIXEL_A, Microscope(), exposure, np.random.default_rng(5))
    layered = simulate_layers(
        [Layer(potential)], (64, 64), PIXEL_A, Microscope(), exposure, np.random.default_rng(5)
    )
    np.testing.assert_array_equal(thin, layered)


def test_weak_layer_is_imaged_with_the_defocus_of_its_height():
    potential = points((96, 96), 5.0)
    empty = np.zeros_like(potential)
    for heights, place in (((400.0, 0.0, -800.0), 0), ((400.0, 0.0, -800.0), 2)):
        layers = [Layer(potential if n == place else empty, height) for n, height in enumerate(heights)]
        image = relative(layers, exposure=Exposure(0.0, Defocus(2.0), 1e13)) - 1
        own = Defocus(2.0 - 1e-4 * heights[place])
        ctf = contrast_transfer(potential.shape, PIXEL_A, PERFECT.optics, own)
        weak = 2 * interaction_constant(300.0) * np.fft.ifft2(np.fft.fft2(potential) * ctf).real
        inner = np.s_[20:-20, 20:-20]
        assert np.abs(image - weak)[inner].max() < 0.02 * np.abs(weak).max()


def test_specimen_without_layers_is_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        simulate_layers([], (8, 8), 1.0, PERFECT, Exposure(0.0, Defocus(1.0), 1.0), np.random.default_rng(0))
