"""Beads are erased from tilts: their streaks leave a tomogram, everything else stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.backprojection import back_project
from faket_dask.kernels.bead_erasing import erase_beads, find_beads
from faket_dask.kernels.projection import project
from faket_dask.stages.reconstruction import prepare_tilt

ANGLES = np.arange(-60.0, 61, 4)
SHAPE = (40, 112, 160)
BEAD, PARTICLE = (22, 60, 100), (18, 58, 45)


def ball(centre: tuple[int, int, int], radius: float) -> np.ndarray:
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    return ((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= radius**2).astype(
        np.float32
    )


def reconstruct(stack: np.ndarray, *, without_beads: bool) -> np.ndarray:
    filtered = [
        prepare_tilt(
            tilt=tilt,
            kind="hann",
            tilt_angles=ANGLES,
            index=index,
            thickness_px=SHAPE[0],
            without_beads=without_beads,
        )
        for index, tilt in enumerate(stack)
    ]
    return back_project(np.stack(filtered), ANGLES, SHAPE[0])


def test_streaks_of_beads_vanish_and_the_particle_stays() -> None:
    noise = np.random.default_rng(4).normal(0, 4, (ANGLES.size, *SHAPE[1:])).astype(np.float32)
    particle = project(0.2 * ball(PARTICLE, 8), ANGLES)
    beads = project(22 * ball(BEAD, 5), ANGLES)
    truth = reconstruct(particle + noise, without_beads=False)
    streaked = reconstruct(particle + beads + noise, without_beads=False)
    erased = reconstruct(particle + beads + noise, without_beads=True)
    y, x = np.ogrid[: SHAPE[1], : SHAPE[2]]
    away = (np.abs(y - BEAD[1]) <= 5) & (np.abs(x - BEAD[2]) > 10) & np.ones(SHAPE, dtype=bool)

    def excess(tomogram: np.ndarray) -> float:
        """Return the power in the rows of the bead, away from it, over that of a tomogram that never had one."""
        return float(np.square(tomogram[away]).mean() / np.square(truth[away]).mean()) - 1

    assert excess(streaked) > 0.5
    assert abs(excess(erased)) < excess(streaked) / 5
    inside = ball(PARTICLE, 7) > 0
    signal, kept = (float(tomogram[inside].mean()) for tomogram in (truth, erased))
    assert kept == pytest.approx(signal, rel=0.05)
    assert signal < 0
    assert np.abs(erased).max() < 1.3 * np.abs(truth).max() < np.abs(streaked).max()


@settings(max_examples=10)
@given(
    seed=st.integers(0, 10**6), ramp=st.floats(-0.2, 0.2), level=st.floats(-1e4, 1e4), spread=st.floats(1, 50)
)
def test_erased_place_has_the_level_and_the_noise_around_it(
    seed: int, ramp: float, level: float, spread: float
) -> None:
    rows, columns = np.mgrid[:160, :180]
    tilt = np.random.default_rng(seed).normal(0, 1, (160, 180)) + ramp * columns
    bead = np.hypot(rows - 80, columns - 90) <= 9
    tilt = (level + spread * (tilt - 12 * bead)).astype(np.float32)
    erased = (np.asarray(erase_beads(tilt), dtype=np.float64) - level) / spread - ramp * columns
    assert abs(erased[bead].mean()) < 0.4
    assert 0.75 < erased[bead].std() < 1.25
    far = np.hypot(rows - 80, columns - 90) > 40
    np.testing.assert_array_equal(erase_beads(tilt)[far], tilt[far])
    np.testing.assert_array_equal(erase_beads(tilt), erase_beads(tilt.copy()))


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_tilt_without_beads_is_returned_as_it_is(seed: int) -> None:
    rows, columns = np.mgrid[:160, :180]
    particle = np.hypot(rows - 70, columns - 50) <= 12
    tilt = (np.random.default_rng(seed).normal(size=(160, 180)) - particle).astype(np.float32)
    assert erase_beads(tilt) is tilt


def test_borders_and_carbon_are_no_beads() -> None:
    rows, columns = np.mgrid[:160, :180]
    tilt = np.random.default_rng(2).normal(size=(160, 180))
    tilt[rows + 0.1 * columns < 20] = 0
    tilt[columns > 130] += 30
    assert not find_beads(tilt).any()
    np.testing.assert_array_equal(erase_beads(tilt), tilt)
