import itertools

import numpy as np
import pytest
from scipy import ndimage

from faket_dask.specimen import PHANTOMS
from faket_dask.specimen.phantoms import phantom_template
from faket_dask.specimen.template import Template, labelled_points

VOXEL_A = 10.0


def points_of(template: Template) -> np.ndarray:
    return labelled_points(template.density, template.level_V, template.voxel_size_A)


def test_phantoms_differ_in_size():
    templates = [phantom_template(name, VOXEL_A) for name in PHANTOMS]
    diameters = sorted(2 * template.radius_A for template in templates)
    assert len(diameters) >= 6
    assert all(larger / smaller > 1.1 for smaller, larger in itertools.pairwise(diameters))
    volumes = sorted(template.volume_A3 for template in templates)
    assert all(larger / smaller > 1.15 for smaller, larger in itertools.pairwise(volumes))


@pytest.mark.parametrize("name", PHANTOMS)
def test_phantoms_have_no_symmetry(name):
    template = phantom_template(name, VOXEL_A)
    points = points_of(template)
    spread, axes = np.linalg.eigh(np.cov(points.T))
    # A symmetry maps the principal axes onto themselves; where their lengths differ, it can only flip them.
    assert spread[1] / spread[0] > 1.05
    assert spread[2] / spread[1] > 1.05
    weight = template.density[template.density >= template.level_V].astype(float)
    for flips in itertools.product((1, -1), repeat=3):
        image = points @ axes * flips @ axes.T
        index = (image / template.voxel_size_A)[:, ::-1].T + template.density.shape[0] // 2
        flipped = ndimage.map_coordinates(template.density, index, order=1)
        overlap = np.corrcoef(weight, flipped)[0, 1]
        same_place = np.mean(flipped >= template.level_V)
        if flips == (1, 1, 1):
            assert overlap == pytest.approx(1)
        else:
            assert same_place < 0.95


@pytest.mark.parametrize("name", PHANTOMS)
@pytest.mark.parametrize("voxel_A", [7.0, 10.0, 14.0])
def test_phantom_has_documented_size_and_contrast(name, voxel_A):
    template = phantom_template(name, voxel_A)
    diameter = PHANTOMS[name][0]
    assert 2 * template.radius_A == pytest.approx(diameter, rel=0.3)
    assert template.density.min() >= 0
    assert 1.5 < template.density[template.density >= template.level_V].mean() < 3
    np.testing.assert_allclose(points_of(template).mean(axis=0), 0, atol=0.3 * voxel_A)
