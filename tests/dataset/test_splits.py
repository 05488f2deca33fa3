"""Splits that share neither specimens nor references, and the manifest that lists them."""

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import faket_dask
from faket_dask.config import parse
from faket_dask.dataset.inputs import Inputs
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.dataset.splits import group_connected_series, split_series
from faket_dask.engine.completed import CompletedUnits
from faket_dask.errors import InputError
from faket_dask.pipeline.plan import plan_spec
from faket_dask.report.manifest import write_manifest
from tests.runs import small_document


def describe_dataset(specimens: int, references: int, pairing: str = "cyclic", seed: int = 1) -> DatasetSpec:
    document: dict[str, Any] = small_document(
        Path("/nowhere"),
        specimen={"count": specimens},
        references=[{"kind": "simulated", "name": f"r{index}"} for index in range(references)],
    )
    document["pairing"], document["dataset"]["seed"] = pairing, seed
    return DatasetSpec(parse(document, Path("/nowhere")), Inputs({}, (), (), ""))


@settings(max_examples=40)
@given(
    specimens=st.integers(4, 30),
    references=st.integers(1, 8),
    pairing=st.sampled_from(["cyclic", "random", "all"]),
    seed=st.integers(0, 99),
)
def test_splits_share_neither_specimens_nor_references(
    specimens: int, references: int, pairing: str, seed: int
) -> None:
    spec = describe_dataset(specimens, references, pairing, seed)
    try:
        splits = split_series(spec, {"train": 3, "test": 1})
    except InputError:
        return
    assert splits.keys() == set(spec.series_by_name)
    parts = [
        {getattr(spec.series_by_name[name], kind) for name, split in splits.items() if split == part}
        for part in ("train", "test")
        for kind in ("specimen", "reference")
    ]
    assert all(parts)
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[3]


def test_splits_have_their_shares() -> None:
    splits = split_series(describe_dataset(100, 10), {"train": 0.7, "validation": 0.1, "test": 0.2})
    sizes = {name: list(splits.values()).count(name) for name in splits.values()}
    assert sizes == {"train": 70, "validation": 10, "test": 20}


def test_connected_series_form_groups() -> None:
    spec = describe_dataset(6, 3)
    assert sorted(map(len, group_connected_series(spec))) == [2, 2, 2]
    assert len(group_connected_series(describe_dataset(4, 3, "all"))) == 1


def test_connected_series_cannot_be_split() -> None:
    with pytest.raises(InputError, match=r"1 groups .* too few for 2 splits"):
        split_series(describe_dataset(4, 3, "all"), {"train": 1, "test": 1})


def test_manifest_has_a_row_per_series(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(tiny_dataset.folder, copy)
    moved = DatasetSpec.read(copy)
    outputs = moved.config.outputs.model_copy(update={"splits": {"train": 1, "test": 1}})
    spec = DatasetSpec(moved.config.model_copy(update={"outputs": outputs}), moved.inputs)
    assert spec.fingerprint == tiny_dataset.spec.fingerprint
    with open(write_manifest(CompletedUnits.read(plan_spec(spec))), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["series"] for row in rows] == tiny_dataset.series
    assert {row["split"] for row in rows} == {"train", "test"}
    for row in rows:
        assert row["complete"] == "True"
        assert (copy / row["series_store"] / "tilts" / "faket").is_dir()
        assert (copy / row["particles"]).exists()
        assert int(row["n_propeller"]) <= 4
