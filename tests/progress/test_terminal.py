"""What the terminal and log files show of a run."""

import io

from rich.console import Console

from faket_dask.engine.events import Event, UnitDone, UnitFailed
from faket_dask.engine.unit import Unit
from faket_dask.progress import ProgressDisplay


def shown(events: list[Event], terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    with ProgressDisplay(console) as display:
        for event in events:
            display(event)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_log_files_get_plain_lines(events: list[Event]) -> None:
    text = shown(events, terminal=False)
    assert "\x1b" not in text
    first, *_, last = text.splitlines()
    assert first.startswith("2 series of 3 x 96 x 80: ")
    units = sum(isinstance(event, UnitDone) for event in events)
    assert last.startswith(f"{units} of {units} units, 2 of 2 series")


def test_terminals_get_a_bar_per_stage(events: list[Event]) -> None:
    text = shown(events, terminal=True)
    for stage, units in {"project": "8/8", "targets": "6/6", "style": "6/6"}.items():
        assert any(stage in line and units in line for line in text.splitlines())


def test_failures_are_told_at_once_but_do_not_fill_the_screen(events: list[Event]) -> None:
    failures = [
        UnitFailed(Unit("style", "specimen-000__b", 0), f"ValueError: number {i}", False) for i in range(50)
    ]
    text = shown([events[0], *failures, events[-1]], terminal=False)
    assert "will try again style specimen-000__b 0: ValueError: number 0" in text
    assert "number 49" not in text
    assert "50 tried again" in text


def test_before_a_run_begins_nothing_is_shown() -> None:
    assert shown([], terminal=False) == ""
