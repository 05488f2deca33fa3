"""Number of units per task, and tasks that the ready queue makes of them."""

from collections.abc import Sequence
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
from faket_dask.engine.queue import ReadyQueue
from faket_dask.engine.stage import BatchKey
from faket_dask.engine.task_size import LONGEST_S, TASKS_PER_S, AdaptiveTaskSize, FixedTaskSize
from faket_dask.engine.unit import Item, Unit
from faket_dask.engine.worker import run_units
from tests.hooks import HOOKED, call_before_units
from tests.runs import copy_without, small_document


def measure(durations: Sequence[float]) -> AdaptiveTaskSize:
    size = AdaptiveTaskSize()
    for seconds in durations:
        size.add_duration("synthesise", seconds)
    return size


def test_units_of_unknown_duration_go_one_per_task() -> None:
    assert AdaptiveTaskSize().choose("synthesise", 1000) == 1
    assert measure([0.01]).choose("project", 1000) == 1


@given(st.floats(0.001, 100), st.integers(1, 2000))
def test_task_rate_stays_near_the_target(seconds: float, threads: int) -> None:
    size = measure([seconds] * 3).choose("synthesise", threads)
    assert threads / (size * seconds) <= 2 * max(TASKS_PER_S, threads / LONGEST_S)
    assert size == 1 or threads / (size * seconds) >= 0.99 * TASKS_PER_S
    assert size == 1 or size * seconds <= 1.01 * LONGEST_S


def test_mean_duration_follows_recent_units() -> None:
    slow_start = measure([60.0] * 4 + [0.1] * 2000)
    assert slow_start.choose("synthesise", 10) == pytest.approx(20, abs=1)


def test_fixed_size_ignores_durations() -> None:
    size = FixedTaskSize(3)
    size.add_duration("synthesise", 0.001)
    assert size.choose("synthesise", 1000) == 3


@pytest.mark.parametrize(("size", "shares", "most"), [(1, 3, 5), (4, 1, 3), (4, 6, 100), (100, 2, 1)])
def test_every_unit_is_taken_once_and_after_its_predecessors(
    tmp_path: Path, size: int, shares: int, most: int
) -> None:
    plan = faket_dask.plan(parse(small_document(tmp_path / "data"), tmp_path))
    after = {batch.key: batch.after for batch in plan.batches}
    left = {batch.key: set(range(batch.count)) for batch in plan.batches}
    queue = ReadyQueue(plan, CompletedUnits.empty(plan))
    longest = 0
    while tasks := queue.take(most, idle=False, size=lambda stage: size, shares=shares):
        assert len(tasks) <= most
        for task in tasks:
            [key] = {BatchKey(unit.stage, unit.item) for unit in task}
            assert all(not left[predecessor] for predecessor in after[key])
            longest = max(longest, len(task))
        for unit in (unit for task in tasks for unit in task):
            left[BatchKey(unit.stage, unit.item)].remove(unit.index)
            queue.complete(unit)
    assert not any(left.values())
    assert longest == min(size, 5) if shares < 3 else longest <= size


def test_tasks_get_smaller_as_fewer_units_are_ready(tmp_path: Path) -> None:
    plan = faket_dask.plan(parse(small_document(tmp_path / "data"), tmp_path))
    completed = CompletedUnits.read(plan)
    for batch in plan.batches:
        if batch.stage != "synthesise":
            completed.batches[batch.key].flags[:] = bytes([1] * batch.count)
    tasks = ReadyQueue(plan, completed).take(100, idle=False, size=lambda stage: 4, shares=4)
    assert [len(task) for task in tasks] == [3, 2, 2, 1, 1, 1]


def test_quarantined_units_are_tried_one_at_a_time_when_nothing_else_runs(tmp_path: Path) -> None:
    plan = faket_dask.plan(parse(small_document(tmp_path / "data"), tmp_path))
    completed = CompletedUnits.read(plan)
    for batch in plan.batches:
        if batch.stage != "synthesise":
            completed.batches[batch.key].flags[:] = bytes([1] * batch.count)
    queue = ReadyQueue(plan, completed)

    def take(idle: bool) -> list[tuple[Unit, ...]]:
        return queue.take(100, idle=idle, size=lambda stage: 1, shares=1)

    (first,), (second,), *others = take(idle=True)
    for unit in (first, second):
        queue.quarantine(unit)
    assert take(idle=False) == []
    assert not queue.is_last_attempt(first)
    for (unit,) in others:
        queue.complete(unit)
    assert take(idle=True) == [(first,)]
    assert queue.is_last_attempt(first)
    queue.retry(second)
    assert take(idle=False) == []
    assert take(idle=True) == [(second,)]


def test_leaving_worker_ends_its_task_after_the_current_unit(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    def leave(spec: DatasetSpec, unit: Unit) -> None:
        if unit.index == 1:
            get_worker().status = Status.closing_gracefully

    copy = copy_without(tiny_dataset.folder, tmp_path, "synthesise")
    units = [Unit("synthesise", Item("specimen-000__b"), index) for index in range(4)]
    with (
        call_before_units(leave),
        Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as client,
    ):
        fingerprint = tiny_dataset.spec.fingerprint
        markers = client.submit(run_units, units, HOOKED.target, str(copy), fingerprint).result()
        client.run(lambda dask_worker: setattr(dask_worker, "status", Status.running))
    assert len(markers) == 2


def test_failed_unit_ends_its_task_and_keeps_the_units_before(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    def fail(spec: DatasetSpec, unit: Unit) -> None:
        if unit.index == 2:
            raise ValueError("cosmic ray")

    copy = copy_without(tiny_dataset.folder, tmp_path, "synthesise")
    units = [Unit("synthesise", Item("specimen-000__b"), index) for index in range(4)]
    with (
        call_before_units(fail),
        Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as client,
    ):
        fingerprint = tiny_dataset.spec.fingerprint
        markers = client.submit(run_units, units, HOOKED.target, str(copy), fingerprint).result()
        assert len(markers) == 2
        with pytest.raises(ValueError, match="cosmic ray"):
            client.submit(run_units, units[2:], HOOKED.target, str(copy), fingerprint).result()
