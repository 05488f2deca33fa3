import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.specimen.filaments.centre_line import CentreLine, smooth_line
from faket_dask.specimen.filaments.worm_like_chain import draw_chains


def circle(radius_A: float, count: int, step_A: float) -> CentreLine:
    angle = np.linspace(0, 1.5 * np.pi, count)
    return smooth_line(radius_A * np.column_stack((np.cos(angle), np.sin(angle), np.zeros(count))), step_A)


def test_arc_length_of_an_arc_is_known():
    line = circle(500.0, 60, 20.0)
    assert line.length_A == pytest.approx(1.5 * np.pi * 500, rel=1e-4)
    assert line.largest_curvature() == pytest.approx(1 / 500, rel=0.05)
    np.testing.assert_allclose(np.linalg.norm(np.diff(line.points_A, axis=0), axis=1), line.step_A, rtol=1e-3)


def test_frame_of_a_flat_curve_does_not_turn_about_it():
    line = circle(500.0, 60, 20.0)
    # Rotation-minimising frames of flat curves keep their component along the plane's normal.
    along = line.frames[:, 2, :]
    np.testing.assert_allclose(along, np.tile(along[0], (len(along), 1)), atol=1e-6)


def test_frame_of_a_helix_turns_by_its_torsion_against_frenet():
    radius, pitch = 100.0, 400.0
    angle = np.linspace(0, 6 * np.pi, 400)
    line = smooth_line(
        np.column_stack((radius * np.cos(angle), radius * np.sin(angle), pitch / (2 * np.pi) * angle)), 5.0
    )
    c = pitch / (2 * np.pi)
    torsion = c / (radius**2 + c**2)
    theta = line.points_A[:, 2] / c
    inward = np.column_stack((-np.cos(theta), -np.sin(theta), np.zeros(len(theta))))
    u = np.einsum("nk,nk->n", line.frames[:, :, 0], inward)
    v = np.einsum("nk,nk->n", line.frames[:, :, 1], inward)
    turn = np.unwrap(np.arctan2(v, u))
    middle = slice(20, -20)
    slope = np.polyfit(np.arange(len(turn))[middle] * line.step_A, turn[middle], 1)[0]
    # Frenet's frame turns by the torsion relative to one that does not turn.
    assert slope == pytest.approx(torsion, rel=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(200, 1e6))
def test_frames_are_rotations_along_any_chain(seed, persistence_A):
    [chain] = draw_chains(1, 1000.0, 50.0, persistence_A, np.random.default_rng(seed))
    line = smooth_line(chain, 20.0)
    points, frames = line.locate(np.linspace(-30, line.length_A + 30, 77))
    np.testing.assert_allclose(frames @ frames.transpose(0, 2, 1), np.tile(np.eye(3), (77, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(frames), 1)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert steps.max() <= (line.length_A + 60) / 76 * 1.01


def test_located_points_pass_through_the_samples():
    line = circle(300.0, 40, 30.0)
    points, frames = line.locate(np.arange(len(line.points_A)) * line.step_A)
    np.testing.assert_allclose(points, line.points_A, atol=1e-6)
    np.testing.assert_allclose(frames, line.frames, atol=1e-6)


def test_reversed_line_has_the_same_points_and_proper_frames():
    line = circle(300.0, 40, 30.0)
    back = line.reverse()
    np.testing.assert_array_equal(back.points_A[0], line.points_A[-1])
    np.testing.assert_allclose(back.tangents, -line.tangents[::-1])
    np.testing.assert_allclose(np.linalg.det(back.frames), 1)
