import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.specimen.surfaces.centre_line import draw_centre_line
from faket_dask.specimen.surfaces.cisterna import cisterna
from faket_dask.specimen.surfaces.closed import ellipsoid
from faket_dask.specimen.surfaces.cristae import draw_cristae, folded_membrane
from faket_dask.specimen.surfaces.free_form import free_form
from faket_dask.specimen.surfaces.patch import patch
from faket_dask.specimen.surfaces.surface import Surface
from faket_dask.specimen.surfaces.tubule import tubule


def assert_keeps_distance(surface: Surface, height_A: float, tolerance_A: float) -> None:
    for side in (-1.0, 1.0):
        raised = surface.points_A + side * height_A * surface.normals(surface.points_A)
        np.testing.assert_allclose(surface.distances(raised), side * height_A, atol=tolerance_A)


@settings(max_examples=20)
@given(seed=st.integers(0, 9999), length=st.floats(500, 4000))
def test_centre_line_keeps_length_and_radius_of_curvature(seed, length):
    points = draw_centre_line(length, 600.0, 400.0, np.random.default_rng(seed))
    steps = np.diff(points, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    assert lengths.sum() == pytest.approx(length, rel=1e-6)
    tangents = steps / lengths[:, None]
    turns = np.arccos(np.clip((tangents[1:] * tangents[:-1]).sum(axis=1), -1, 1))
    assert turns.max() <= lengths[0] / 600.0 * 1.05
    x, y, z = points.std(axis=0)
    assert x >= y >= z


def test_tubule_is_a_tube_about_its_line():
    line = draw_centre_line(900.0, 500.0, 400.0, np.random.default_rng(4))
    tube = tubule(line, 120.0)
    assert tube.area_A2 == pytest.approx(2 * np.pi * 120.0 * 900.0 + 4 * np.pi * 120.0**2, rel=0.01)
    # The curvature jumps where the caps begin, and a spline overshoots there.
    assert 0.85 * 120.0 < tube.smallest_radius_A <= 120.0
    np.testing.assert_allclose(tube.distances(line[5:-5]), -120.0, atol=15)  # the medial axis is a kink
    assert_keeps_distance(tube, 60.0, 0.5)


def test_cisterna_keeps_its_lumen_and_swells_at_the_rim():
    sac = cisterna(2000.0, 700.0, 200.0, 260.0, np.array([0.03, 0.0, 0.03]))
    assert sac.is_clear(25.0)
    assert_keeps_distance(sac, 50.0, 1.0)
    middle = np.array([[0.0, 0.0, 100.0], [0.0, 0.0, -100.0]])
    np.testing.assert_allclose(sac.distances(middle), 0, atol=0.2)
    rim = sac.points_A[sac.points_A[:, 0] > 450.0]
    assert np.ptp(rim[:, 2]) > 240.0


def test_concentric_cisternae_are_parallel():
    inner, outer = (cisterna(2000.0 + height, 700.0, 200.0, 200.0, np.zeros(3)) for height in (0.0, 400.0))
    lower = outer.points_A[np.hypot(outer.points_A[:, 0], outer.points_A[:, 1]) < 300.0]
    lower = lower[outer.normals(lower)[:, 2] < 0] + np.array([0.0, 0.0, 400.0])
    heights = np.linalg.norm(lower + np.array([0.0, 0.0, 2000.0]), axis=1) - 2100.0
    np.testing.assert_allclose(heights, 200.0, atol=0.3)
    assert inner.area_A2 < outer.area_A2 * 1.05


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 99))
def test_free_form_is_not_bent_more_tightly_than_its_limit(seed):
    shape = free_form((350.0, 300.0, 280.0), 400.0, 90.0, 90.0, np.random.default_rng(seed))
    assert shape.smallest_radius_A >= 90.0
    assert shape.is_clear(80.0)
    assert_keeps_distance(shape, 50.0, 0.5)
    # It departs from the ellipsoid that it began with, and stays within the field's limits of it.
    departure = ellipsoid((350.0, 300.0, 280.0), 200.0).distances(shape.points_A)
    assert 5.0 < np.abs(departure).max() < 180.0


def test_free_form_of_an_impossible_limit_is_refused():
    with pytest.raises(ValueError, match="bent to 50 Å"):
        free_form((200.0, 150.0, 100.0), 400.0, 50.0, 90.0, np.random.default_rng(0))


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 99))
def test_folded_membrane_stays_within_the_outer_one(seed):
    outer = ellipsoid((900.0, 650.0, 620.0), 500.0)
    cristae = draw_cristae(720.0, 440.0, 140.0, 400.0, np.random.default_rng(seed))
    inner = folded_membrane(outer, 180.0, cristae)
    assert inner.is_clear(25.0)
    assert outer.distances(inner.points_A).max() < -175.0
    assert inner.area_A2 > 1.1 * outer.offset(-180.0).area_A2
    # What the folds enclose is outside of the inner membrane.
    places = np.stack([cristae.places_A, *np.zeros((2, len(cristae.places_A)))], axis=1)
    places += (cristae.directions.T * (200.0 - np.minimum(cristae.depths_A, 0.0))).T
    assert not inner.contains(places).any()
    assert_keeps_distance(inner, 25.0, 2.0)


def test_patch_ends_at_its_rim():
    sheet = patch(300.0, np.array([0.1, -0.1, 0.02, 0.05]))
    assert np.hypot(sheet.points_A[:, 0], sheet.points_A[:, 1]).max() <= 300.0
    assert not sheet.contains(np.random.default_rng(0).uniform(-400, 400, (100, 3))).any()
    assert abs(sheet.distances(np.array([[360.0, 0.0, 32.0]]))[0]) == pytest.approx(60.0, abs=2)
