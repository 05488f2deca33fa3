import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from faket_dask.specimen.orientation import standing_rotation, uniform_rotations

DRAWS = 20000


def drawn() -> np.ndarray:
    return uniform_rotations(DRAWS, np.random.default_rng(20))


def turned_by_a_fixed_rotation(rotations: np.ndarray) -> np.ndarray:
    return uniform_rotations(1, np.random.default_rng(5))[0] @ rotations


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 20))
def test_uniform_rotations_are_proper(seed, count):
    rotations = uniform_rotations(count, np.random.default_rng(seed))
    assert rotations.shape == (count, 3, 3)
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(3), (count, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-12)


def test_rotated_axes_are_uniform_on_the_sphere():
    # Archimedes: a component of a uniform direction is uniform on [-1, 1].
    for rotations in (drawn(), turned_by_a_fixed_rotation(drawn())):
        for entry in rotations.reshape(DRAWS, 9).T:
            assert stats.kstest(entry, stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_rotation_angles_follow_the_haar_measure():
    # The angle of a uniform rotation has the density (1 - cos t) / pi: independent of turning all of them.
    for rotations in (drawn(), turned_by_a_fixed_rotation(drawn())):
        cosine = np.clip((np.trace(rotations, axis1=1, axis2=2) - 1) / 2, -1, 1)
        assert stats.kstest(np.arccos(cosine), lambda t: (t - np.sin(t)) / np.pi).pvalue > 1e-3


@settings(max_examples=50)
@given(
    direction=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
    spin=st.floats(0, 2 * np.pi),
)
def test_standing_particle_points_along_the_normal(direction, spin):
    normal = np.array(direction) / np.linalg.norm(direction)
    rotation = standing_rotation(normal, spin)
    np.testing.assert_allclose(rotation @ [0, 0, 1], normal, atol=1e-12)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) > 0
    turned = standing_rotation(normal, 0.0).T @ rotation
    np.testing.assert_allclose(turned[0, 0], np.cos(spin), atol=1e-12)
    np.testing.assert_allclose(turned[1, 0], np.sin(spin), atol=1e-12)
