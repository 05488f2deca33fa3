"""A run watched from what is on disk: the same events as the driver tells, and cheap to look at."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from distributed import Client

import faket_dask
from faket_dask import pipeline as units
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.events import Event, RunEnded, RunStarted, RunStopped, UnitDone, UnitFailed
from faket_dask.engine.follow import Follower, follow
from faket_dask.engine.lock import locked
from faket_dask.engine.status import status
from faket_dask.engine.unit import Record
from faket_dask.errors import InputError
from faket_dask.pipeline.plan import Plan
from faket_dask.workflow.run import execute_plan


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as connected:
        yield connected


def copy_without(finished: faket_dask.Dataset, folder: Path, *undone: str) -> Path:
    """A copy of a data set, without a report, in which some is not done, and of whose making nothing is told."""
    copy = folder / "data"
    shutil.copytree(finished.folder, copy)
    for stage in undone:
        shutil.rmtree(copy / "progress" / stage)
    (copy / "progress" / "journal.jsonl").unlink()
    config = yaml.safe_load((copy / "config.yaml").read_text())
    config["outputs"]["report"] = False
    (copy / "config.yaml").write_text(yaml.safe_dump(config))
    return copy


def plan_of(folder: Path) -> Plan:
    return Plan(DatasetSpec.read(folder))


def failing_tilt(monkeypatch: pytest.MonkeyPatch, tilt: int) -> None:
    """Style transfer of one tilt fails whenever it is tried."""
    whole = units.STAGES["style"]

    def fail(spec: DatasetSpec, item: str, index: int) -> Record:
        if index == tilt:
            raise ValueError("a cosmic ray")
        return whole.compute(spec, item, index)

    monkeypatch.setitem(units.STAGES.data, "style", units.unit.Stage(**{**vars(whole), "compute": fail}))


def test_disk_tells_what_the_driver_tells(
    tiny_dataset: faket_dask.Dataset, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = copy_without(tiny_dataset, tmp_path, "style/specimen-000__b")
    failing_tilt(monkeypatch, 3)
    follower = Follower(plan_of(copy))
    told: list[Event] = []
    seen: list[Event] = []

    def watch(event: Event) -> None:
        told.append(event)
        seen.extend(follower.look())

    execute_plan(plan_of(copy), client, watch)
    seen.extend(follower.look())
    [driver, disk] = [next(e for e in events if isinstance(e, RunStarted)) for events in (told, seen)]
    assert disk.requirements == driver.requirements
    assert disk.workers == driver.workers
    assert {k: set(v) for k, v in disk.before.items()} == {k: set(v) for k, v in driver.before.items()}
    units_done = [{e.unit: e.record for e in events if isinstance(e, UnitDone)} for events in (told, seen)]
    assert units_done[0] == units_done[1] != {}
    failed = [[e for e in events if isinstance(e, UnitFailed)] for events in (told, seen)]
    assert failed[0] == failed[1] != []
    assert seen[-1] == told[-1] == RunEnded(tuple(e for e in failed[0] if e.final))


def test_markers_are_read_once(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    """What was seen is not looked at again: it may even be gone."""
    copy = copy_without(tiny_dataset, tmp_path)
    style = copy / "progress/style/specimen-000__b"
    style.joinpath("4.json").rename(tmp_path / "4.json")
    with locked(copy / "progress/driver.lock"):
        (copy / "progress/journal.jsonl").write_text(
            json.dumps({"event": "started", "time": 0.0, "workers": 1, "dashboard": None})[:-1]
            + ', "requirements": {"stages": [], "widest": 1, "threads_per_task": 1}}\n'
        )
        follower = Follower(plan_of(copy))
        assert len(follower.look()) > 10
        for marker in (copy / "progress").rglob("*.json"):
            marker.unlink()
        assert follower.look() == []
        os.replace(tmp_path / "4.json", style / "4.json")
        [event] = follower.look()
    assert isinstance(event, UnitDone)
    assert (event.unit.stage, event.unit.index) == ("style", 4)


def test_a_finished_data_set_ends_at_once(tiny_dataset: faket_dask.Dataset) -> None:
    events = list(follow(tiny_dataset.folder))
    assert isinstance(events[0], RunStarted)
    assert events[-1] == RunEnded(())


def test_a_data_set_that_nobody_works_on_is_told_to_be_stopped(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    events = list(follow(copy_without(tiny_dataset, tmp_path, "levels")))
    assert isinstance(events[-1], RunStopped)
    assert "no run is working on it" in events[-1].cause


def test_an_interrupted_run_is_told_to_be_interrupted(
    tiny_dataset: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    copy = copy_without(tiny_dataset, tmp_path, "levels")

    def interrupt(event: Event) -> None:
        if isinstance(event, UnitDone):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute_plan(plan_of(copy), client, interrupt)
    assert list(follow(copy))[-1] == RunStopped("interrupted")


def test_a_run_that_is_about_to_begin_is_waited_for(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    """What an earlier run told is not taken for its."""
    copy = copy_without(tiny_dataset, tmp_path, "levels")
    (copy / "progress/journal.jsonl").write_text('{"event": "ended", "time": 0.0}\n')
    with locked(copy / "progress/driver.lock"):
        assert Follower(plan_of(copy)).look() == []


def test_a_journal_that_a_crash_tore_does_not_hide_the_next_run(
    tiny_dataset: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    copy = copy_without(tiny_dataset, tmp_path, "levels")
    (copy / "progress/journal.jsonl").write_text('{"event": "started", "ti')
    execute_plan(plan_of(copy), client)
    events = list(follow(copy))
    assert any(isinstance(event, UnitDone) for event in events)
    assert events[-1] == RunEnded(())


def test_status_tells_failures_until_they_are_mended(
    tiny_dataset: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    copy = copy_without(tiny_dataset, tmp_path, "style/specimen-000__b")
    with pytest.MonkeyPatch.context() as patch:
        failing_tilt(patch, 2)
        failures = execute_plan(plan_of(copy), client).failures
    assert status(DatasetSpec.read(copy)).failures == failures != ()
    execute_plan(plan_of(copy), client)
    assert status(DatasetSpec.read(copy)).failures == ()


def test_a_folder_that_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a data set"):
        next(follow(tmp_path))
