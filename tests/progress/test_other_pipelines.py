"""Displays of pipelines that make no tilt-series."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from faket_dask.engine.events import RunStarted, UnitDone
from faket_dask.engine.folder import RunFolder
from faket_dask.engine.marker import Findings, Marker
from faket_dask.engine.pipeline import Pipeline, find_pipeline, register_pipeline
from faket_dask.engine.plan import Plan
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.errors import InputError
from faket_dask.progress import RunState
from faket_dask.progress.heatmap import draw


@dataclass(frozen=True)
class CountingSpec:
    """Specification of two books whose words are counted page by page."""

    root: Path
    title: str = "2 books"
    threads_per_task: int = 1
    device: str = "cpu"
    fingerprint: str = "0"

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.root)


class CountWords(Stage[CountingSpec]):
    """Count the words of one page."""

    name = "count_words"
    label = "count"
    milestone = "counted"

    def items(self, spec: CountingSpec) -> list[Item]:
        return [Item("novel"), Item("poem")]

    def count(self, spec: CountingSpec, item: Item) -> int:
        return 3 if item.owner == "novel" else 1

    def compute(self, spec: CountingSpec, item: Item, index: int) -> Findings:
        return {}

    def cost(self, spec: CountingSpec) -> UnitCost:
        return UnitCost(1.0, 1, 1)


class AddCounts(CountWords):
    """Add the words of all pages of a book."""

    name = "add_counts"
    label = "add"
    milestone = None

    def count(self, spec: CountingSpec, item: Item) -> int:
        return 1

    def predecessors(self, spec: CountingSpec, item: Item) -> list[BatchKey]:
        return [BatchKey(CountWords.name, item)]


def run_all(plan: Plan[CountingSpec]) -> RunState:
    state = RunState()
    state(RunStarted(plan, plan.requirements(), {}, 1, None, time.time()))
    marker = Marker("0", {}, {}, 1.0, "here", 1, "none", "2026-01-01T00:00:00Z")
    for unit in plan.units():
        state(UnitDone(unit, marker))
    return state


def list_books(spec: CountingSpec) -> list[BatchKey]:
    return [BatchKey(AddCounts.name, item) for item in AddCounts().items(spec)]


def test_pipeline_whose_package_is_broken_is_named() -> None:
    register_pipeline("broken", "no_such_package:PIPELINE")
    with pytest.raises(InputError, match="'broken' cannot be loaded from no_such_package:PIPELINE"):
        find_pipeline("broken")


@pytest.mark.parametrize("products", [(), list_books], ids=["none", "books"])
def test_run_of_another_pipeline_is_shown(tmp_path: Path, products: Any) -> None:
    stages = (CountWords(), AddCounts())
    options = {"list_products": products} if products else {}
    pipeline = Pipeline("words", "", stages, CountingSpec, product_name="books", **options)
    state = run_all(Plan(CountingSpec(tmp_path), pipeline))
    assert state.grid.labels == ("waiting", "counted", "done", "failed")
    assert state.summary().startswith("6 of 6 units" + (", 2 of 2 books" if products else ""))
    assert draw(state, None, summary=True).startswith(b"\x89PNG")
