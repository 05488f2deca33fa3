import numpy as np
import pytest

from faket_dask.kernels.noise.spectral import shaped_field
from faket_dask.kernels.similarity.texture_similarity import (
    intra_reference_distances,
    sample_halves,
    texture_distances,
)
from faket_dask.kernels.vgg import VGG19

LAYERS = (1, 6)


@pytest.fixture(scope="module")
def network() -> VGG19:
    return VGG19(seed=0)


def noise(seed: int, fall: float = 0.0, shape: tuple[int, int] = (128, 160)) -> np.ndarray:
    white = np.random.default_rng(seed).standard_normal(shape)
    return shaped_field(white, np.exp(-fall * np.linspace(0, 1, 40)))


def test_noise_of_one_kind_is_at_the_floor_and_of_another_is_not(network):
    theirs = sample_halves(noise(0, 3), network, LAYERS)
    alike = texture_distances(sample_halves(noise(1, 3), network, LAYERS), theirs)
    other = texture_distances(sample_halves(noise(1), network, LAYERS), theirs)
    lowest = intra_reference_distances(theirs)
    assert alike.log_spectrum < 1.5 * lowest.log_spectrum < 0.3 * other.log_spectrum
    for layer in LAYERS:
        assert alike.gram[layer] < 2 * lowest.gram[layer] < 0.5 * other.gram[layer]


def test_part_is_at_no_distance_from_itself(network):
    part = sample_halves(noise(0), network, LAYERS)[:1]
    assert texture_distances(part, part).log_spectrum == 0
    assert set(texture_distances(part, part).gram.values()) == {0.0}


def test_units_beads_and_ramps_do_not_count(network):
    plain, theirs = noise(0, 2), sample_halves(noise(1, 2), network, LAYERS)
    y, x = np.ogrid[:128, :160]
    spoilt = 500 + 30 * (plain + 2 * y / 128 + x / 160)
    spoilt[(y - 40) ** 2 + (x - 50) ** 2 < 20] = 100
    expected, found = (
        texture_distances(sample_halves(tilt, network, LAYERS), theirs) for tilt in (plain, spoilt)
    )
    assert found.log_spectrum == pytest.approx(expected.log_spectrum, abs=0.02)
    for layer in LAYERS:
        assert found.gram[layer] == pytest.approx(expected.gram[layer], abs=0.02)


def test_beads_are_counted():
    tilt = noise(0)
    y, x = np.ogrid[:128, :160]
    tilt[(y - 40) ** 2 + (x - 50) ** 2 < 20] = -10
    with_bead, without = sample_halves(tilt), sample_halves(noise(0))
    assert with_bead[0].artefacts > without[0].artefacts == with_bead[1].artefacts == 0
    assert with_bead[0].kurtosis == pytest.approx(3, abs=0.15)


def test_without_a_network_spectra_are_compared():
    assert texture_distances(sample_halves(noise(0)), sample_halves(noise(1))).gram == {}


def test_tilts_of_different_sizes_are_compared_in_their_middle(network):
    large, small = (
        sample_halves(noise(seed, 1, shape), network, LAYERS, 96)
        for seed, shape in ((0, (300, 200)), (1, (96, 110)))
    )
    assert large[0].image.shape == small[0].image.shape == (96, 48)
    assert texture_distances(large, small).gram[1] < 0.1


def test_constant_tilt_has_no_texture():
    with pytest.raises(ValueError, match="contrast"):
        sample_halves(np.ones((64, 64)))


def test_half_that_is_carbon_as_a_whole_is_compared_as_it_is():
    tilt = np.random.default_rng(0).normal(size=(128, 128))
    tilt[:, :66] -= 8.0
    parts = sample_halves(tilt)
    assert [part.image.shape for part in parts] == [(128, 64), (128, 64)]
    assert all(np.isfinite(part.image).all() for part in parts)
