"""How many units go in one task, and that all of them do go."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client, get_worker
from distributed.core import Status
from hypothesis import given
from hypothesis import strategies as st

import faket_dask
from faket_dask.config import parse
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.queue import Queue
from faket_dask.engine.task_size import LONGEST_S, TASKS_PER_S, Lengths
from faket_dask.engine.unit import Record, Unit
from faket_dask.engine.worker import run_units
from faket_dask.pipeline import STAGES
from tests.runs import copy_without, small_document


def lengths_of(seconds: Sequence[float]) -> Lengths:
    lengths = Lengths()
    for each in seconds:
        lengths.note("style", each)
    return lengths


def test_units_of_unknown_length_go_one_by_one() -> None:
    assert Lengths().group_size("style", 1000) == 1
    assert lengths_of([0.01]).group_size("project", 1000) == 1


@given(st.floats(0.001, 100), st.integers(1, 2000))
def test_all_workers_together_take_no_more_tasks_than_the_scheduler_gives(
    seconds: float, threads: int
) -> None:
    size = lengths_of([seconds] * 3).group_size("style", threads)
    assert threads / (size * seconds) <= 2 * max(TASKS_PER_S, threads / LONGEST_S)
    assert size == 1 or threads / (size * seconds) >= 0.99 * TASKS_PER_S
    assert size == 1 or size * seconds <= 1.01 * LONGEST_S


def test_a_length_follows_what_is_seen() -> None:
    slow_start = lengths_of([60.0] * 4 + [0.1] * 2000)
    assert slow_start.group_size("style", 10) == pytest.approx(20, abs=1)


@pytest.mark.parametrize(("size", "shares", "most"), [(1, 3, 5), (4, 1, 3), (4, 6, 100), (100, 2, 1)])
def test_every_unit_is_given_out_once_and_after_what_it_needs(
    tmp_path: Path, size: int, shares: int, most: int
) -> None:
    plan = faket_dask.plan(parse(small_document(tmp_path / "data"), tmp_path))
    after = {batch.key: batch.after for batch in plan.batches}
    left = {batch.key: set(range(batch.count)) for batch in plan.batches}
    queue = Queue(plan, CompletedUnits.blank(plan))
    longest = 0
    while groups := queue.take(most, alone=False, size=lambda stage: size, shares=shares):
        assert len(groups) <= most
        for unit, *others in groups:
            assert all(not left[key] for key in after[unit.stage, unit.item])
            assert {(other.stage, other.item) for other in others} <= {(unit.stage, unit.item)}
            longest = max(longest, 1 + len(others))
        for unit in (unit for group in groups for unit in group):
            left[unit.stage, unit.item].remove(unit.index)
            queue.done(unit)
    assert not any(left.values())
    assert longest == min(size, 5) if shares < 3 else longest <= size


def test_groups_get_smaller_where_they_would_not_go_round(tmp_path: Path) -> None:
    plan = faket_dask.plan(parse(small_document(tmp_path / "data"), tmp_path))
    done = CompletedUnits.read(plan)
    for batch in plan.batches:
        if batch.stage != "style":
            done.done[batch.key].flags[:] = bytes([1] * batch.count)
    groups = Queue(plan, done).take(100, alone=False, size=lambda stage: 4, shares=4)
    assert [len(group) for group in groups] == [3, 2, 2, 1, 1, 1]


def test_a_worker_that_is_to_leave_ends_its_group_after_the_unit_that_it_is_at(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    style = STAGES["style"]

    def last(spec: DatasetSpec, item: str, index: int) -> Record:
        if index == 1:
            get_worker().status = Status.closing_gracefully
        return style.compute(spec, item, index)

    monkeypatch.setitem(STAGES, "style", replace(style, compute=last))
    copy = copy_without(tiny_dataset.folder, tmp_path, "style")
    group = [Unit("style", "specimen-000__b", index) for index in range(4)]
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
        records = client.submit(run_units, group, str(copy), tiny_dataset.spec.fingerprint).result()
        client.run(lambda dask_worker: setattr(dask_worker, "status", Status.running))
    assert len(records) == 2
