import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.errors import InputError
from faket_dask.specimen import PHANTOMS
from faket_dask.specimen.phantoms import phantom_template
from faket_dask.specimen.template import covering_spheres, labelled_points, surface_level


@settings(max_examples=30)
@given(seed=st.integers(0, 9999), count=st.integers(1, 300), padding=st.floats(0.1, 10))
def test_covering_spheres_contain_padded_points(seed, count, padding):
    points = np.random.default_rng(seed).uniform(-50, 50, (count, 3))
    spheres = covering_spheres(points, padding)
    room = spheres[:, 3] - np.linalg.norm(points[:, None] - spheres[:, :3], axis=2)
    assert (room.max(axis=1) >= padding - 1e-9).all()


@pytest.mark.parametrize("name", PHANTOMS)
def test_cover_is_smaller_than_bounding_sphere(name):
    template = phantom_template(name, 14.0)
    probes = np.random.default_rng(1).uniform(-1, 1, (4000, 3)) * template.radius_A
    spheres = template.spheres_A
    claimed = (np.linalg.norm(probes[:, None] - spheres[:, :3], axis=2) <= spheres[:, 3]).any(axis=1)
    assert claimed.mean() * 8 * template.radius_A**3 < 4 / 3 * np.pi * template.radius_A**3
    points = labelled_points(template.density, template.level_V, template.voxel_size_A)
    assert np.linalg.norm(points, axis=1).max() < template.radius_A < template.support_A


def test_surface_level_of_a_step_is_half_its_height():
    density = np.zeros((20, 20, 20), np.float32)
    density[5:15, 5:15, 5:15] = 3.0
    assert surface_level(density) == pytest.approx(1.5)
    with pytest.raises(InputError, match="nothing in this density is denser than ice"):
        surface_level(-density)
