"""What is taken for an artefact of a micrograph, and what is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.artefacts import artefact_mask

SHAPE = (200, 240)
ROWS, COLUMNS = np.mgrid[: SHAPE[0], : SHAPE[1]]


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SHAPE)


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), ramp=st.floats(-20, 20), bend=st.floats(-10, 10))
def test_noise_on_a_smooth_background_has_next_to_none(seed: int, ramp: float, bend: float) -> None:
    x = COLUMNS / SHAPE[1] - 0.5
    assert artefact_mask(noise(seed) + ramp * x + bend * x**2).mean() < 0.02


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    row=st.integers(20, 180),
    column=st.integers(20, 220),
    radius=st.floats(3, 10),
)
def test_beads_are_found_with_little_around_them(seed: int, row: int, column: int, radius: float) -> None:
    distance = np.hypot(ROWS - row, COLUMNS - column)
    mask = artefact_mask(noise(seed) - 15 * (distance <= radius))
    assert mask[distance <= radius].all()
    assert mask[distance > 4 * radius + 20].mean() < 0.02


@pytest.mark.parametrize("level", [0.0, 5.0, 100.0])
@pytest.mark.parametrize("filling", [0.0, "mean"])
def test_border_that_a_program_filled_is_found(level: float, filling: float | str) -> None:
    """As alignment leaves it: of one value, turned against the sides, also where nothing else tells it."""
    border = (ROWS + 0.1 * COLUMNS < 40) | (COLUMNS < 8)
    image = np.where(border, level if filling == "mean" else filling, level + noise(5))
    bead = np.hypot(ROWS - 120, COLUMNS - 100) < 5
    mask = artefact_mask(image - 15 * bead)
    assert mask[border].mean() > 0.995
    assert mask[bead].all()
    assert (
        mask[(ROWS + 0.1 * COLUMNS > 60) & (COLUMNS > 20) & (np.hypot(ROWS - 120, COLUMNS - 100) > 40)].mean()
        < 0.02
    )


def test_image_that_is_mostly_flat_is_taken_as_it_is() -> None:
    image = np.zeros(SHAPE)
    image[60:100, 60:100] = noise(0)[60:100, 60:100]
    assert not artefact_mask(image)[:50].any()


@pytest.mark.parametrize("step", [3.0, -8.0, 30.0])
@pytest.mark.parametrize("covered", [0.2, 0.45])
def test_carbon_is_found_and_the_ice_beside_it_kept(step: float, covered: float) -> None:
    carbon = covered * SHAPE[1] > COLUMNS + 0.2 * ROWS
    mask = artefact_mask(noise(3) + step * carbon)
    assert mask[carbon].mean() > 0.99
    assert mask[covered * SHAPE[1] + 30 < COLUMNS + 0.2 * ROWS].mean() < 0.02
