import warnings

import mrcfile
import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.specimen.density_map import map_template
from faket_dask.specimen.phantoms import phantom_template
from faket_dask.specimen.template import Sampling, Template


def write_map(path, density, voxel_A=10.0):
    with mrcfile.new(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NaN is not news here
        file.set_data(density.astype(np.float32))
        if voxel_A:
            file.voxel_size = voxel_A
    return path


def ball(size=32, centre=(16, 16, 16), radius=6.0):
    z, y, x = np.ogrid[:size, :size, :size]
    distance = np.sqrt((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2)
    return np.clip(radius + 0.5 - distance, 0, 1)


def mean_inside(template: Template) -> float:
    return float(template.density[template.density >= template.level_V].mean())


@pytest.mark.parametrize("voxel_A", [7.0, 10.0, 15.0])
def test_map_is_resampled_at_its_true_size(tmp_path, voxel_A):
    template = map_template(write_map(tmp_path / "ball.mrc", 37.0 * ball()), voxel_A, 2.1)
    assert template.voxel_size_A == voxel_A / 2
    assert template.volume_A3 == pytest.approx(4 / 3 * np.pi * 60**3, rel=0.12)
    assert mean_inside(template) == pytest.approx(2.1, rel=0.01)


def test_map_units_origin_and_noise_are_ignored(tmp_path):
    plain = map_template(write_map(tmp_path / "plain.mrc", ball()), 10.0, 2.1)
    noise = np.random.default_rng(0).normal(0, 0.03, (32, 32, 32))
    path = write_map(tmp_path / "moved.mrc", 500 * (ball(centre=(13, 18, 16)) + noise) + 77)
    with mrcfile.open(path, "r+") as file:
        file.header.origin = (300.0, -40.0, 2.0)
        file.header.nxstart = -16
    moved = map_template(path, 10.0, 2.1)
    middle, half = plain.density.shape[0] // 2, 16
    inner = [
        t.density[
            tuple(slice(t.density.shape[0] // 2 - half, t.density.shape[0] // 2 + half) for _ in range(3))
        ]
        for t in (plain, moved)
    ]
    assert middle >= half
    assert np.corrcoef(inner[0].ravel(), inner[1].ravel())[0, 1] > 0.99
    assert moved.volume_A3 == pytest.approx(plain.volume_A3, rel=0.05)
    # Noise beyond the particle is gone.
    assert np.abs(moved.density[:3]).max() < 0.05


def test_map_of_a_phantom_gives_its_template(tmp_path):
    phantom = phantom_template("anvil", 10.0)
    path = write_map(tmp_path / "anvil.mrc", phantom.density, phantom.voxel_size_A)
    again = map_template(path, 10.0, mean_inside(phantom))
    half = min(phantom.density.shape[0], again.density.shape[0]) // 2 - 1
    middle = [
        t.density[
            tuple(slice(t.density.shape[0] // 2 - half, t.density.shape[0] // 2 + half) for _ in range(3))
        ]
        for t in (phantom, again)
    ]
    assert np.corrcoef(middle[0].ravel(), middle[1].ravel())[0, 1] > 0.95


def test_map_with_inverted_contrast_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"strongest contrast is negative; if its density is dark, invert it: newstack"
    ):
        map_template(write_map(tmp_path / "dark.mrc", 5 - ball()), 10.0, 2.1)


def test_constant_or_nan_map_is_refused(tmp_path):
    with pytest.raises(InputError, match="the same value everywhere"):
        map_template(write_map(tmp_path / "flat.mrc", np.ones((8, 8, 8))), 10.0, 2.1)
    holes = ball()
    holes[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN, infinity"):
        map_template(write_map(tmp_path / "nan.mrc", holes), 10.0, 2.1)


def test_map_without_voxel_size_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not say its voxel size; write it into the file's header"):
        map_template(write_map(tmp_path / "bare.mrc", ball(), 0.0), 10.0, 2.1)
    with pytest.warns(UserWarning, match="says 1 Å per voxel"):
        map_template(write_map(tmp_path / "one.mrc", ball(), 1.0), 2.0, 2.1)


def test_advice_for_dark_bytes_names_their_range(tmp_path):
    with mrcfile.new(tmp_path / "bytes.mrc") as file:
        file.set_data((100 - 200 * ball()).astype(np.int8))
        file.voxel_size = 10.0
    with pytest.raises(
        InputError, match=r"read as -128 … 127.*newstack -multadd -1,0 bytes.mrc inverted.mrc"
    ):
        map_template(tmp_path / "bytes.mrc", 10.0, 2.1)


def test_map_is_bounded_before_it_is_read(tmp_path):
    path = write_map(tmp_path / "huge.mrc", ball())
    with open(path, "r+b") as file:
        file.write(np.array([2000, 2000, 2000], dtype="<i4").tobytes())
        file.truncate(1024 + 4 * 2000**3)  # a hole on disk
    with pytest.raises(InputError, match="2000 x 2000 x 2000 voxels, more than"):
        map_template(path, 10.0, 2.1)


def test_map_smaller_than_a_voxel_or_larger_than_a_cell_is_refused(tmp_path):
    with pytest.raises(InputError, match="less than one voxel of the specimen"):
        map_template(write_map(tmp_path / "small.mrc", ball(), 1e-4), 10.0, 2.1)
    with pytest.raises(InputError, match="at most 800 are possible"):
        map_template(write_map(tmp_path / "large.mrc", ball(), 1000.0), 10.0, 2.1)


def test_map_of_two_particles_is_warned_of(tmp_path):
    two = ball(48, (12, 24, 24)) + ball(48, (34, 24, 24))
    with pytest.warns(
        UserWarning, match="2 separate pieces of [0-9]+, [0-9]+ voxels, and the particle is the largest"
    ):
        template = map_template(write_map(tmp_path / "two.mrc", two), 10.0, 2.1)
    assert template.volume_A3 == pytest.approx(4 / 3 * np.pi * 60**3, rel=0.12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        map_template(write_map(tmp_path / "dust.mrc", two - 0.9 * ball(48, (34, 24, 24))), 10.0, 2.1)


@pytest.mark.parametrize("voxel_A", [3.0, 10.0])
def test_contrast_of_a_map_does_not_depend_on_the_sampling(tmp_path, voxel_A):
    path = write_map(tmp_path / "ball.mrc", ball(64, (32, 32, 32), 60 / voxel_A), voxel_A)
    sums = [map_template(path, 10.0, 2.1, sampling).density.sum() for sampling in Sampling]
    assert sums[0] == pytest.approx(sums[1], rel=0.01)
