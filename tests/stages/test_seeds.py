"""Random numbers depend on what they are for and on nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.stages.seeds import Purpose, generator, noise_field

names = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=8)
purposes = st.sampled_from(Purpose)


@given(st.integers(0, 2**63), names, purposes, st.integers(0, 200))
def test_same_purpose_same_numbers(seed: int, stream: str, purpose: Purpose, index: int) -> None:
    a = generator(seed, stream, purpose, index).random(4)
    b = generator(seed, stream, purpose, index).random(4)
    np.testing.assert_array_equal(a, b)


@given(st.integers(0, 1000), st.permutations(range(6)))
def test_order_of_drawing_does_not_matter(seed: int, order: list[int]) -> None:
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


FIRST_DRAWS = {
    "noise": [468867763, 616527449],
    "counts": [236664105, 552228108],
    "placement": [27204645, 443519667],
    "pairing": [860984169, 160792123],
    "split": [453139249, 607843549],
    "acquisition": [938662713, 904584460],
    "errors": [980510484, 872091616],
    "sensor": [732312940, 564427042],
    "defocus": [463853382, 164335805],
    "background": [5637681, 943772282],
    "weights": [340481437, 979291530],
    "object order": [325632240, 398663102],
    "patches": [777124105, 496353814],
}


@pytest.mark.parametrize("purpose", Purpose)
def test_first_draws_of_every_purpose_never_change(purpose: Purpose) -> None:
    draws = generator(11, "specimen-000", purpose, 3).integers(0, 10**9, 2)
    assert draws.tolist() == FIRST_DRAWS[purpose.value]


def test_noise_field_never_changes() -> None:
    expected = [[-0.4756133556365967, 0.41250187158584595, -0.4287405014038086]]
    assert noise_field(11, "specimen-000__a", 2, (1, 3)).tolist() == expected
