"""Tests of the kernels of subtomogram averaging: poses, missing wedge, agreement by shells."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from faket_dask.kernels.averaging.band import choose_band
from faket_dask.kernels.averaging.pose_search import Poses, TurnableReference, search_all, search_near
from faket_dask.kernels.averaging.shells import correlate_shells, count_coefficients, randomise_phases
from faket_dask.kernels.averaging.steps import list_shifts, list_turns
from faket_dask.kernels.averaging.wedge_sum import add_sums, sum_particles
from faket_dask.kernels.matching.rotations import cover_rotations, rotation_angle
from faket_dask.kernels.matching.turning import soft_sphere
from faket_dask.specimen.orientation import uniform_rotations
from faket_dask.stages.averaging import compose_poses
from tests.averaging.planted import EDGE, TILTS, phantom, see_through_wedge

MASK = soft_sphere(EDGE // 2, 0.4 * EDGE)[:EDGE, :EDGE, :EDGE]
COARSE = cover_rotations(25.0)


@pytest.fixture(scope="module")
def reference() -> TurnableReference:
    return TurnableReference.prepare(phantom(), MASK, choose_band(EDGE, 0.33, TILTS))


@pytest.mark.parametrize("seed", range(3))
def test_pose_is_found_and_refined(reference: TurnableReference, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rotation, shift = uniform_rotations(1, rng)[0], rng.uniform(-1, 1, 3)
    density = phantom(rotation, tuple(shift))
    boxes = see_through_wedge(density + rng.normal(0, 0.3 * density.std(), density.shape))[None] * MASK
    poses = search_all(boxes, reference, COARSE, list_shifts(2.0))
    assert rotation_angle(poses.rotation[0], rotation) < 40
    for level in (1, 2, 3, 4):
        poses = search_near(
            boxes, reference, poses, list_turns(25 / 2**level), list_shifts(1.5 / 2**level, 1 / 2**level)
        )
    assert rotation_angle(poses.rotation[0], rotation) < 12
    assert np.abs(poses.shift[0] - shift).max() < 0.25
    assert poses.score[0] > 0.8


def test_band_holds_each_measured_coefficient_once() -> None:
    rng = np.random.default_rng(0)
    volume = rng.normal(size=(EDGE,) * 3)
    band = choose_band(EDGE, 0.4)
    spectrum = np.abs(scipy.fft.fftn(volume)) ** 2
    k = np.fft.fftfreq(EDGE)
    radius = np.sqrt(k[:, None, None] ** 2 + k[None, :, None] ** 2 + k[None, None, :] ** 2)
    whole = spectrum[(radius > 0) & (radius <= 0.4)].sum()
    np.testing.assert_allclose(2 * (band.take(volume).astype(float) ** 2).sum(), whole, rtol=1e-5)
    with pytest.raises(ValueError, match="raise the limit"):
        choose_band(EDGE, 0.01)


def test_whitened_volumes_have_the_same_power_in_all_shells() -> None:
    smooth = scipy.ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(6, EDGE, EDGE, EDGE)), 1.0)
    band = choose_band(EDGE, 0.4).whiten(smooth)
    real, imaginary = np.split(np.stack([band.take(volume) for volume in smooth]), 2, axis=1)
    power = (real**2 + imaginary**2).mean(axis=0)
    shell = np.rint(np.linalg.norm(band.frequency, axis=1) * EDGE).astype(int)
    np.testing.assert_allclose([power[shell == number].mean() for number in range(1, 9)], 1, rtol=1e-3)


def test_wedge_weighted_average_of_uniform_orientations_has_no_missing_wedge() -> None:
    count = 30
    rotations = uniform_rotations(count, np.random.default_rng(1))
    boxes = np.stack([see_through_wedge(phantom(rotation)) for rotation in rotations])
    sums = sum_particles(boxes, Poses(rotations, np.zeros((count, 3)), np.ones(count)), TILTS)
    truth = phantom()
    assert sums.measured.all()

    def correlate(volume: np.ndarray) -> float:
        return float(np.corrcoef((volume * MASK).ravel(), (truth * MASK).ravel())[0, 1])

    weighted = correlate(sums.average())
    plain = correlate(scipy.fft.irfftn(sums.total / count, (EDGE,) * 3))
    single = correlate(see_through_wedge(truth))
    assert weighted > 0.99
    assert weighted > plain > single
    # Amplitudes that a plain mean attenuates by what the wedge leaves out are those of the structure but for the faces
    # of the box, across which a wedge spreads it.
    low = choose_band(EDGE, 0.2)
    amplitude = np.linalg.norm(low.take(truth))
    assert np.linalg.norm(low.take(sums.average())) > 0.8 * amplitude
    assert np.linalg.norm(low.take(scipy.fft.irfftn(sums.total / count, (EDGE,) * 3))) < 0.7 * amplitude


def test_coefficients_that_no_particle_measured_are_left_out() -> None:
    boxes = np.random.default_rng(0).normal(size=(4, EDGE, EDGE, EDGE)).astype(np.float32)
    sums = sum_particles(boxes, Poses(np.tile(np.eye(3), (4, 1, 1)), np.zeros((4, 3)), np.ones(4)), TILTS)
    assert 0.2 < 1 - sums.measured.mean() < 0.45
    assert (sums.divide()[~sums.measured] == 0).all()
    assert sums.measured[0, :, 0].all()  # the tilt axis, which every tilt measures


def test_sums_of_groups_are_those_of_all() -> None:
    rng = np.random.default_rng(0)
    boxes = rng.normal(size=(5, EDGE, EDGE, EDGE)).astype(np.float32)
    poses = Poses(uniform_rotations(5, rng), rng.uniform(-1, 1, (5, 3)), np.ones(5))
    whole = sum_particles(boxes, poses, TILTS)
    parts = add_sums(
        sum_particles(boxes[part], Poses(*(column[part] for column in poses)), TILTS)
        for part in (slice(0, 2), slice(2, 5))
    )
    np.testing.assert_allclose(parts.total, whole.total, rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(parts.weight, whole.weight)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.integers(4, 9))
def test_shell_correlation_is_symmetric_bounded_and_independent_of_scale(
    seed: int, scale: float, half: int
) -> None:
    rng = np.random.default_rng(seed)
    first, second = (scipy.fft.rfftn(rng.normal(size=(2 * half,) * 3)) for _ in range(2))
    measured = rng.random(first.shape) < 0.7
    correlation = correlate_shells(first, second, measured)
    assert (np.abs(correlation[~np.isnan(correlation)]) <= 1 + 1e-9).all()
    np.testing.assert_allclose(correlate_shells(second, first, measured), correlation)
    np.testing.assert_allclose(correlate_shells(scale * first, second, measured), correlation)
    assert count_coefficients(np.ones(first.shape, np.bool_)).sum() <= (2 * half) ** 3


def test_random_phases_keep_amplitudes_and_what_lies_below_the_limit() -> None:
    volume = np.random.default_rng(0).normal(size=(16, 16, 16))
    before, after = scipy.fft.rfftn(volume), scipy.fft.rfftn(randomise_phases(volume, 0.25, seed=1))
    np.testing.assert_allclose(np.abs(after), np.abs(before), rtol=1e-3, atol=1e-3)
    correlation = correlate_shells(before, after)
    assert (correlation[:3] > 0.999).all()
    assert (np.abs(correlation[5:]) < 0.25).all()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_composed_poses_lead_to_the_same_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    particle, between = Rotation.random(2, rng=rng).as_matrix()
    shifts, point = rng.normal(size=(2, 3)), rng.normal(size=3)
    first = Poses(particle[None], shifts[:1], np.ones(1))
    both = compose_poses(first, Poses(between[None], shifts[1:], np.ones(1)))
    in_first = particle.T @ (point - shifts[0])
    expected = between.T @ (in_first - shifts[1])
    np.testing.assert_allclose(both.rotation[0].T @ (point - both.shift[0]), expected, atol=1e-12)
