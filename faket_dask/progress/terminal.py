"""Live progress of a run in a terminal, one bar per stage, or as plain lines of text elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from faket_dask.durations import format_duration
from faket_dask.engine.events import Event, RunEnded, RunStarted, RunStopped, UnitFailed
from faket_dask.progress.run_state import RunState

PLAIN_INTERVAL_S = 15.0
"""Time between two lines of progress in a log file."""

FAILURES_SHOWN = 12
"""Number of failures that are printed; a stage that always fails must not fill the screen."""


class ProgressDisplay:
    """Display of a run, to be used as a context manager and passed as the run's `watch`."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._state = RunState()
        self._live = Live(
            console=self._console, get_renderable=self._render, refresh_per_second=4, transient=False
        )
        self._last_line = 0.0
        self._failures = 0

    def __enter__(self) -> ProgressDisplay:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        self._state(event)
        match event:
            case RunStarted():
                self._start(event)
            case UnitFailed():
                self._fail(event)
        if not self._console.is_terminal:
            self._line(force=isinstance(event, RunEnded | RunStopped))

    def _start(self, event: RunStarted) -> None:
        workers = f", on {event.workers} worker{'s' * (event.workers != 1)}" if event.workers else ""
        before = f", {event.done} of them done already" if event.done else ""
        self._console.print(
            f"{event.plan.spec.title}: {self._state.total} units{before}{workers}"
            f"; {self._state.describe_remaining()}",
            highlight=False,
            soft_wrap=True,
        )
        if event.dashboard:
            self._console.print(f"dashboard: {event.dashboard}", highlight=False)
        self._last_line = time.monotonic()

    def _fail(self, event: UnitFailed) -> None:
        self._failures += 1
        if self._failures <= FAILURES_SHOWN:
            outcome = "gave up on" if event.final else "will retry"
            self._console.print(
                f"[red]{outcome}[/] {event.unit}: {event.cause}", highlight=False, soft_wrap=True
            )
        elif self._failures == FAILURES_SHOWN + 1:
            self._console.print("[red]further failures[/] are counted below", highlight=False)

    def _line(self, force: bool) -> None:
        if self._state.started and (force or time.monotonic() - self._last_line > PLAIN_INTERVAL_S):
            self._console.print(self._state.summary(), highlight=False, soft_wrap=True)
            self._last_line = time.monotonic()

    def _render(self) -> RenderableType:
        if self._state.started is None:
            return Text()
        table = Table.grid(padding=(0, 1), expand=True)
        for justify, ratio in (("right", None), ("left", 1), ("right", None), ("right", None)):
            table.add_column(justify=justify, ratio=ratio, no_wrap=True)  # type: ignore[arg-type]
        for name, stage in self._state.stages.items():
            table.add_row(
                name,
                ProgressBar(total=stage.total, completed=stage.done),
                f"{stage.done}/{stage.total}",
                f"{format_duration(stage.mean_seconds())} each" if stage.timed else "",
            )
        layout = Table.grid(expand=True)
        layout.add_row(Text(self._state.summary()))
        layout.add_row(table)
        return layout
