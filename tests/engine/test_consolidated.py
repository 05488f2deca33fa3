"""Consolidated metadata: what zarr-python itself would write, and never out of date."""

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from faket_dask.engine.arrays import ArraySpec, create_array, create_group, write_vector
from faket_dask.engine.consolidated import (
    CONSOLIDATED,
    consolidate,
    find_store,
    is_consolidated,
    remove_consolidated,
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "a.zarr"
    for group in (path, path / "tilts", path / "volume"):
        create_group(group, {"seed": 3})
    create_array(path / "tilts", ArraySpec("faket", ("tilt", "y", "x"), (3, 4, 5), (1, 4, 5)))
    write_vector(path / "tilts", "x", "x", np.arange(5.0), {"units": "angstrom"})
    write_vector(path / "volume", "x", "x", np.arange(9.0))
    return path


def read_copy(group: Path) -> dict[str, object]:
    return json.loads((group / "zarr.json").read_text())[CONSOLIDATED]


def test_copy_is_that_of_zarr_python(store: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.zarr"
    shutil.copytree(store, theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr-python warns that the specification lacks it
        zarr.consolidate_metadata(str(theirs))
    consolidate(store)
    assert read_copy(store) == read_copy(theirs)
    opened = zarr.open_group(store, mode="r", use_consolidated=True)
    assert sorted(name for name, _ in opened.members(max_depth=None)) == [
        "tilts",
        "tilts/faket",
        "tilts/x",
        "volume",
        "volume/x",
    ]


def test_each_group_has_a_copy_of_what_is_below_it(store: Path) -> None:
    consolidate(store)
    metadata = read_copy(store / "tilts")["metadata"]
    assert list(metadata) == ["faket", "x"]
    assert metadata["x"]["attributes"] == {"units": "angstrom"}


@given(order=st.permutations(["a", "b", "c"]), interruptions=st.lists(st.booleans(), min_size=3, max_size=3))
def test_bytes_do_not_depend_on_the_history(
    tmp_path_factory: pytest.TempPathFactory, order: list[str], interruptions: list[bool]
) -> None:
    folder = tmp_path_factory.mktemp("history")

    def grow(path: Path, names: list[str], interrupted: list[bool]) -> bytes:
        create_group(path, {"seed": 3})
        for name, stop in zip(names, interrupted, strict=True):
            remove_consolidated(path)
            create_array(path, ArraySpec(name, ("x",), (4,), (2,)))
            if not stop:
                consolidate(path)
        consolidate(path)
        return (path / "zarr.json").read_bytes()

    straight = grow(folder / "straight.zarr", ["a", "b", "c"], [False] * 3)
    assert grow(folder / "other.zarr", order, interruptions) == straight


def test_removed_copies_leave_a_plain_store(store: Path) -> None:
    before = json.loads((store / "zarr.json").read_text())
    consolidate(store)
    remove_consolidated(store)
    for group in (store, store / "tilts", store / "volume"):
        assert CONSOLIDATED not in json.loads((group / "zarr.json").read_text())
    assert json.loads((store / "zarr.json").read_text()) == before


def test_copy_out_of_date_is_recognised(store: Path) -> None:
    assert not is_consolidated(store)
    consolidate(store)
    assert is_consolidated(store)
    assert is_consolidated(store / "tilts")
    write_vector(store / "tilts", "new", "tilt", np.zeros(3))
    assert not is_consolidated(store)
    assert not is_consolidated(store / "tilts")
    assert is_consolidated(store / "volume")


def test_store_with_unreadable_metadata_gets_no_copy(store: Path) -> None:
    (store / "tilts/faket/zarr.json").write_text('{"zarr_fo')
    consolidate(store)
    assert CONSOLIDATED not in json.loads((store / "zarr.json").read_text())
    assert is_consolidated(store)  # the array is at fault


def test_copies_below_torn_metadata_are_removed(store: Path) -> None:
    consolidate(store)
    (store / "zarr.json").write_text('{"zarr_fo')
    remove_consolidated(store)
    assert CONSOLIDATED not in json.loads((store / "tilts/zarr.json").read_text())


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("data.zarr/series/a.zarr/tilts", "data.zarr/series/a.zarr"),
        ("series/a.zarr", "series/a.zarr"),
        ("plain/group", "plain/group"),
    ],
)
def test_store_of_a_group(group: str, expected: str) -> None:
    assert find_store(Path(group)) == Path(expected)
