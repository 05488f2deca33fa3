import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.specimen import membrane
from faket_dask.specimen.orientation import uniform_rotations

CENTRE_A = np.array([500.0, 300.0, 200.0])

kinds = st.sampled_from([membrane.CLOSED, membrane.OPEN])


def surface(kind: float, variant: int, amplitude: float, radius_A: float = 300.0) -> np.ndarray:
    rotation = uniform_rotations(1, np.random.default_rng(variant))[0]
    return membrane.membrane_row(kind, CENTRE_A, rotation, radius_A, variant, amplitude)


def test_profile_is_that_of_a_bilayer():
    step = 0.25
    profile = membrane.bilayer_profile(0.0, step)
    at = lambda distance: profile[round(distance / step)]  # noqa: E731
    head = np.argmax(profile) * step
    assert head == pytest.approx(19.0, abs=1.5)  # half the phosphate-to-phosphate distance
    assert at(0.0) == profile.min()  # the methyl trough
    assert at(0.0) < at(9.0) < at(head)
    assert 2 <= at(head) <= 3  # neutral atoms of a hydrated head group
    assert 1.5 <= at(9.0) <= 1.8  # CH2 in 27 Å³
    assert profile[-1] == 0
    assert abs(at(membrane.HALF_THICKNESS_A + 10)) < 0.05 * profile.max()


def test_blurred_profile_keeps_its_integral():
    step = 0.25
    fine, coarse = (membrane.bilayer_profile(blur, step) for blur in (0.0, 5.0))
    assert coarse.max() < fine.max()
    integrals = [profile[0] / 2 + profile[1:].sum() for profile in (fine, coarse)]
    assert integrals[1] == pytest.approx(integrals[0], rel=1e-3)


@settings(max_examples=30)
@given(x=st.floats(-600, 600), y=st.floats(-600, 600), z=st.floats(-600, 600))
def test_distance_from_a_sphere_is_exact(x, y, z):
    row = surface(membrane.CLOSED, 3, 0.0)
    distance = membrane.surface_distance(row, *(CENTRE_A + np.array((x, y, z))))
    assert distance == pytest.approx(np.linalg.norm([x, y, z]) - 300, abs=1e-3)


@settings(max_examples=30)
@given(x=st.floats(-600, 600), y=st.floats(-600, 600), z=st.floats(-600, 600))
def test_distance_from_a_flat_disc_is_exact(x, y, z):
    row = membrane.membrane_row(membrane.OPEN, CENTRE_A, np.eye(3), 300.0, 3, 0.0)
    distance = membrane.surface_distance(row, *(CENTRE_A + np.array((x, y, z))))
    assert abs(distance) == pytest.approx(np.hypot(z, max(0, np.hypot(x, y) - 300)), abs=1e-3)


@settings(max_examples=40)
@given(kind=kinds, variant=st.integers(0, 9999), amplitude=st.floats(0, 0.2), height=st.floats(-60, 60))
def test_distance_is_the_height_above_the_surface(kind, variant, amplitude, height):
    row = surface(kind, variant, amplitude)
    point, normal = membrane.surface_point(row, np.random.default_rng(variant))
    assert np.linalg.norm(normal) == pytest.approx(1)
    assert membrane.surface_distance(row, *point) == pytest.approx(0, abs=1e-6)
    above = membrane.surface_distance(row, *(point + height * normal))
    assert abs(above) == pytest.approx(abs(height), rel=0.1, abs=1)
    assert np.linalg.norm(point - CENTRE_A) + membrane.HALF_THICKNESS_A < membrane.bounding_radius(row) + 1e-6


@settings(max_examples=30)
@given(variant=st.integers(0, 9999), amplitude=st.floats(0, 0.2))
def test_normals_of_a_vesicle_point_outward(variant, amplitude):
    point, normal = membrane.surface_point(
        surface(membrane.CLOSED, variant, amplitude), np.random.default_rng(variant)
    )
    assert normal @ (point - CENTRE_A) > 0


def test_normals_of_a_sheet_point_to_both_sides():
    row = membrane.membrane_row(membrane.OPEN, CENTRE_A, np.eye(3), 300.0, 3, 0.2)
    rng = np.random.default_rng(0)
    up = [membrane.surface_point(row, rng)[1][2] > 0 for _ in range(200)]
    assert 70 < sum(up) < 130


def test_shape_variation_is_bounded_by_amplitude():
    rng = np.random.default_rng(0)
    radii = [
        np.linalg.norm(membrane.surface_point(surface(membrane.CLOSED, variant, 0.1), rng)[0] - CENTRE_A)
        for variant in range(300)
    ]
    assert np.ptp(radii) > 15
    assert np.max(np.abs(np.array(radii) / 300 - 1)) <= 0.1


def test_a_sphere_has_four_times_the_area_of_a_disc():
    rows = np.stack([surface(membrane.CLOSED, 1, 0.1), surface(membrane.OPEN, 1, 0.1)])
    closed, opened = membrane.areas(rows)
    assert closed == pytest.approx(4 * opened)
    assert opened == pytest.approx(np.pi * 300**2)
