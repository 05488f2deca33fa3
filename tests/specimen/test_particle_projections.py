"""Projections of single particles."""

import numpy as np
import pytest

from faket_dask.kernels.similarity.detectability import measure_particle_energy
from faket_dask.specimen.particle_projections import project_particle
from faket_dask.specimen.sources import load_template
from faket_dask.specimen.species import Species
from faket_dask.specimen.template import Template


def test_every_projection_holds_the_particles_integral() -> None:
    template = load_template(Species("boot", count=1), 0, 10.0)
    projections = project_particle(template, 10.0)
    # Volts times volume, over the volume of the specimen's voxels; a projection is dark where there is matter.
    integral = float(template.density.sum()) * template.voxel_size_A**3 / 10.0**3
    assert projections.shape[0] == 9
    np.testing.assert_allclose(-projections.sum(axis=(1, 2)), integral, rtol=0.02)
    assert np.abs(projections[:, 0]).max() == pytest.approx(0.0, abs=1e-3 * float(np.abs(projections).max()))


def make_disc(axis: tuple[float, float, float], flat_A: float, wide_A: float) -> Template:
    """Make a Gaussian of mass 1 V voxel that is flat, or long, along an axis ``(z, y, x)``."""
    size, voxel_A = 48, 5.0
    places = (np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij")) - size // 2) * voxel_A
    along = np.tensordot(np.array(axis) / np.linalg.norm(axis), places, axes=1)
    across = (places**2).sum(axis=0) - along**2
    density = np.exp(-0.5 * (along**2 / flat_A**2 + across / wide_A**2))
    density /= density.sum() * voxel_A**3 / 10.0**3
    return Template("disc", density.astype(np.float32), voxel_A, 0.1, 50.0, 100.0, 1e5)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 1), (0, -1, 1), (1, 1, 1), (1, -1, 1), (3, 2, 1)])
@pytest.mark.parametrize(("flat_A", "wide_A"), [(16.0, 24.0), (24.0, 16.0)])
def test_mean_energy_is_that_of_all_orientations(
    axis: tuple[float, float, float], flat_A: float, wide_A: float
) -> None:
    """A particle lies in its file in any orientation; the mean over its projections must not know of it."""
    energy = measure_particle_energy(project_particle(make_disc(axis, flat_A, wide_A), 10.0)).energy.sum()
    # A Gaussian of covariance C, seen along n, has the energy 1 / (4π √(det C · nᵀ C⁻¹ n)).
    cosine = np.linspace(-1, 1, 2001)
    inverse = cosine**2 / flat_A**2 + (1 - cosine**2) / wide_A**2
    expected = np.mean(100.0 / (4 * np.pi * np.sqrt(flat_A**2 * wide_A**4 * inverse)))
    assert energy == pytest.approx(expected, rel=0.03)
