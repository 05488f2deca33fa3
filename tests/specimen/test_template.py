import numpy as np
import pytest

from faket_dask.errors import InputError
from faket_dask.kernels.projector import Projector
from faket_dask.specimen import Recipe, Species, render_block
from faket_dask.specimen.orientation import uniform_rotations
from faket_dask.specimen.particles import Row, particle_table
from faket_dask.specimen.phantoms import phantom_template
from faket_dask.specimen.template import Sampling, surface_level
from tests.specimen.pdb import write_pdb


def test_surface_level_of_a_step_is_half_its_height():
    density = np.zeros((20, 20, 20), np.float32)
    density[5:15, 5:15, 5:15] = 3.0
    assert surface_level(density) == pytest.approx(1.5)
    with pytest.raises(InputError, match="nothing in this density is denser than ice"):
        surface_level(-density)


VOXEL_A, EDGE = 10.0, 40
TRANSFER_ANGLES = (0.0, 1.0, 25.0, 60.0)


def transfer(path, atoms_A, sampling: Sampling, projector: Projector) -> np.ndarray:
    """Return the amplitude transfer by angle and ring of carbon atoms, rendered and projected.

    The exact spectrum is a sum of phases times the carbon's factor, which is constant at a specimen's frequencies.
    """
    k = np.fft.fftfreq(EDGE)
    radius = np.hypot(k[:, None], k)
    rings = [np.abs(radius - ring) < 0.025 for ring in (0.1, 0.25, 0.35, 0.45)]
    recipe = Recipe(
        (EDGE,) * 3, VOXEL_A, (Species("p", str(path), count=1),), ice_texture=0.0, sampling=sampling
    )
    rng = np.random.default_rng(3)
    shared, own = np.zeros((len(TRANSFER_ANGLES), len(rings))), np.zeros((len(TRANSFER_ANGLES), len(rings)))
    place = np.arange(EDGE) - EDGE // 2
    for _ in range(4):
        rotation, shift = uniform_rotations(1, rng)[0], rng.uniform(-5, 5, 3)
        table = particle_table([Row("p", 1, EDGE // 2 * VOXEL_A + shift, rotation, 60.0, 0)])
        stack = -projector.project(render_block(recipe, table, 0, EDGE).density, TRANSFER_ANGLES)
        x, y, z = rotation @ atoms_A.T / VOXEL_A
        for tilt, angle in enumerate(np.deg2rad(TRANSFER_ANGLES)):
            image, s = stack[tilt], x * np.cos(angle) - z * np.sin(angle)
            centre = np.array([image.sum(axis=1) @ place, image.sum(axis=0) @ place]) / image.sum()
            dy, dx = centre - (y.mean(), s.mean())
            exact = np.exp(-2j * np.pi * np.outer(k, y + dy)) @ np.exp(-2j * np.pi * np.outer(s + dx, k))
            cross = np.fft.fft2(np.fft.ifftshift(image)) * exact.conj()
            shared[tilt] += [cross[ring].real.sum() for ring in rings]
            own[tilt] += [(np.abs(exact[ring]) ** 2).sum() for ring in rings]
    gain = shared / own
    pixel = np.sinc(k[:, None]) * np.sinc(k)
    return gain / gain[0, 0] / np.array([pixel[ring].mean() for ring in rings]) * pixel[rings[0]].mean()


def test_averaged_voxels_and_projection_have_the_transfer_of_a_pixel(tmp_path):
    atoms = np.random.default_rng(0).normal(0, 22, (150, 3))
    path = write_pdb(tmp_path / "carbon.pdb", [("C", *position) for position in atoms])
    sharp = transfer(path, atoms, Sampling.AVERAGED, Projector.PIXEL)
    np.testing.assert_allclose(sharp, 1, atol=0.05)
    soft = transfer(path, atoms, Sampling.SMOOTHED, Projector.BILINEAR)
    assert (soft[:, -1] < 0.5).all()


@pytest.mark.parametrize("sampling", Sampling)
def test_sampling_keeps_the_integral_of_a_particle(sampling):
    density = phantom_template("boot", 10.0).density
    kept = sampling.prepare(sampling.limit(density))
    assert kept.sum() == pytest.approx(density.sum(), rel=1e-4)
