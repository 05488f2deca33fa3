"""Projections of single particles."""

import numpy as np
import pytest

from faket_dask.specimen.particle_projections import project_particle
from faket_dask.specimen.recipe import Species
from faket_dask.specimen.sources import load_template


def test_every_projection_holds_the_particles_integral() -> None:
    template = load_template(Species("boot", count=1), 0, 10.0)
    projections = project_particle(template, 10.0)
    # Volts times volume, over the volume of the specimen's voxels; a projection is dark where there is matter.
    integral = float(template.density.sum()) * template.voxel_size_A**3 / 10.0**3
    assert projections.shape[0] == 6
    np.testing.assert_allclose(-projections.sum(axis=(1, 2)), integral, rtol=0.02)
    assert np.abs(projections[:, 0]).max() == pytest.approx(0.0, abs=1e-3 * float(np.abs(projections).max()))
