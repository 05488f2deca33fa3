"""Tests of template matching: planted particles, the formula of the score, missing wedge, orientations, peaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from faket_dask.errors import InputError
from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.matching.correlation import correlate_block
from faket_dask.kernels.matching.null_template import Null, null_template
from faket_dask.kernels.matching.peaks import find_peaks, score_of_chance
from faket_dask.kernels.matching.rotations import cover_rotations, measure_covering, rotation_angle
from faket_dask.kernels.matching.template_filter import mean_transfer, sampled_frequencies
from faket_dask.kernels.matching.turning import TurnableTemplate
from faket_dask.kernels.optics import Optics
from faket_dask.kernels.projection import project
from faket_dask.specimen import Recipe, Species, render_block
from faket_dask.specimen.orientation import uniform_rotations
from faket_dask.specimen.particles import make_table
from faket_dask.specimen.sources import load_source
from faket_dask.specimen.template import Sampling
from faket_dask.stages.matching import Contrast, MatchBlocks, MatchSettings, prepare_template

VOXEL_A = 20.0
BRIGHT = MatchSettings(step_deg=30.0, contrast=Contrast.BRIGHT)


def prepare(
    match: MatchSettings = BRIGHT, null: Null | None = None, source: str = "coil"
) -> TurnableTemplate:
    template = load_source(source, VOXEL_A, Sampling.AVERAGED, mean_potential_V=1.0)
    return prepare_template(template, VOXEL_A, match, null)


def render(centre_A: np.ndarray, rotation: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return the density of a specimen with one coil."""
    recipe = Recipe(shape, VOXEL_A, (Species("coil", count=1),), ice_texture=0.0, sampling=Sampling.AVERAGED)
    table = make_table(["coil"], [1], centre_A[None], rotation[None])
    return render_block(recipe, table, 0, shape[1]).density


def search(volume: np.ndarray, template: TurnableTemplate, rotations: np.ndarray):
    blocks = MatchBlocks(volume.shape, template.reach)
    assert len(blocks) == 1
    return correlate_block(blocks.extend(0, volume[blocks.clip(0)]), template, rotations)


@pytest.mark.parametrize(("seed", "nulls"), [(0, Null), (1, [])])
def test_planted_particle_is_found_in_place_orientation_and_hand(seed: int, nulls: Iterable[Null]) -> None:
    rng = np.random.default_rng(seed)
    rotation = uniform_rotations(1, rng)[0]
    centre = np.array([15, 12, 10])
    density = render(centre * VOXEL_A, rotation, (20, 24, 28))
    noisy = density + rng.normal(0, 0.5 * density.std(), density.shape)
    best = search(noisy, prepare(), BRIGHT.rotations)
    peak = find_peaks(best.score, prepare().radius)
    assert peak.voxel[0].tolist() == centre[::-1].tolist()
    found = BRIGHT.rotations[best.orientation[tuple(peak.voxel[0])]]
    assert rotation_angle(found, rotation) < BRIGHT.step_deg
    for null in nulls:
        assert search(noisy, prepare(null=null), BRIGHT.rotations).score.max() < best.score.max() - 0.2


def test_exact_orientation_without_noise_scores_nearly_1_and_inverted_nearly_minus_1() -> None:
    rotation = uniform_rotations(1, np.random.default_rng(5))[0]
    density = render(np.array([20, 20, 16]) * VOXEL_A, rotation, (33, 40, 40))
    best = search(density, prepare(), rotation[None])
    assert best.score[16, 20, 20] == best.score.max() > 0.97
    dark = search(density, prepare(MatchSettings(step_deg=25.0)), rotation[None])
    np.testing.assert_allclose(dark.score[16, 20, 20], -best.score[16, 20, 20], rtol=1e-5)


def test_scores_are_the_weighted_correlation_coefficients() -> None:
    rng = np.random.default_rng(0)
    template = prepare(MatchSettings((-60.0, 60.0), 30.0, defocus_um=3.0))
    volume = rng.normal(50, 3, (template.reach * 2 + 4, template.reach * 2 + 6, template.reach * 2 + 5))
    rotations = uniform_rotations(3, rng)
    best = correlate_block(volume, template, rotations, first=7)
    mask, edge = template.mask().astype(float), 2 * template.reach + 1
    for place in ((0, 0, 0), (3, 5, 4), (1, 2, 3)):
        window = volume[tuple(slice(at, at + edge) for at in place)]
        window = window - (mask * window).sum() / mask.sum()
        scores = [
            float((template.turn(rotation) * window).sum() / np.sqrt((mask * window**2).sum()))
            for rotation in rotations
        ]
        assert best.orientation[place] == 7 + int(np.argmax(scores))
        np.testing.assert_allclose(best.score[place], max(scores), atol=1e-4)
    assert np.abs(best.score).max() <= 1


@settings(deadline=None, max_examples=10)
@given(scale=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_scores_do_not_depend_on_grey_values(scale: float, offset: float) -> None:
    template, rng = prepare(), np.random.default_rng(1)
    volume = rng.normal(0, 1, (template.reach * 2 + 3,) * 3)
    rotations = uniform_rotations(2, rng)
    one = correlate_block(volume, template, rotations)
    other = correlate_block(scale * volume + offset, template, rotations)
    np.testing.assert_allclose(other.score, one.score, atol=1e-3)


def test_orientations_in_groups_give_the_same_bytes() -> None:
    template, rng = prepare(), np.random.default_rng(1)
    volume = rng.normal(0, 1, (template.reach * 2 + 6,) * 3)
    rotations = uniform_rotations(6, rng)
    whole = correlate_block(volume, template, rotations)
    parts = [correlate_block(volume, template, rotations[at : at + 2], at) for at in (0, 2, 4)]
    scores = np.stack([part.score for part in parts])
    np.testing.assert_array_equal(scores.max(axis=0), whole.score)
    np.testing.assert_array_equal(np.max([part.opposite for part in parts], axis=0), whole.opposite)
    chosen = np.take_along_axis(np.stack([p.orientation for p in parts]), scores.argmax(axis=0)[None], 0)[0]
    np.testing.assert_array_equal(chosen, whole.orientation)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_torch_agrees_with_scipy(device: str) -> None:
    from faket_dask.kernels.matching.correlation import _invert_local_power
    from faket_dask.kernels.matching.correlation_torch import correlate_on_device

    template, rng = prepare(), np.random.default_rng(1)
    volume = rng.normal(0, 1, (template.reach * 2 + 6,) * 3)
    volume -= volume.mean()
    rotations = uniform_rotations(4, rng)
    ours = correlate_block(volume, template, rotations, first=2)
    power = _invert_local_power(volume, template.mask())
    score, orientation, opposite = correlate_on_device(volume, power, template, rotations, 2, device)
    np.testing.assert_allclose(score, ours.score, atol=1e-5)
    assert (orientation == ours.orientation).mean() > 0.999
    np.testing.assert_allclose(opposite, ours.opposite, atol=1e-5)
    assert orientation.dtype == np.int32


def test_opposite_is_the_score_of_the_inverted_template() -> None:
    rng = np.random.default_rng(3)
    volume = rng.normal(0, 1, (prepare().reach * 2 + 6,) * 3)
    rotations = uniform_rotations(4, rng)
    inverted = correlate_block(volume, prepare(null=Null.INVERTED), rotations)
    np.testing.assert_array_equal(correlate_block(volume, prepare(), rotations).opposite, inverted.score)


def test_flat_regions_score_0() -> None:
    template = prepare()
    flat = np.full((template.reach * 2 + 3,) * 3, 7.0)
    assert (correlate_block(flat, template, BRIGHT.rotations[:1]).score == 0).all()


def test_first_and_last_tilt_stand_for_all_between() -> None:
    all_tilts = sampled_frequencies(24, np.arange(-60, 61, 1))
    assert (sampled_frequencies(24, [-60, 60]) == all_tilts).mean() > 0.98
    assert 0.6 < all_tilts.mean() < 0.75


@pytest.mark.parametrize("angles", [(-60.0, 60.0), (-20.0, 60.0), (-60.0, 10.0)])
def test_sampled_frequencies_are_those_of_a_back_projection(angles: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    edge = 48
    grid = np.indices((edge,) * 3) - edge // 2
    volume = rng.standard_normal((edge,) * 3) * ((grid**2).sum(axis=0) < 8**2)
    tilts = np.arange(angles[0], angles[1] + 1, 2.0)
    tomogram = back_project(project(volume.astype(np.float32), tilts), tilts, edge)
    power = np.abs(np.fft.rfftn(tomogram)) ** 2
    sampled = sampled_frequencies(edge, tilts)
    k = np.fft.fftfreq(edge)
    radius = np.sqrt(
        k[:, None, None] ** 2 + k[None, :, None] ** 2 + np.fft.rfftfreq(edge)[None, None, :] ** 2
    )
    band = (radius > 0.1) & (radius < 0.35)
    assert power[band & sampled].mean() > 20 * power[band & ~sampled].mean()


def test_transfer_flips_where_phases_are_not_flipped() -> None:
    plain, flipped = (
        mean_transfer(32, 10.0, Optics(), 3.0, phase_flipped=flipped) for flipped in (False, True)
    )
    np.testing.assert_allclose(np.abs(plain), flipped, atol=0.05)
    assert plain.min() < -0.5
    assert 0 < plain[0, 0, 0] < 0.2


@pytest.mark.parametrize("step", [40.0, 30.0, 20.0, 12.0])
def test_covering_radius_is_less_than_the_step(step: float) -> None:
    angles = measure_covering(cover_rotations(step), 20000)
    assert 0.4 * step < angles.mean() < 0.55 * step
    assert angles.max() < step


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), radius=st.floats(1.0, 5.0), least=st.floats(-0.5, 0.9))
def test_peaks_are_apart_and_leave_nothing_out(seed: int, radius: float, least: float) -> None:
    score = np.random.default_rng(seed).uniform(-1, 1, (7, 9, 11)).astype(np.float32)
    peaks = find_peaks(score, radius, least)
    assert (np.diff(peaks.score) <= 0).all()
    assert (peaks.score > least).all()
    if len(peaks.voxel) > 1:
        distances = cdist(peaks.voxel, peaks.voxel)
        assert distances[~np.eye(len(distances), dtype=bool)].min() > radius
    assert score[tuple(peaks.voxel.T)].tolist() == peaks.score.tolist()
    maximum = np.unravel_index(score.argmax(), score.shape)
    assert score.max() <= least or tuple(peaks.voxel[0]) == maximum


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=30), st.integers(0, 40))
def test_no_more_false_peaks_than_accepted(scores: list[float], accepted: int) -> None:
    null = np.array(scores)
    assert np.count_nonzero(null > score_of_chance(null, accepted)) <= accepted or accepted >= len(scores)


def test_scrambled_template_keeps_amplitudes_and_mirrored_is_its_own_inverse() -> None:
    density = load_source("boot", VOXEL_A, Sampling.AVERAGED, mean_potential_V=1.0).density
    scrambled = null_template(density, Null.SCRAMBLED)
    amplitudes = [np.abs(np.fft.rfftn(cube.astype(float))) for cube in (density, scrambled)]
    np.testing.assert_allclose(amplitudes[1], amplitudes[0], atol=1e-4 * amplitudes[0].max())
    assert abs(np.corrcoef(density.ravel(), scrambled.ravel())[0, 1]) < 0.2
    mirrored = null_template(density, Null.MIRRORED)
    np.testing.assert_array_equal(null_template(mirrored, Null.MIRRORED)[..., 1:], density[..., 1:])


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: MatchSettings(step_deg=0.5), "step between orientations is 0.5°"),
        (lambda: MatchSettings((-95.0, 60.0)), "tilt 1"),
        (lambda: MatchSettings(phase_flipped=True), "give the defocus"),
        (lambda: MatchSettings(defocus_um=0.0), "defocus is 0"),
        (
            lambda: prepare_template(
                load_source("boot", 200.0, mean_potential_V=1.0), 200.0, MatchSettings()
            ),
            "smaller voxels",
        ),
    ],
)
def test_impossible_settings_are_refused(action: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        action()


@pytest.mark.parametrize(
    ("block", "message"), [(np.zeros((4, 4, 4)), "more than"), (np.full((40,) * 3, np.nan), "finite")]
)
def test_unusable_blocks_are_named(block: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        correlate_block(block, prepare(), BRIGHT.rotations[:1])
