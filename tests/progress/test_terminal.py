"""Display of a run in a terminal and in log files."""

import io

from rich.console import Console

from faket_dask.engine.events import Event, UnitDone, UnitFailed
from faket_dask.engine.unit import Item, Unit
from faket_dask.progress import ProgressDisplay


def display_text(events: list[Event], terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    with ProgressDisplay(console) as display:
        for event in events:
            display(event)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_log_files_get_plain_lines(events: list[Event]) -> None:
    text = display_text(events, terminal=False)
    assert "\x1b" not in text
    first, *_, last = text.splitlines()
    assert first.startswith("2 series of 3 x 96 x 80 (tilts, y, x): ")
    units = sum(isinstance(event, UnitDone) for event in events)
    assert last.startswith(f"{units} of {units} units, 2 of 2 series")


def test_terminals_get_a_bar_per_stage(events: list[Event]) -> None:
    text = display_text(events, terminal=True)
    for stage, units in {"project": "8/8", "reference_gram": "6/6", "synthesise": "6/6"}.items():
        assert any(stage in line and units in line for line in text.splitlines())


def test_first_failures_are_printed_and_further_ones_counted(events: list[Event]) -> None:
    failures = [
        UnitFailed(Unit("synthesise", Item("specimen-000__b"), 0), f"ValueError: number {i}", False)
        for i in range(50)
    ]
    text = display_text([events[0], *failures, events[-1]], terminal=False)
    assert "will retry synthesise specimen-000__b 0: ValueError: number 0" in text
    assert "number 49" not in text
    assert "50 retried" in text


def test_display_is_empty_before_the_run_begins() -> None:
    assert display_text([], terminal=False) == ""
