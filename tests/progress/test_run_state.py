"""State of a run by its events."""

import calendar
import dataclasses

import numpy as np
import pytest

import faket_dask
from faket_dask.cluster.requirements import Requirements, StageRequirement
from faket_dask.engine.events import Event, RunEnded, RunStarted, RunStopped, UnitDone, UnitFailed
from faket_dask.engine.unit import Item, Unit
from faket_dask.pipeline.plan import plan_spec
from faket_dask.progress import RunState
from faket_dask.progress.grid import ProgressGrid


def replay(events: list[Event]) -> RunState:
    state = RunState()
    for event in events:
        state(event)
    return state


def test_every_unit_is_counted_once(events: list[Event]) -> None:
    state = RunState()
    for number, event in enumerate(events):
        state(event)
        assert state.done == sum(isinstance(e, UnitDone) for e in events[: number + 1])
    assert state.done == state.total > 30
    assert all(stage.done == stage.total for stage in state.stages.values())
    assert "2 of 2 series" in state.summary()


def test_units_of_earlier_runs_count_as_done_and_are_not_timed(events: list[Event]) -> None:
    [started, *_] = events
    assert isinstance(started, RunStarted)
    before = {batch.key: range(batch.count) for batch in started.plan.batches}
    state = replay([dataclasses.replace(started, before=before), RunEnded(())])
    assert state.done == state.total
    assert (state.grid.states == state.grid.done_state).all()
    assert state.units_per_minute() is None


def test_tilts_go_from_waiting_to_done(events: list[Event]) -> None:
    state = RunState()
    history = [np.zeros(0)]
    for event in events:
        state(event)
        states = state.grid.states.copy()
        if history[-1].size:
            assert (states >= history[-1]).all()
        history.append(states)
    labels = {state.grid.labels[value] for states in history[1:] for value in np.unique(states)}
    assert labels == {"waiting", "specimen built", "projected", "noise fitted", "done"}
    assert (history[-1] == state.grid.done_state).all()


@pytest.mark.parametrize(
    ("unit", "lost"),
    [
        (Unit("synthesise", Item("specimen-000__b"), 1), [[0, 1, 0], [0, 0, 0]]),
        (Unit("build", Item("specimen-001"), 0), [[0, 0, 0], [1, 1, 1]]),
        (Unit("fit_noise", Item("specimen-000__b"), 0), [[1, 1, 1], [0, 0, 0]]),
        (Unit("reference_gram", Item("a"), 0), [[0, 0, 0], [1, 1, 1]]),
        (
            Unit("reference_statistics", Item("b"), 0),
            [[1, 1, 1], [1, 1, 1]],
        ),  # all noise levels are averaged over all references
    ],
    ids=str,
)
def test_successors_of_failed_unit_have_failed(
    events: list[Event], unit: Unit, lost: list[list[int]]
) -> None:
    state = replay([events[0], UnitFailed(unit, "ValueError: a cosmic ray", final=True)])
    np.testing.assert_array_equal(state.grid.states == state.grid.failed_state, np.array(lost, dtype=bool))
    assert "1 failed" in state.summary()


def test_retried_unit_has_not_failed(events: list[Event]) -> None:
    unit = Unit("synthesise", Item("specimen-000__b"), 1)
    state = replay([events[0], UnitFailed(unit, "ConnectionError", final=False)])
    assert not (state.grid.states == state.grid.failed_state).any()
    assert not state.failures
    assert "1 retried" in state.summary()


def test_finished_tilts_stay_done_after_a_failure(events: list[Event]) -> None:
    unit = Unit("synthesise", Item("specimen-000__b"), 1)
    state = replay(
        [event for event in events[:-1] if not (isinstance(event, UnitDone) and event.unit == unit)]
    )
    state(UnitFailed(unit, "ValueError", final=True))
    done, failed = state.grid.done_state, state.grid.failed_state
    assert state.grid.states.tolist() == [[done, failed, done], [done] * 3]
    assert state.grid.products_done == 1


def test_series_without_style_are_done_with_their_images(quick_dataset: faket_dask.Dataset) -> None:
    config = quick_dataset.spec.config
    outputs = config.outputs.model_copy(update={"modalities": ("benchmark",)})
    spec = dataclasses.replace(quick_dataset.spec, config=config.model_copy(update={"outputs": outputs}))
    plan = plan_spec(spec)
    grid = ProgressGrid(plan)
    for unit in plan.units():
        grid.mark_done(unit)
    assert grid.products == [Item("specimen-000"), Item("specimen-001")]
    assert grid.products_done == len(grid.products)


def test_run_of_stages_that_the_data_set_does_not_list_is_shown(events: list[Event]) -> None:
    """Tomograms made by a command of their own are no part of the plan in the folder."""
    [started, *_] = events
    assert isinstance(started, RunStarted)
    foreign = Requirements((StageRequirement("filter", 3, 2**30, 1.0, 0),), widest=3)
    state = replay([dataclasses.replace(started, requirements=foreign), RunEnded(())])
    assert set(state.stages) == {stage.name for stage in started.plan.stages}


def test_remaining_time_follows_the_pace_of_the_workers(events: list[Event]) -> None:
    """Ten workers that were promised and never came do not make a run ten times as fast."""
    [started, *rest] = [event for event in events if not isinstance(event, UnitFailed)]
    assert isinstance(started, RunStarted)
    stages = tuple(dataclasses.replace(stage, start_s=0.0) for stage in started.requirements.stages)
    started = dataclasses.replace(
        started, requirements=dataclasses.replace(started.requirements, stages=stages)
    )
    units = [event for event in rest if isinstance(event, UnitDone)]
    slow = [
        UnitDone(
            event.unit,
            dataclasses.replace(
                event.marker, seconds=60.0, ended=f"2026-01-01T{minute // 60:02}:{minute % 60:02}:00Z"
            ),
        )
        for minute, event in enumerate(units, start=1)
    ]
    began = calendar.timegm((2026, 1, 1, 0, 0, 0))
    promised = [dataclasses.replace(started, workers=count, began=began) for count in (10, 1)]
    many, one = (replay([start]).remaining_seconds() for start in promised)
    assert many < 0.5 * one
    many, one = (replay([start, *slow[:20]]).remaining_seconds() for start in promised)
    assert many == pytest.approx(one, rel=0.2)


def test_time_of_later_stages_follows_the_slowness_of_earlier_ones(events: list[Event]) -> None:
    """A machine that is busy with something else takes several times as long as the plan expects, for all stages."""
    [started] = [event for event in events if isinstance(event, RunStarted)]
    requirement = StageRequirement("project", 8, 2**30, 10.0, 0)
    later = dataclasses.replace(requirement, stage="simulate")
    started = dataclasses.replace(
        started, workers=1, requirements=Requirements((requirement, later), widest=1), before={}
    )
    markers = [event.marker for event in events if isinstance(event, UnitDone)]
    ended = "2026-01-01T00:00:00Z"
    done = [
        UnitDone(
            Unit("project", Item("specimen-000"), index),
            dataclasses.replace(marker, seconds=30.0, ended=ended),
        )
        for index, marker in enumerate(markers[:2])
    ]
    expected, slower = (replay([started, *units]).stages for units in ([], done))
    assert expected["simulate"].mean_seconds() == 10.0
    state = replay([started, *done])
    left = sum(stage.left for stage in slower.values())
    assert left > 0
    later_s = state.remaining_seconds() - replay([started]).remaining_seconds()
    assert later_s > 0, "two units that took three times as long leave more to do than was promised for all"


def test_unknown_time_is_told_as_a_lower_bound(events: list[Event]) -> None:
    [started] = [event for event in events if isinstance(event, RunStarted)]
    unknown = Requirements((StageRequirement("place", 2, 2**30, None, 0),), widest=1)
    state = replay([dataclasses.replace(started, requirements=unknown, before={})])
    assert state.is_lower_bound
    assert "more than" in state.summary()


def test_summary_of_stopped_run_names_the_cause(events: list[Event]) -> None:
    assert replay([events[0], RunStopped("interrupted")]).summary().endswith("stopped: interrupted")
