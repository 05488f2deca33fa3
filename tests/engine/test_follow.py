"""Followed runs: a run's folder gives the same events as its driver reports."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from distributed import Client

import faket_dask
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.events import Event, RunEnded, RunStarted, RunStopped, UnitDone, UnitFailed
from faket_dask.engine.follow import RunFollower, follow
from faket_dask.engine.lock import hold_lock
from faket_dask.engine.plan import Plan, read_plan
from faket_dask.engine.status import read_status
from faket_dask.engine.unit import Unit
from faket_dask.errors import InputError
from faket_dask.workflow.run import run_dataset_plan
from tests.hooks import HOOKED, Hook, call_before_units
from tests.runs import copy_without

SYNTHESISE = "synthesise/specimen-000__b"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as connected:
        yield connected


def copy_unlogged(dataset: faket_dask.Dataset, folder: Path, *undone: str) -> Path:
    """Copy a data set without some markers, without its event log, and without a report."""
    copy = copy_without(dataset.folder, folder, *undone)
    (copy / "progress" / "events.jsonl").unlink()
    config = yaml.safe_load((copy / "config.yaml").read_text())
    config["outputs"]["report"] = False
    (copy / "config.yaml").write_text(yaml.safe_dump(config))
    return copy


def plan_with_hooks(folder: Path) -> Plan[DatasetSpec]:
    return Plan(DatasetSpec.read(folder), HOOKED)


def fail_tilt(tilt: int) -> Hook:
    """Return a hook by which the synthesis of a tilt fails whenever it is tried."""

    def fail(spec: DatasetSpec, unit: Unit) -> None:
        if unit.stage == "synthesise" and unit.index == tilt:
            raise ValueError("a cosmic ray")

    return fail


def test_folder_gives_the_events_of_the_driver(
    tiny_dataset: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    copy = copy_unlogged(tiny_dataset, tmp_path, SYNTHESISE)
    follower = RunFollower(read_plan(copy))
    reported: list[Event] = []
    followed: list[Event] = []

    def watch(event: Event) -> None:
        reported.append(event)
        followed.extend(follower.look())

    with call_before_units(fail_tilt(3)):
        run_dataset_plan(plan_with_hooks(copy), client, watch)
    followed.extend(follower.look())
    both = (reported, followed)
    driver, disk = (next(e for e in events if isinstance(e, RunStarted)) for events in both)
    assert disk.requirements == driver.requirements
    assert disk.workers == driver.workers
    assert {k: set(v) for k, v in disk.before.items()} == {k: set(v) for k, v in driver.before.items()}
    completions = [{e.unit: e.marker for e in events if isinstance(e, UnitDone)} for events in both]
    assert completions[0] == completions[1] != {}
    failures = [[e for e in events if isinstance(e, UnitFailed)] for events in both]
    assert failures[0] == failures[1] != []
    assert followed[-1] == reported[-1] == RunEnded(tuple(e for e in failures[0] if e.final))


def test_markers_are_read_once(tiny_dataset: faket_dask.Dataset, tmp_path: Path) -> None:
    """A marker that was read is not looked at again: it may even be gone."""
    copy = copy_unlogged(tiny_dataset, tmp_path)
    markers = copy / "progress" / SYNTHESISE
    markers.joinpath("4.json").rename(tmp_path / "4.json")
    with hold_lock(copy / "progress/driver.lock"):
        requirements = {"stages": [], "widest": 1, "threads_per_task": 1}
        started = {"event": "started", "time": 0.0, "workers": 1, "dashboard": None}
        (copy / "progress/events.jsonl").write_text(
            json.dumps({**started, "requirements": requirements}) + "\n"
        )
        follower = RunFollower(read_plan(copy))
        assert len(follower.look()) > 10
        for marker in (copy / "progress").rglob("*.json"):
            marker.unlink()
        assert follower.look() == []
        os.replace(tmp_path / "4.json", markers / "4.json")
        [event] = follower.look()
    assert isinstance(event, UnitDone)
    assert (event.unit.stage, event.unit.index) == ("synthesise", 4)


def test_complete_data_set_ends_at_once(tiny_dataset: faket_dask.Dataset) -> None:
    events = list(follow(tiny_dataset.folder))
    assert isinstance(events[0], RunStarted)
    assert events[-1] == RunEnded(())


def test_incomplete_data_set_without_a_driver_is_stopped(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    events = list(follow(copy_unlogged(tiny_dataset, tmp_path, "fit_noise")))
    assert isinstance(events[-1], RunStopped)
    assert "no run is working on it" in events[-1].cause


def test_interrupted_run_is_reported_as_interrupted(
    tiny_dataset: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    copy = copy_unlogged(tiny_dataset, tmp_path, "fit_noise")

    def interrupt(event: Event) -> None:
        if isinstance(event, UnitDone):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_dataset_plan(read_plan(copy), client, interrupt)
    assert list(follow(copy))[-1] == RunStopped("interrupted")


def test_follower_waits_for_a_run_that_has_the_lock_and_no_events_yet(
    tiny_dataset: faket_dask.Dataset, tmp_path: Path
) -> None:
    """Events of an earlier run are not taken for its own."""
    copy = copy_unlogged(tiny_dataset, tmp_path, "fit_noise")
    (copy / "progress/events.jsonl").write_text('{"event": "ended", "time": 0.0}\n')
    with hold_lock(copy / "progress/driver.lock"):
        assert RunFollower(read_plan(copy)).look() == []


def test_torn_event_log_does_not_hide_the_next_run(
    tiny_dataset: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    copy = copy_unlogged(tiny_dataset, tmp_path, "fit_noise")
    (copy / "progress/events.jsonl").write_text('{"event": "started", "ti')
    run_dataset_plan(read_plan(copy), client)
    events = list(follow(copy))
    assert any(isinstance(event, UnitDone) for event in events)
    assert events[-1] == RunEnded(())


def test_status_names_failures_until_their_units_are_done(
    tiny_dataset: faket_dask.Dataset, client: Client, tmp_path: Path
) -> None:
    copy = copy_unlogged(tiny_dataset, tmp_path, SYNTHESISE)
    with call_before_units(fail_tilt(2)):
        failures = run_dataset_plan(plan_with_hooks(copy), client).failures
    assert read_status(read_plan(copy)).failures == failures != ()
    run_dataset_plan(read_plan(copy), client)
    assert read_status(read_plan(copy)).failures == ()


def test_folder_without_a_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a data set"):
        next(follow(tmp_path))
