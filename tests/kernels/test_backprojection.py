import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import zoom

from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.backprojection_binned import back_project_binned
from faket_dask.kernels.backprojection_torch import back_project_on
from faket_dask.kernels.binning import bin_axes
from faket_dask.kernels.filters import filter_tilt, ramp_filter, shrec_filter
from faket_dask.kernels.projection import project


def relative_rms(found, expected):
    return np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))


def naive(stack, angles, depth, centre, z_centre):
    """Slice by slice, with NumPy's interpolation, in double precision."""
    stack = stack.astype(np.float64)
    stack = stack - stack.mean(axis=2, keepdims=True)
    tilts, height, width = stack.shape
    columns = np.arange(width)
    z, x = np.meshgrid(np.arange(depth) - z_centre, columns - centre, indexing="ij")
    volume = np.zeros((depth, height, width))
    for tilt, angle in enumerate(np.deg2rad(angles)):
        u = x * np.cos(angle) - z * np.sin(angle) + centre
        for y in range(height):
            volume[:, y] += np.interp(u, columns, stack[tilt, y], left=0, right=0)
    return volume * np.pi / tilts


@pytest.mark.parametrize("name", ["shrec", "ramp"])
def test_published_reconstructions(golden, name):
    arrays = golden("reconstruction.npz")
    weights = {"shrec": shrec_filter, "ramp": ramp_filter}[name](64, 64)
    filtered = np.stack([filter_tilt(tilt, weights) for tilt in arrays["projections"]])
    centre = (64 - 1) / 2
    volume = back_project(filtered, arrays["theta"], 22, centre, centre - round(0.32226 * 64))
    assert relative_rms(volume, arrays[name]) <= 1e-5
    cube = back_project(filtered, arrays["theta"], 64, centre)
    first = round(0.32226 * 64)
    np.testing.assert_allclose(cube[first : first + 22], volume, atol=1e-6)


def test_published_reconstruction_of_binned_tilts(golden):
    arrays = golden("reconstruction.npz")
    # As published: the first and the last pixel stay in place, without a low pass.
    tilts = [zoom(tilt.astype(np.float64), 0.5, order=3).astype(np.float32) for tilt in arrays["projections"]]
    filtered = np.stack([filter_tilt(tilt, shrec_filter(32, 32)) for tilt in tilts])
    volume = back_project(filtered, arrays["theta"], 12, 15.5, 15.5 - round(0.32226 * 32))
    assert relative_rms(volume, arrays["shrec_binned2"]) <= 1e-5


@settings(max_examples=40)
@given(
    tilts=st.integers(1, 7),
    height=st.integers(1, 4),
    width=st.integers(2, 50),
    depth=st.integers(1, 12),
    first=st.floats(-90, 90),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_back_projection_equals_a_plain_loop(tilts, height, width, depth, first, seed, data):
    stack = np.random.default_rng(seed).standard_normal((tilts, height, width)).astype(np.float32)
    angles = first + 7.3 * np.arange(tilts)
    centre = data.draw(st.sampled_from([None, (width - 1) / 2]))
    z_centre = data.draw(st.sampled_from([None, 3.25]))
    found = back_project(stack, angles, depth, centre, z_centre)
    if z_centre is None:
        z_centre = centre if centre is not None and depth == width else depth // 2
    expected = naive(stack, angles, depth, width // 2 if centre is None else centre, z_centre)
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("shape", [(5, 3, 40), (4, 70, 33)])
@pytest.mark.parametrize("centre", [None, 17.5])
def test_torch_implementation_agrees_on_the_cpu(shape, centre):
    stack = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    angles = 17.3 * np.arange(shape[0]) - 40
    expected = back_project(stack, angles, 11, centre, 4.5)
    middle = shape[2] // 2 if centre is None else centre
    found = back_project_on("cpu", stack, np.deg2rad(angles), 11, middle, 4.5)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.gpu
def test_torch_implementation_agrees_on_the_gpu():
    stack = np.random.default_rng(0).standard_normal((61, 64, 512)).astype(np.float32)
    angles = np.linspace(-60, 60, 61)
    found = back_project(stack, angles, 180, device="cuda")
    np.testing.assert_allclose(found, back_project(stack, angles, 180), atol=2e-5)


@pytest.mark.parametrize("split", [1, 5, 64, 65, 100])
def test_block_of_slices_gives_the_bytes_of_the_whole_volume(split):
    stack = np.random.default_rng(0).standard_normal((6, 131, 20)).astype(np.float32)
    angles = [-60, -30, -7.3, 0, 31, 45]
    whole = back_project(stack, angles, 9)
    blocks = [back_project(stack[:, y : y + split], angles, 9) for y in range(0, 131, split)]
    assert np.concatenate(blocks, axis=1).tobytes() == whole.tobytes()


def test_slabs_give_the_bytes_of_the_whole_volume():
    stack = np.random.default_rng(0).standard_normal((6, 3, 20)).astype(np.float32)
    angles = [-60, -30, -7.3, 0, 31, 45]
    whole = back_project(stack, angles, 9, z_centre=4)
    slabs = [back_project(stack, angles, layers, z_centre=4 - z) for z, layers in ((0, 5), (5, 4))]
    assert np.concatenate(slabs).tobytes() == whole.tobytes()


@settings(max_examples=30)
@given(
    factor=st.integers(1, 4),
    height=st.integers(4, 20),
    width=st.integers(8, 60),
    depth=st.integers(1, 50),
    seed=st.integers(0, 99),
)
def test_binned_back_projection_equals_binning_afterwards(factor, height, width, depth, seed):
    stack = np.random.default_rng(seed).standard_normal((5, height, width)).astype(np.float32)
    angles = [-60, -31.5, 0, 20, 45]
    beyond = 8  # binned layers at least on either side, where the whole volume is mirrored
    whole = bin_axes(back_project(stack, angles, factor * (depth + 2 * beyond) + 1), factor, (0, 1, 2))
    first = whole.shape[0] // 2 - depth // 2
    expected = whole[first : first + depth]
    found = back_project_binned(bin_axes(stack, factor, (1,)), angles, depth, factor)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_binned_slabs_and_blocks_give_the_bytes_of_the_whole():
    stack = np.random.default_rng(0).standard_normal((6, 70, 31)).astype(np.float32)
    angles = [-60, -30, -7.3, 0, 31, 45]
    whole = back_project_binned(stack, angles, 29, 2)
    slabs = [
        back_project_binned(stack, angles, layers, 2, z_centre=14 - z) for z, layers in ((0, 17), (17, 12))
    ]
    assert np.concatenate(slabs).tobytes() == whole.tobytes()
    blocks = [back_project_binned(stack[:, y : y + 40], angles, 29, 2) for y in (0, 40)]
    assert np.concatenate(blocks, axis=1).tobytes() == whole.tobytes()


def bead(shape, centre_xyz, sigma=1.5):
    z, y, x = np.indices(shape)
    cx, cy, cz = centre_xyz
    return np.exp(-((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2) / (2 * sigma**2)).astype(np.float32)


def place_of_minimum(volume):
    """Centre ``(x, y, z)`` of the darkest spot: parabolas through its voxel and their neighbours."""
    index = np.unravel_index(np.argmin(volume), volume.shape)
    place = []
    for axis, i in enumerate(index):
        line = np.take(np.moveaxis(volume, axis, -1)[tuple(np.delete(index, axis))], [i - 1, i, i + 1])
        place.append(i + 0.5 * (line[0] - line[2]) / (line[0] - 2 * line[1] + line[2]))
    return np.array(place[::-1])


@pytest.mark.parametrize("shape", [(36, 9, 96), (35, 9, 97), (36, 9, 97), (35, 9, 96)])
@pytest.mark.parametrize("place", [(70.0, 4.0, 25.0), (30.3, 4.0, 12.6), (60.5, 4.0, 10.5)])
@pytest.mark.parametrize("weights", [ramp_filter, shrec_filter])
def test_reconstructed_bead_lies_at_its_place(shape, place, weights):
    angles = np.arange(-60, 61, 3.0)
    stack = project(bead(shape, place), angles)
    filtered = np.stack([filter_tilt(tilt, weights(*tilt.shape)) for tilt in stack])
    volume = back_project(filtered, angles, shape[0])
    np.testing.assert_allclose(place_of_minimum(volume), place, atol=0.1)


@pytest.mark.parametrize("shape", [(72, 40, 192), (71, 41, 193), (73, 42, 191)])
@pytest.mark.parametrize("factor", [2, 3])
def test_bead_lies_on_its_binned_label(shape, factor):
    place = np.array([140.6, 23.0, 25.3])
    stack = project(bead(shape, place, sigma=1.5 * factor), np.arange(-60, 61, 2.0))
    filtered = np.stack([bin_axes(filter_tilt(t, ramp_filter(*t.shape)), factor, (0,)) for t in stack])
    volume = back_project_binned(filtered, np.arange(-60, 61, 2.0), shape[0] // factor, factor)
    assert volume.shape == tuple(size // factor for size in shape)
    middle, binned_middle = np.array(shape) // 2, np.array(volume.shape) // 2
    expected = (place - middle[::-1]) / factor + binned_middle[::-1]
    np.testing.assert_allclose(place_of_minimum(volume), expected, atol=0.1)


def test_volume_from_a_narrower_field_of_view_keeps_its_centre():
    shape, place, width = (36, 9, 141), (80.0, 4.0, 22.0), 96
    angles = np.arange(-60, 61, 3.0)
    stack = project(bead(shape, place), angles, width)
    filtered = np.stack([filter_tilt(tilt, ramp_filter(*tilt.shape)) for tilt in stack])
    found = place_of_minimum(back_project(filtered, angles, shape[0]))
    np.testing.assert_allclose(found - place, [width // 2 - 141 // 2, 0, 0], atol=0.1)


def test_density_keeps_its_scale():
    """A ramp and many tilts over the half circle give back minus the density, for dense is dark."""
    volume = bead((64, 1, 64), (32, 0, 32), sigma=4)
    angles = np.linspace(-90, 90, 180, endpoint=False)
    stack = project(volume, angles)
    filtered = np.stack([filter_tilt(tilt, np.abs(np.fft.fftfreq(64))[None]) for tilt in stack])
    assert back_project(filtered, angles, 64)[32, 0, 32] == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize("dtype", [np.int16, np.float64, ">f4"])
def test_stacks_of_any_real_type(dtype):
    stack = (10 * np.random.default_rng(0).standard_normal((3, 4, 9))).astype(dtype)
    expected = back_project(stack.astype(np.float32), [0, 10, 20], 5)
    np.testing.assert_array_equal(back_project(stack, [0, 10, 20], 5), expected)
    strided = back_project(np.asfortranarray(stack), [0, 10, 20], 5)
    np.testing.assert_array_equal(strided, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((3, 4)), [0, 1, 2], 5), r"\(tilt, y, x\)"),
        ((np.zeros((3, 0, 4)), [0, 1, 2], 5), "non-empty"),
        ((np.zeros((3, 4, 4), complex), [0, 1, 2], 5), "real"),
        ((np.zeros((3, 4, 4)), [0, 1], 5), "3 finite degrees"),
        ((np.zeros((3, 4, 4)), [0, 1, np.nan], 5), "finite degrees"),
        ((np.zeros((3, 4, 4)), [0, 1, 2], 0), "depth must be positive"),
        ((np.zeros((3, 4, 1)), [0, 1, 2], 5), "two columns"),
    ],
)
def test_unusable_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        back_project(*arguments)
