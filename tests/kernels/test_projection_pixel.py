import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.projection import project
from faket_dask.kernels.projection_pixel import count_terms, project_pixels
from faket_dask.kernels.projector import Projector

angles = st.floats(-180, 180, allow_nan=False)


def random_volume(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def blob(depth: int, columns: int, z: float, x: float, sigma: float = 1.5) -> np.ndarray:
    """Return a Gaussian of height 1 as one y slice."""
    zz, xx = np.mgrid[:depth, :columns]
    return np.exp(-((zz - z) ** 2 + (xx - x) ** 2) / (2 * sigma**2)).astype(np.float32)[:, None, :]


@settings(max_examples=60)
@given(angle=angles, depth=st.integers(24, 31), columns=st.integers(40, 47), data=st.data())
def test_gaussian_projects_to_the_gaussian_of_theory(angle, depth, columns, data):
    z = data.draw(st.floats(10, depth - 11))
    x = data.draw(st.floats(10, columns - 11))
    profile = -project_pixels(blob(depth, columns, z, x), [angle])[0, 0]
    theta = np.deg2rad(angle)
    centre = (x - columns // 2) * np.cos(theta) - (z - depth // 2) * np.sin(theta)
    s = np.arange(columns) - columns // 2
    expected = np.sqrt(2 * np.pi) * 1.5 * np.exp(-((s - centre) ** 2) / (2 * 1.5**2))
    np.testing.assert_allclose(profile, expected, atol=2e-3)


@settings(max_examples=40)
@given(angle=angles, z=st.integers(-4, 4), x=st.integers(-4, 4))
def test_every_voxel_keeps_its_weight_and_its_energy(angle, z, x):
    """The footprint is a sinc, whose sum and sum of squares over the columns are 1 wherever it lies."""
    volume = np.zeros((41, 1, 401), dtype=np.float32)
    volume[20 + z, 0, 200 + x] = 1
    volume = np.pad(volume, ((180, 180), (0, 0), (0, 0)))  # a shadow as wide at any angle
    footprint = -project_pixels(volume, [angle])[0, 0].astype(np.float64)
    assert (footprint**2).sum() == pytest.approx(1, abs=0.01)
    assert footprint.sum() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("angle", [0.0, 1.0, -2.0, 30.0, 60.0, 85.0])
def test_white_noise_is_as_strong_and_as_white_at_every_angle(angle):
    depth, width = 12, 256
    volume = random_volume((depth, 64, 700 if angle < 80 else 1100))
    tilt = project_pixels(volume, [angle], width)[0]
    middle = tilt[:, 64:192] if angle < 80 else tilt[:, 124:132]
    length = min(depth / np.cos(np.deg2rad(angle)), 1100)
    assert middle.var() / length == pytest.approx(1, abs=0.15 if angle > 80 else 0.05)
    power = (np.abs(np.fft.rfft(middle, axis=1)) ** 2).mean(axis=0)
    if angle < 80:
        assert power[-12:].mean() / power[1:13].mean() == pytest.approx(1, abs=0.15)


def test_untilted_projection_is_the_sum_of_the_layers():
    volume = random_volume((5, 3, 20))
    np.testing.assert_allclose(project_pixels(volume, [0])[0], -volume.sum(axis=0), atol=1e-5)
    np.testing.assert_allclose(project_pixels(volume, [0]), project(volume, [0]), atol=1e-5)


def test_projection_along_x_is_the_sum_of_the_columns():
    volume = random_volume((21, 3, 21))
    np.testing.assert_allclose(project_pixels(volume, [-90])[0], -volume.sum(axis=2).T, atol=1e-4)


def test_bilinear_projection_agrees_where_the_density_is_smooth():
    volume = np.repeat(blob(40, 60, 24.3, 21.6, sigma=5), 2, axis=1)
    tilt_angles = [-70, -40, -1, 0, 2, 33, 60]
    expected = project(volume, tilt_angles)
    np.testing.assert_allclose(
        project_pixels(volume, tilt_angles), expected, atol=0.03 * np.abs(expected).max()
    )


@settings(max_examples=20)
@given(angle=angles, factor=st.floats(-3, 3), seed=st.integers(0, 99))
def test_projection_is_linear(angle, factor, seed):
    a, b = random_volume((7, 2, 12), seed), random_volume((7, 2, 12), seed + 100)
    combined = project_pixels(a + np.float32(factor) * b, [angle])
    separate = project_pixels(a, [angle]) + np.float32(factor) * project_pixels(b, [angle])
    np.testing.assert_allclose(combined, separate, atol=5e-4)


@pytest.mark.parametrize("split", [1, 5, 16, 17, 64])
def test_block_of_slices_projects_to_the_same_bytes_as_within_the_whole(split):
    volume = random_volume((6, 67, 20))
    tilt_angles = [-60, -7.3, 0, 45, 80]
    whole = project_pixels(volume, tilt_angles)
    blocks = [project_pixels(volume[:, y : y + split], tilt_angles) for y in range(0, 67, split)]
    assert np.concatenate(blocks, axis=1).tobytes() == whole.tobytes()


def test_tilts_and_columns_do_not_depend_on_what_else_is_projected():
    volume = random_volume((6, 3, 21))
    whole = project_pixels(volume, [-40, 10, 55, 85])
    for tilt, angle in enumerate([-40, 10, 55, 85]):
        assert project_pixels(volume, [angle])[0].tobytes() == whole[tilt].tobytes()
    width = 8
    left = 21 // 2 - width // 2
    narrow = project_pixels(volume, [-40, 10, 55, 85], width)
    np.testing.assert_allclose(narrow, whole[:, :, left : left + width], atol=1e-5)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.float16, np.float64, bool, ">f4"])
def test_volumes_of_any_real_type_are_converted_by_value(dtype):
    volume = np.random.default_rng(1).integers(0, 2, (5, 4, 9)).astype(dtype)
    expected = project_pixels(volume.astype(np.float32), [0, 33, 80])
    np.testing.assert_array_equal(project_pixels(volume, [0, 33, 80]), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((3, 4)), [0]), r"\(z, y, x\)"),
        ((np.zeros((3, 2, 4), complex), [0]), "real"),
        ((np.zeros((3, 2, 4)), [0, np.nan]), "finite degrees"),
        ((np.zeros((3, 2, 4)), [0], 5), "between 1 and the volume's 4"),
    ],
)
def test_unusable_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        project_pixels(*arguments)


def test_work_grows_with_volume_and_tilts():
    small = count_terms((50, 64, 512), np.linspace(-60, 60, 11))
    assert count_terms((100, 64, 512), np.linspace(-60, 60, 11)) > 1.5 * small
    assert count_terms((50, 64, 512), np.linspace(-60, 60, 41)) > 2 * small
    assert count_terms((50, 32, 512), np.linspace(-60, 60, 11)) == small / 2


def test_projectors_are_the_two_functions():
    volume = random_volume((6, 2, 21))
    assert Projector("pixel").project(volume, [20], 9).tobytes() == project_pixels(volume, [20], 9).tobytes()
    assert Projector("bilinear").project(volume, [20], 9).tobytes() == project(volume, [20], 9).tobytes()
