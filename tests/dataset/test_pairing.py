"""Which specimen takes which style."""

from hypothesis import given
from hypothesis import strategies as st

from faket_dask.dataset.pairing import pair


def specimens(count: int) -> list[str]:
    return [f"s{i}" for i in range(count)]


def test_cyclic_gives_the_next_reference() -> None:
    pairs = pair(specimens(3), ["a", "b", "c"], "cyclic", 0)
    assert [p.reference for p in pairs] == ["b", "c", "a"]


def test_all_makes_every_pair_once() -> None:
    names = [p.name for p in pair(specimens(3), ["a", "b"], "all", 0)]
    assert len(set(names)) == 6


@given(
    st.integers(1, 20), st.integers(1, 20), st.sampled_from(["cyclic", "random", "all"]), st.integers(0, 99)
)
def test_more_specimens_leave_earlier_pairs_alone(fewer: int, more: int, pairing: str, seed: int) -> None:
    references = ["a", "b", "c"]
    small = pair(specimens(fewer), references, pairing, seed)
    large = pair(specimens(fewer + more), references, pairing, seed)
    assert large[: len(small)] == small


def test_random_uses_every_reference() -> None:
    pairs = pair(specimens(200), ["a", "b", "c"], "random", 0)
    assert {p.reference for p in pairs} == {"a", "b", "c"}
