"""What is known of a run from its events."""

import calendar
import dataclasses

import numpy as np
import pytest

import faket_dask
from faket_dask.engine.events import Event, RunEnded, RunStarted, RunStopped, UnitDone, UnitFailed
from faket_dask.engine.unit import Unit
from faket_dask.progress import Tally
from faket_dask.progress.grid import Grid, State


def told(events: list[Event]) -> Tally:
    tally = Tally()
    for event in events:
        tally(event)
    return tally


def test_every_unit_is_counted_once(events: list[Event]) -> None:
    tally = Tally()
    for number, event in enumerate(events):
        tally(event)
        assert tally.done == sum(isinstance(e, UnitDone) for e in events[: number + 1])
    assert tally.done == tally.total > 30
    assert all(stage.done == stage.total for stage in tally.stages.values())
    assert "2 of 2 series" in tally.summary()


def test_what_was_done_before_counts_but_was_not_timed(events: list[Event]) -> None:
    [started, *_] = events
    assert isinstance(started, RunStarted)
    before = {batch.key: range(batch.count) for batch in started.plan.batches}
    tally = told([dataclasses.replace(started, before=before), RunEnded(())])
    assert tally.done == tally.total
    assert (tally.grid.states == State.DONE).all()
    assert tally.per_minute() is None


def test_tilts_go_from_waiting_to_done(events: list[Event]) -> None:
    tally = Tally()
    seen = [np.zeros(0)]
    for event in events:
        tally(event)
        states = tally.grid.states.copy()
        if seen[-1].size:
            assert (states >= seen[-1]).all()
        seen.append(states)
    assert {State(value) for states in seen[1:] for value in np.unique(states)} >= {
        State.WAITING,
        State.BUILT,
        State.PROJECTED,
        State.READY,
        State.DONE,
    }
    assert (seen[-1] == State.DONE).all()


@pytest.mark.parametrize(
    ("unit", "lost"),
    [
        (Unit("style", "specimen-000__b", 1), [[0, 1, 0], [0, 0, 0]]),
        (Unit("build", "specimen-001", 0), [[0, 0, 0], [1, 1, 1]]),
        (Unit("levels", "specimen-000__b", 0), [[1, 1, 1], [0, 0, 0]]),
        (Unit("targets", "a", 0), [[0, 0, 0], [1, 1, 1]]),
        (
            Unit("measure", "b", 0),
            [[1, 1, 1], [1, 1, 1]],
        ),  # all noise levels are averaged over all references
    ],
    ids=str,
)
def test_what_needs_a_failed_unit_has_failed(events: list[Event], unit: Unit, lost: list[list[int]]) -> None:
    tally = told([events[0], UnitFailed(unit, "ValueError: a cosmic ray", final=True)])
    np.testing.assert_array_equal(tally.grid.states == State.FAILED, np.array(lost, dtype=bool))
    assert "1 failed" in tally.summary()


def test_what_is_tried_again_has_not_failed(events: list[Event]) -> None:
    unit = Unit("style", "specimen-000__b", 1)
    tally = told([events[0], UnitFailed(unit, "ConnectionError", final=False)])
    assert not (tally.grid.states == State.FAILED).any()
    assert not tally.failures
    assert "1 tried again" in tally.summary()


def test_what_a_failure_left_alone_stays_done(events: list[Event]) -> None:
    unit = Unit("style", "specimen-000__b", 1)
    tally = told([event for event in events[:-1] if not (isinstance(event, UnitDone) and event.unit == unit)])
    tally(UnitFailed(unit, "ValueError", final=True))
    assert tally.grid.states.tolist() == [[State.DONE, State.FAILED, State.DONE], [State.DONE] * 3]
    assert tally.grid.series_done == 1


def test_series_without_style_are_done_with_their_projections(quick_dataset: faket_dask.Dataset) -> None:
    config = quick_dataset.spec.config
    outputs = config.outputs.model_copy(update={"modalities": ("benchmark",)})
    spec = dataclasses.replace(quick_dataset.spec, config=config.model_copy(update={"outputs": outputs}))
    grid = Grid(faket_dask.Plan(spec))
    for batch in faket_dask.Plan(spec).batches:
        for index in range(batch.count):
            grid.done(Unit(batch.stage, batch.item, index))
    assert grid.series_done == 2


def test_time_left_follows_the_pace_of_the_workers(events: list[Event]) -> None:
    """Ten workers that were promised and never came do not make a run ten times as fast."""
    [started, *rest] = [event for event in events if not isinstance(event, UnitFailed)]
    assert isinstance(started, RunStarted)
    units = [event for event in rest if isinstance(event, UnitDone)]
    slow = [
        UnitDone(event.unit, {"seconds": 60.0, "ended": f"2026-01-01T{minute // 60:02}:{minute % 60:02}:00Z"})
        for minute, event in enumerate(units, start=1)
    ]
    began = calendar.timegm((2026, 1, 1, 0, 0, 0))
    promised = [dataclasses.replace(started, workers=count, began=began) for count in (10, 1)]
    many, one = (told([start]).left() for start in promised)
    assert many < 0.5 * one
    many, one = (told([start, *slow[:20]]).left() for start in promised)
    assert many == pytest.approx(one, rel=0.2)


def test_a_stopped_run_says_why(events: list[Event]) -> None:
    assert told([events[0], RunStopped("interrupted")]).summary().endswith("stopped: interrupted")
