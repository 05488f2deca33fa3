import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from faket_dask.specimen.surfaces.bilayer import PROFILE_STEP_A, Bilayer
from faket_dask.specimen.surfaces.closed import deformed_sphere, ellipsoid, torus
from faket_dask.specimen.surfaces.patch import patch
from faket_dask.specimen.surfaces.surface import make_surface

SPHERE = deformed_sphere(200.0, np.zeros(4))
AXES_A = (400.0, 300.0, 240.0)
ELLIPSOID = ellipsoid(AXES_A)
RING_A, TUBE_A = 300.0, 120.0
TORUS = torus(RING_A, TUBE_A)


def directions(count: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@settings(max_examples=20)
@given(seed=st.integers(0, 9999), height=st.floats(-60, 85))
def test_distance_from_an_ellipsoid_is_euclidean(seed, height):
    # A point at a height over the surface along the true normal has that distance.
    points = directions(200, seed) * AXES_A
    normals = points / np.square(AXES_A)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    distances = ELLIPSOID.distances(points + height * normals)
    np.testing.assert_allclose(distances, height, atol=0.15)


@settings(max_examples=20)
@given(seed=st.integers(0, 9999), height=st.floats(-60, 60))
@example(seed=0, height=-60.0)
def test_distance_from_a_torus_is_euclidean(seed, height):
    around, along = np.random.default_rng(seed).uniform(0, 2 * np.pi, (2, 200))
    tube = TUBE_A + height
    rho = RING_A + tube * np.cos(around)
    points = np.stack((rho * np.cos(along), rho * np.sin(along), tube * np.sin(around)), axis=1)
    np.testing.assert_allclose(TORUS.distances(points), height, atol=0.15)


def test_distance_from_a_deformed_sphere_has_slope_one():
    surface = deformed_sphere(300.0, np.array([0.1, -0.1, 0.1, 0.05]))
    for height in (-60.0, -25.0, 25.0, 60.0):
        raised = surface.points_A + height * surface.normals(surface.points_A)
        np.testing.assert_allclose(surface.distances(raised), height, atol=0.15)


def test_sign_tells_inside_from_outside_everywhere():
    points = np.random.default_rng(0).uniform(-600, 600, (5000, 3))
    np.testing.assert_array_equal(ELLIPSOID.contains(points), (np.square(points / AXES_A).sum(axis=1) < 1))


def test_area_is_that_of_the_formula():
    assert SPHERE.area_A2 == pytest.approx(4 * np.pi * 200.0**2, rel=2e-3)
    assert TORUS.area_A2 == pytest.approx(4 * np.pi**2 * RING_A * TUBE_A, rel=2e-3)
    assert patch(300.0, np.zeros(4)).area_A2 == pytest.approx(np.pi * 300.0**2, rel=5e-3)


def test_curvatures_are_those_of_the_formula():
    assert SPHERE.smallest_radius_A == pytest.approx(200.0, rel=0.02)
    assert ELLIPSOID.smallest_radius_A == pytest.approx(240.0**2 / 400.0, rel=0.02)
    around = TORUS.points_A
    rho = np.hypot(around[:, 0], around[:, 1])
    expected = np.stack(((rho - RING_A) / TUBE_A / rho, np.full(len(rho), 1 / TUBE_A)), axis=1)
    np.testing.assert_allclose(np.sort(TORUS.curvatures_per_A), np.sort(expected), atol=2e-4)


def test_points_are_uniform_over_a_torus():
    points, normals = TORUS.draw_points(4000, np.random.default_rng(1))
    np.testing.assert_allclose(TORUS.distances(points), 0, atol=0.05)
    rho = np.hypot(points[:, 0], points[:, 1])
    around = np.arctan2(points[:, 2], rho - RING_A)
    # The area within an angle of the tube grows as that angle plus its sine times the ratio of the radii.
    share = TUBE_A / RING_A
    assert (
        stats.kstest(around, lambda angle: (angle + np.pi + share * np.sin(angle)) / (2 * np.pi)).pvalue
        > 1e-3
    )
    along = np.arctan2(points[:, 1], points[:, 0])
    assert stats.kstest(along, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3
    assert ((normals * points)[:, 2] >= 0).mean() > 0.99


def test_points_are_uniform_over_an_ellipsoid():
    points, normals = ELLIPSOID.draw_points(4000, np.random.default_rng(2))
    # Projected on a plane, the uniform density is the inverse of the normal's component across it.
    x, y = points[:, 0] / AXES_A[0], points[:, 1] / AXES_A[1]
    weights = np.abs(normals[:, 2])
    radii = np.hypot(x, y)
    for edge in (0.3, 0.6, 0.9):
        assert weights[radii < edge].sum() / weights.sum() == pytest.approx(edge**2, abs=0.03)
    outward = points / np.square(AXES_A)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    assert (normals * outward).sum(axis=1).min() > 0.999


@settings(max_examples=10)
@given(distance=st.floats(-80, 80))
def test_offset_surface_is_parallel(distance):
    assert SPHERE.offset(distance).area_A2 == pytest.approx(4 * np.pi * (200.0 + distance) ** 2, rel=0.01)


def test_clearance_ends_at_the_centre_of_curvature_and_at_other_parts():
    assert TORUS.is_clear(80.0)
    assert not torus(300.0, 60.0).is_clear(70.0)  # the tube's own radius
    assert not torus(200.0, 130.0).is_clear(80.0)  # the other side of the hole, 140 Å away


def test_functions_without_a_surface_are_refused():
    with pytest.raises(ValueError, match="no surface"):
        make_surface(lambda x, y, z: x * x + y * y + z * z + 1.0, (100.0,) * 3, 20.0)


def test_profile_is_that_of_a_bilayer():
    profile = Bilayer().profile(0.0)
    value = {distance: profile[round(distance / PROFILE_STEP_A)] for distance in (0.0, 9.0, 35.0)}
    head = np.argmax(profile)
    assert head * PROFILE_STEP_A == pytest.approx(19.0, abs=1.5)  # half the phosphate-to-phosphate distance
    assert value[0.0] == profile.min()  # the methyl trough
    assert 2 <= profile[head] <= 3  # neutral atoms of a hydrated head group
    assert 1.5 <= value[9.0] <= 1.8  # CH2 in 27 Å³
    assert profile[-1] == 0
    assert abs(value[35.0]) < 0.05 * profile.max()


@given(thickness=st.floats(36, 60))
def test_heads_lie_at_the_given_thickness(thickness):
    bilayer = Bilayer(thickness)
    profile = bilayer.profile(0.0)
    assert np.argmax(profile) * PROFILE_STEP_A == pytest.approx(thickness / 2, abs=2.0)
    assert bilayer.half_thickness_A == pytest.approx(thickness / 2 + 6)


def test_blurred_profile_keeps_its_integral():
    fine, coarse = (Bilayer().profile(blur) for blur in (0.0, 5.0))
    assert coarse.max() < fine.max()
    integrals = [profile[0] / 2 + profile[1:].sum() for profile in (fine, coarse)]
    assert integrals[1] == pytest.approx(integrals[0], rel=1e-3)
