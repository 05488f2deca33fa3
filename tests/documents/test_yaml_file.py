"""Reading of YAML files: what is written is what is read, or an error names the line."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from faket_dask.documents.yaml_file import LARGEST_DOCUMENT, parse_document, read_document
from faket_dask.errors import InputError


def read(text: str) -> Any:
    return parse_document(text, "run.yaml").content


def fault(text: str) -> str:
    with pytest.raises(InputError) as error:
        read(text)
    return str(error.value)


def test_every_key_given_twice_is_named_with_both_lines() -> None:
    text = (
        "dataset: {seed: 1, seed: 7}\nspecimen:\n  count: 2\n"
        "style:\n  a: 1\n  b: 2\n  a: 3\nspecimen:\n  count: 3\n"
    )
    assert fault(text).splitlines() == [
        "run.yaml: the key 'specimen' is given twice, in lines 2 and 8; keep one of them",
        "run.yaml: the key 'seed' is given twice, in line 1; keep one of them",
        "run.yaml: the key 'a' is given twice, in lines 5 and 7; keep one of them",
    ]


@pytest.mark.parametrize("text", ["1: a\n1: b", "'6': a\n6: b", "x: {? a : 1, a: 2}", '- - {k: 1, "k": 2}'])
def test_keys_count_as_equal_however_they_are_written(text: str) -> None:
    assert "is given twice" in fault(text)


def test_merge_keys_and_anchors_are_no_repetition() -> None:
    text = "base: &base {a: 1, b: 2}\nmade: {<<: *base, b: 3}\nagain: *base\n"
    assert read(text) == {"base": {"a": 1, "b": 2}, "made": {"a": 1, "b": 3}, "again": {"a": 1, "b": 2}}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("00254", "00254"),
        ("010", "010"),
        ("24:00:00", "24:00:00"),
        ("2024-05-01", "2024-05-01"),
        ("no", "no"),
        ("on", "on"),
        ("1e79", "1e79"),
        ("1e-3", "1e-3"),
        ("254", 254),
        ("-2.5", -2.5),
        ("0x1F", 31),
        ("1_000", 1000),
        ("true", True),
        ("~", None),
        ("'7'", "7"),
    ],
)
def test_values_are_read_as_they_look(written: str, value: object) -> None:
    read_value = read(f"key: {written}")["key"]
    assert read_value == value
    assert type(read_value) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("a: 1\n\tb: 2", 2, "indented by a tab; indent by spaces"),
        ("a: 1\n---\nb: 2", 2, "a second document begins there"),
        ("a: 1\nb: !!python/object:os.x {}", 2, "tags such as python/object:os.x are not read"),
        ("a:\n  {{ name }}: 1", 2, "a key is a list or a mapping"),
        ("a: 1\nb: x\x00y", 2, "control character '\\x00'"),
        ("a: b: c", 1, "not allowed"),
        ("a: [1, 2\nb: 3", 2, ""),
        ("a: *nowhere", 1, "alias"),
    ],
)
def test_invalid_files_are_explained_with_their_line(text: str, line: int, cause: str) -> None:
    message = fault(text)
    assert f"in line {line}" in message
    assert cause in message
    assert "\n" not in message


def test_aliases_cannot_multiply_a_file() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    tracemalloc.start()
    assert "those that aliases repeat included" in fault("\n".join(lines))
    assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    tracemalloc.stop()
    assert "alias of itself" in fault("a: &a [*a]")


@pytest.mark.parametrize(
    "text", ["[" * 100 + "]" * 100, "[" * 100_000, "- " * 100_000 + "x", "{a: " * 60 + "1" + "}" * 60]
)
def test_nesting_is_bounded(text: str) -> None:
    assert "nested" in fault(text)


def test_size_is_bounded_before_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "stack.yaml"
    with open(path, "wb") as file:
        file.truncate(50 * LARGEST_DOCUMENT)
    with pytest.raises(InputError, match=r"has 100\.0 MiB, and at most 2 are read"):
        read_document(path, "run file")


def test_numbers_of_any_length_are_read_as_text() -> None:
    assert read("seed: " + "9" * 5000)["seed"] == "9" * 5000


def test_values_are_found_where_they_are_written() -> None:
    document = parse_document(
        "a:\n  - {name: 254}\n  - name: '254'\nb: &b\n  c: 1\nd: {<<: *b}\n", "run.yaml"
    )
    first, second, merged = (
        document.find(place) for place in (("a", "0", "name"), ("a", "1", "name"), ("d", "c"))
    )
    assert (first.line, first.text, first.is_plain) == (2, "254", True)
    assert (second.line, second.text, second.is_plain) == (3, "254", False)
    assert (merged.line, merged.text) == (5, "1")
    assert document.find(("a", "7", "x")).line == 1


contents = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(st.characters(codec="latin-1", categories=["L", "N", "P", "S"]), max_size=6),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(st.characters(codec="ascii"), max_size=4), inner, max_size=3),
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(contents)
def test_what_yaml_writes_is_read_back(content: Any) -> None:
    assert read(yaml.safe_dump(content, allow_unicode=True)) == content
