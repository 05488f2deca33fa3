"""Pairing of specimens with references."""

from hypothesis import given
from hypothesis import strategies as st

from faket_dask.dataset.pairing import pair_references


def name_specimens(count: int) -> list[str]:
    return [f"s{i}" for i in range(count)]


def test_cyclic_pairs_with_the_next_reference() -> None:
    pairs = pair_references(name_specimens(3), ["a", "b", "c"], "cyclic", 0)
    assert [p.reference for p in pairs] == ["b", "c", "a"]


def test_all_makes_each_pair_once() -> None:
    names = [p.name for p in pair_references(name_specimens(3), ["a", "b"], "all", 0)]
    assert len(set(names)) == 6


@given(
    st.integers(1, 20), st.integers(1, 20), st.sampled_from(["cyclic", "random", "all"]), st.integers(0, 99)
)
def test_more_specimens_keep_earlier_pairs(fewer: int, more: int, pairing: str, seed: int) -> None:
    references = ["a", "b", "c"]
    small = pair_references(name_specimens(fewer), references, pairing, seed)
    large = pair_references(name_specimens(fewer + more), references, pairing, seed)
    assert large[: len(small)] == small


def test_random_uses_every_reference() -> None:
    pairs = pair_references(name_specimens(200), ["a", "b", "c"], "random", 0)
    assert {p.reference for p in pairs} == {"a", "b", "c"}
