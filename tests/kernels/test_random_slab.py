import numpy as np
import pytest

from faket_dask.kernels.projection import project
from faket_dask.kernels.random_slab import interpolate_rings, project_random_slab


def red(frequency: np.ndarray) -> np.ndarray:
    return 1e-2 / (0.02**2 + frequency**2) * np.exp(-((frequency / 0.2) ** 2))


def radial_power(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    spectrum = np.abs(np.fft.fft2(image)) ** 2 / image.size
    k = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, image.shape), indexing="ij"))
    ring = np.digitize(k, np.linspace(0.03, 0.3, 8))
    return np.array([k[ring == i].mean() for i in range(1, 8)]), np.array(
        [spectrum[ring == i].mean() for i in range(1, 8)]
    )


@pytest.mark.parametrize("angle", [0.0, 40.0, -60.0])
def test_tilt_has_the_spectrum_of_the_matter_times_the_length_of_rays(angle):
    rng = np.random.default_rng(1)
    tilts = [next(project_random_slab(red, (256, 256), 80, [angle], rng)) for _ in range(3)]
    frequency = radial_power(tilts[0])[0]
    measured = np.mean([radial_power(tilt)[1] for tilt in tilts], axis=0)
    expected = red(frequency) * 80 / np.cos(np.deg2rad(angle))
    np.testing.assert_allclose(measured, expected, rtol=0.2)


def test_tilts_show_one_slab_as_projections_of_a_volume_do():
    # Coherence of two angles, against that of a random volume that is really projected.
    depth, angles = 60, [0.0, 4.0]
    rng = np.random.default_rng(2)
    y, x = 192, 288
    volume = np.zeros((depth, y, x))
    pad = np.fft.rfftn(rng.normal(size=(2 * depth, y, x)))
    k = np.sqrt(
        np.fft.fftfreq(2 * depth)[:, None, None] ** 2
        + np.fft.fftfreq(y)[:, None] ** 2
        + np.fft.rfftfreq(x) ** 2
    )
    volume = np.fft.irfftn(pad * np.sqrt(red(k)), s=(2 * depth, y, x), axes=(0, 1, 2))[:depth].astype(
        np.float32
    )
    projected = project(volume, angles, width=192)
    drawn = list(project_random_slab(red, (192, 192), depth, angles, rng))

    def coherence(first: np.ndarray, second: np.ndarray, low: float, high: float) -> float:
        window = np.outer(np.hanning(192), np.hanning(192))
        a, b = (np.fft.fft2(window * (tilt - tilt.mean())) for tilt in (first, second))
        k = np.hypot(*np.meshgrid(*[np.fft.fftfreq(192)] * 2, indexing="ij"))
        band = (k > low) & (k < high)
        return float(
            (a * b.conj()).real[band].sum() / np.sqrt((abs(a[band]) ** 2).sum() * (abs(b[band]) ** 2).sum())
        )

    for low, high in ((0.02, 0.06), (0.06, 0.12)):
        assert coherence(*drawn, low, high) == pytest.approx(coherence(*projected, low, high), abs=0.12)


def test_inclined_slab_is_a_level_one_at_other_angles():
    level = project_random_slab(red, (64, 96), 40, [10.0, 30.0], np.random.default_rng(3))
    inclined = project_random_slab(red, (64, 96), 40, [0.0, 20.0], np.random.default_rng(3), inclination=10.0)
    for one, other in zip(level, inclined, strict=True):
        np.testing.assert_array_equal(one, other)


def test_rings_are_interpolated_and_nothing_lies_beyond():
    spectrum = interpolate_rings(np.array([4.0, 2.0]))
    np.testing.assert_allclose(spectrum(np.array([0.1, 0.25, 0.375, 0.5, 0.6])), [4, 4, 3, 2, 0])


def test_slab_seen_from_its_edge_is_refused():
    with pytest.raises(ValueError, match="seen from its edge"):
        next(project_random_slab(red, (32, 32), 10, [60.0], np.random.default_rng(0), inclination=35.0))
