"""Live progress of a run in the terminal, one bar per stage; plain lines where there is no terminal."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from faket_dask.dataset.events import Event, RunEnded, RunStarted, UnitDone, UnitFailed

PLAIN_INTERVAL_S = 15.0
"""Between two lines of progress in a log file."""


class ProgressDisplay:
    """Watches a run and shows it; use as a context manager and as the run's watcher."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description:>8}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            console=self._console,
        )
        self._head = Text()
        self._live = Live(Group(self._head, self._bars), console=self._console, refresh_per_second=4)
        self._estimate: TimeLeft | None = None
        self._last_line = 0.0

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
        match event:
            case RunStarted():
                self._start(event)
            case UnitDone():
                self._advance(event)
            case UnitFailed(final=final):
                again = "gave up on" if final else "will try again"
                self._console.print(f"[red]{again}[/] {event.unit}: {event.cause}", highlight=False)
            case RunEnded():
                self._show(force=True)

    def _start(self, event: RunStarted) -> None:
        self._estimate = TimeLeft(event)
        series = len(event.plan.blueprint.series)
        tilts = event.plan.blueprint.stack_text
        before = f", {event.done} units done before" if event.done else ""
        self._console.print(
            f"{series} series of {tilts}: {event.requirements.units} units on {event.workers} workers"
            f"{before}; about {duration(self._estimate.seconds())}",
            highlight=False,
        )
        if event.dashboard:
            self._console.print(f"dashboard: {event.dashboard}", highlight=False)
        self._tasks = {
            stage.stage: self._bars.add_task(stage.stage, total=stage.units, rate="")
            for stage in event.requirements.stages
            if stage.units
        }

    def _advance(self, event: UnitDone) -> None:
        assert self._estimate is not None
        self._estimate.done(event)
        stage = event.unit.stage
        self._bars.update(
            self._tasks[stage], advance=1, rate=f"{self._estimate.mean_seconds(stage):.1f} s each"
        )
        self._show()

    def _show(self, force: bool = False) -> None:
        if self._estimate is None:
            return
        text = (
            f"{self._estimate.finished} of {self._estimate.total} units, "
            f"{duration(self._estimate.elapsed())} gone, about {duration(self._estimate.seconds())} left"
        )
        if self._console.is_terminal:
            self._head.plain = text
        elif force or time.monotonic() - self._last_line > PLAIN_INTERVAL_S:
            self._console.print(text, highlight=False)
            self._last_line = time.monotonic()


class TimeLeft:
    """Estimate of the time that is left: the plan's at first, then more and more what was measured."""

    PRIOR_UNITS = 1.0

    def __init__(self, started: RunStarted) -> None:
        self._workers = min(started.workers, started.requirements.widest)
        self._begin = time.monotonic()
        self._left = {stage.stage: stage.units for stage in started.requirements.stages}
        self._seconds = {
            stage.stage: self.PRIOR_UNITS * stage.seconds_per_task for stage in started.requirements.stages
        }
        self._counts = dict.fromkeys(self._left, self.PRIOR_UNITS)
        self.total = started.requirements.units
        self.finished = 0

    def done(self, event: UnitDone) -> None:
        stage = event.unit.stage
        self._left[stage] -= 1
        self._seconds[stage] += event.record["seconds"]
        self._counts[stage] += 1
        self.finished += 1

    def mean_seconds(self, stage: str) -> float:
        return self._seconds[stage] / self._counts[stage]

    def elapsed(self) -> float:
        return time.monotonic() - self._begin

    def seconds(self) -> float:
        work = sum(left * self.mean_seconds(stage) for stage, left in self._left.items())
        return work / self._workers


def duration(seconds: float) -> str:
    """A length of time for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
