"""L-BFGS without a wasted evaluation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.kernels.style.lbfgs import Image, minimise


def valley(seed: int, spread: float) -> tuple[Image, "np.typing.NDArray[np.float64]", Image]:
    """A start, curvatures, and the minimum of a quadratic function."""
    rng = np.random.default_rng(seed)
    shape = (6, 7)
    curvature = np.exp(rng.uniform(0, spread, shape))
    return rng.standard_normal(shape).astype(np.float32), curvature, rng.standard_normal(shape).astype("f4")


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(0, 4), st.floats(1e-6, 1e6))
def test_minimum_is_reached_at_any_scale(seed: int, spread: float, scale: float) -> None:
    start, curvature, minimum = valley(seed, spread)

    def evaluate(image: Image) -> tuple[float, Image]:
        away = image.astype(np.float64) - minimum
        return scale * float(np.sum(curvature * away**2)), (2 * scale * curvature * away).astype("f4")

    found = minimise(evaluate, start, 0.0, 60)
    assert found.loss <= 1e-4 * found.losses[0]
    assert found.loss == min(found.losses) == evaluate(found.image)[0]


def test_first_step_lowers_the_loss() -> None:
    start, curvature, minimum = valley(0, 0.5)

    def evaluate(image: Image) -> tuple[float, Image]:
        away = image.astype(np.float64) - minimum
        return float(np.sum(curvature * away**2)), (2 * curvature * away).astype("f4")

    assert minimise(evaluate, start, 0.0, 2).loss < 0.5 * evaluate(start)[0]


def test_it_stops_when_the_loss_is_low_enough() -> None:
    asked: list[float] = []

    def evaluate(image: Image) -> tuple[float, Image]:
        asked.append(float(np.sum(image.astype(np.float64) ** 2)))
        return asked[-1], 2 * image

    start = np.ones((4, 4), dtype=np.float32)
    assert minimise(evaluate, start, 100.0, 9).losses == (16.0,)
    enough = minimise(evaluate, start, 1.0, 9)
    assert enough.loss <= 1.0
    assert all(loss > 1.0 for loss in enough.losses[:-1])
    assert len(minimise(evaluate, start, 0.0, 1).losses) == 1
    assert (start == 1).all()


def test_step_that_raises_the_loss_is_rejected() -> None:
    def evaluate(image: Image) -> tuple[float, Image]:
        wide = image.astype(np.float64)
        return float(np.sum(1 - np.cos(3 * wide)) + 1), (3 * np.sin(3 * wide)).astype(np.float32)

    found = minimise(evaluate, np.full((3, 3), 0.05, dtype=np.float32), 0.0, 12)
    assert found.loss == min(found.losses)
    assert found.loss < 1.001


def test_loss_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="nan"):
        minimise(lambda image: (float("nan"), image), np.ones((2, 2), np.float32), 0.0, 3)
