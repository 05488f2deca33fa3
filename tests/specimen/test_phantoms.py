import itertools

import numpy as np
import pytest
from scipy import ndimage

from faket_dask.specimen import PHANTOMS
from faket_dask.specimen.phantoms import PARTICLES, SUBUNITS, phantom_template
from faket_dask.specimen.template import Sampling, Template, labelled_points

VOXEL_A = 10.0


def points_of(template: Template) -> np.ndarray:
    return labelled_points(template.density, template.level_V, template.voxel_size_A)


def test_phantoms_differ_in_size():
    templates = [phantom_template(name, VOXEL_A) for name in PARTICLES]
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


@pytest.mark.parametrize("name", PARTICLES)
@pytest.mark.parametrize("voxel_A", [7.0, 10.0, 14.0])
def test_phantom_has_documented_size_and_contrast(name, voxel_A):
    template = phantom_template(name, voxel_A)
    diameter = PARTICLES[name][0]
    assert 2 * template.radius_A == pytest.approx(diameter, rel=0.3)
    assert template.density.min() >= 0
    assert 1.5 < template.density[template.density >= template.level_V].mean() < 3
    np.testing.assert_allclose(points_of(template).mean(axis=0), 0, atol=0.3 * voxel_A)


@pytest.mark.parametrize(("name", "mass_kDa"), [("actin-like", 42.0), ("tubulin-like", 110.0)])
@pytest.mark.parametrize("sampling", Sampling)
@pytest.mark.parametrize("voxel_A", [2.5, 5.0, 10.0, 40 / 3])
def test_subunits_have_the_potential_of_their_mass_at_any_voxel_size(name, mass_kDa, sampling, voxel_A):
    template = phantom_template(name, voxel_A, sampling)
    integral = template.density.sum(dtype=float) * template.voxel_size_A**3
    assert integral == pytest.approx(4100 * mass_kDa, rel=0.01)
    assert sum(lobe[4] for lobe in SUBUNITS[name]) == pytest.approx(mass_kDa)
    # In the solid proteins have 3.3 V over ice; lobes that are smooth peak a little above it, and coarse voxels below.
    assert 2.0 < template.density.max() < 5.0
