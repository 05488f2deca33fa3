import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.projection import project
from tests.kernels.radon import project_by_radon

angles = st.floats(-180, 180, allow_nan=False)
sizes = st.integers(1, 9)


def random_volume(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("function", [project, project_by_radon])
def test_published_projections(golden, function):
    arrays = golden("projection.npz")
    stack = function(arrays["volume"], arrays["theta"])
    assert stack.dtype == np.float32
    largest = np.abs(arrays["projections"]).max()
    np.testing.assert_allclose(stack, arrays["projections"], rtol=0, atol=1e-5 * largest)


@settings(max_examples=40)
@given(
    depth=sizes, rows=st.integers(1, 3), columns=sizes, angle=angles, seed=st.integers(0, 99), data=st.data()
)
def test_projection_agrees_with_radon_for_odd_and_even_sizes(depth, rows, columns, angle, seed, data):
    volume = random_volume((depth, rows, columns), seed)
    width = data.draw(st.integers(1, columns))
    fast, reference = (function(volume, [angle], width) for function in (project, project_by_radon))
    assert fast.shape == (1, rows, width)
    np.testing.assert_allclose(fast, reference, atol=1e-5 * (1 + np.abs(reference).max()))


@settings(max_examples=100)
@given(depth=st.integers(3, 15), columns=st.integers(3, 31), angle=angles, data=st.data())
def test_voxel_appears_where_the_geometry_says(depth, columns, angle, data):
    z, x = data.draw(st.integers(0, depth - 1)), data.draw(st.integers(0, columns - 1))
    s = (x - columns // 2) * np.cos(np.deg2rad(angle)) - (z - depth // 2) * np.sin(np.deg2rad(angle))
    volume = np.zeros((depth + 80, 1, columns + 80), dtype=np.float32)  # an even margin keeps the centre
    volume[z + 40, 0, x + 40] = 1
    profile = -project(volume, [angle])[0, 0].astype(np.float64)
    positions = np.arange(profile.size) - profile.size // 2
    # The bilinear footprint of a voxel reaches less than sqrt(2) to either side.
    assert not profile[np.abs(positions - s) >= np.sqrt(2)].any()
    # Unit steps sample that footprint coarsely; a smooth bead, below, is placed exactly.
    assert (profile * positions).sum() / profile.sum() == pytest.approx(s, abs=0.35)


@pytest.mark.parametrize(("z", "x"), [(12, 25), (12, 5), (3, 25), (3, 5)])
@pytest.mark.parametrize("angle", [-150.0, -60.0, -30.0, 0.0, 30.0, 60.0, 120.0, 180.0])
def test_smooth_bead_appears_where_the_geometry_says(z, x, angle):
    zz, xx = np.mgrid[-25:41, -25:56]
    bead = np.exp(-((zz - z) ** 2 + (xx - x) ** 2) / (2 * 1.5**2)).astype(np.float32)[:, None, :]
    zc, xc = bead.shape[0] // 2 - 25, bead.shape[2] // 2 - 25
    profile = -project(bead, [angle])[0, 0].astype(np.float64)
    positions = np.arange(profile.size) - profile.size // 2
    s = (x - xc) * np.cos(np.deg2rad(angle)) - (z - zc) * np.sin(np.deg2rad(angle))
    assert (profile * positions).sum() / profile.sum() == pytest.approx(s, abs=0.01)


def test_dense_is_dark_and_positive_tilt_moves_upper_points_left():
    volume = np.zeros((21, 1, 41), dtype=np.float32)
    volume[20, 0, 20] = 1
    stack = project(volume, [0, 30])
    assert stack.min() < 0
    assert not (stack > 0).any()
    assert stack[0, 0].argmin() == 20
    assert stack[1, 0].argmin() == 15


@settings(max_examples=25)
@given(angle=angles, factor=st.floats(-3, 3), seed=st.integers(0, 99))
def test_projection_is_linear(angle, factor, seed):
    a, b = random_volume((7, 2, 12), seed), random_volume((7, 2, 12), seed + 100)
    combined = project(a + np.float32(factor) * b, [angle])
    np.testing.assert_allclose(
        combined, project(a, [angle]) + np.float32(factor) * project(b, [angle]), atol=2e-4
    )


@pytest.mark.parametrize("split", [1, 5, 64, 65, 100])
def test_block_of_slices_projects_to_the_same_bytes_as_within_the_whole(split):
    volume = random_volume((6, 131, 20))
    tilt_angles = [-60, -7.3, 0, 45]
    whole = project(volume, tilt_angles)
    blocks = [project(volume[:, y : y + split], tilt_angles) for y in range(0, 131, split)]
    assert np.concatenate(blocks, axis=1).tobytes() == whole.tobytes()


def test_tilts_and_columns_do_not_depend_on_what_else_is_projected():
    volume = random_volume((6, 3, 21))
    whole = project(volume, [-40, 10, 55])
    assert project(volume, [10])[0].tobytes() == whole[1].tobytes()
    width = 8
    left = 21 // 2 - width // 2
    np.testing.assert_array_equal(project(volume, [-40, 10, 55], width), whole[:, :, left : left + width])


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.int64, np.float16, np.float64, bool])
def test_volumes_of_any_real_type_are_converted_by_value(dtype):
    volume = np.random.default_rng(1).integers(0, 2, (5, 4, 9)).astype(dtype)
    expected = project(volume.astype(np.float32), [0, 33])
    for function in (project, project_by_radon):
        np.testing.assert_allclose(function(volume, [0, 33]), expected, atol=1e-5)


def test_strided_and_byte_swapped_volumes():
    volume = random_volume((5, 4, 9))
    expected = project(volume, [20])
    np.testing.assert_array_equal(project(volume.astype(">f4"), [20]), expected)
    np.testing.assert_array_equal(project(volume[::-1, ::-1], [20]), project(volume[::-1, ::-1].copy(), [20]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((3, 4)), [0]), r"\(z, y, x\)"),
        ((np.zeros((3, 0, 4)), [0]), "non-empty"),
        ((np.zeros((3, 2, 4), complex), [0]), "real"),
        ((np.zeros((3, 2, 4)), [0, np.nan]), "finite degrees"),
        ((np.zeros((3, 2, 4)), [[0], [1]]), "one-dimensional"),
        ((np.zeros((3, 2, 4)), [0], 5), "between 1 and the volume's 4"),
        ((np.zeros((3, 2, 4)), [0], 0), "between 1 and"),
    ],
)
def test_unusable_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        project(*arguments)
