"""Random numbers depend on what they are for and on nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.stages.seeds import generator, noise_field

names = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=8)


@given(st.integers(0, 2**63), names, names, st.integers(0, 200))
def test_same_purpose_same_numbers(seed: int, item: str, purpose: str, index: int) -> None:
    a = generator(seed, item, purpose, index).random(4)
    b = generator(seed, item, purpose, index).random(4)
    np.testing.assert_array_equal(a, b)


@given(st.integers(0, 1000), st.permutations(range(6)))
def test_the_order_of_drawing_does_not_matter(seed: int, order: list[int]) -> None:
    in_order = {tilt: noise_field(seed, "s", tilt, (4, 4)) for tilt in range(6)}
    for tilt in order:
        np.testing.assert_array_equal(noise_field(seed, "s", tilt, (4, 4)), in_order[tilt])


def test_different_purposes_are_uncorrelated() -> None:
    draws = [
        noise_field(seed, series, tilt, (128, 128)).ravel()
        for seed in (0, 1)
        for series in ("a", "b")
        for tilt in (0, 1)
    ]
    correlation = np.corrcoef(draws) - np.eye(len(draws))
    # five standard deviations of the correlation of independent draws
    assert np.abs(correlation).max() < 5 / 128


def test_noise_is_standard_normal() -> None:
    field = noise_field(3, "series", 0, (256, 256))
    assert abs(field.mean()) < 5 / 256
    assert abs(field.std() - 1) < 5 / 256
