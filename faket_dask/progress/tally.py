"""How far a run is, as its events have told so far; all that displays show comes from here."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from faket_dask.engine.clock import seconds_of
from faket_dask.engine.events import Event, RunEnded, RunStarted, RunStopped, UnitDone, UnitFailed
from faket_dask.engine.unit import Unit
from faket_dask.pipeline import STAGES
from faket_dask.progress.grid import Grid

PRIOR_UNITS = 1.0
"""Measured units that a plan's estimate counts as much as."""

PRIOR_S = 10.0
"""Seconds of work after which the workers are judged by what they do, not by how many there were."""


@dataclass
class StageTally:
    """Units of one stage; `timed` of them, done in this run, took `seconds` together."""

    total: int
    expected_s: float = 0.0
    done: int = 0
    timed: int = 0
    seconds: float = 0.0

    @property
    def mean_seconds(self) -> float:
        """Of one unit: the plan's estimate at first, then more and more what was measured."""
        return (PRIOR_UNITS * self.expected_s + self.seconds) / (PRIOR_UNITS + self.timed)


class Tally:
    """Counts, times, failures and the state of every tilt of a run; call it with the run's events."""

    def __init__(self) -> None:
        self.started: RunStarted | None = None
        self.stages: dict[str, StageTally] = {}
        self.failures: list[UnitFailed] = []
        self.retries = 0
        self.latest: Unit | None = None
        """The unit of style transfer that was done last."""
        self.ended: RunEnded | RunStopped | None = None
        self._grid: Grid | None = None
        self._busy_since: float | None = None
        self._heard: float = 0.0

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._start(event)
            case UnitDone(unit, record):
                self._done(unit, record["seconds"], seconds_of(record["ended"]))
            case UnitFailed(unit, _, final):
                if final:
                    self.failures.append(event)
                    self.grid.failed(unit)
                else:
                    self.retries += 1
            case RunEnded() | RunStopped():
                self.ended = event

    def _start(self, event: RunStarted) -> None:
        self.__init__()  # type: ignore[misc]  # a run may follow another
        self.started = event
        totals: Counter[str] = Counter()
        for batch in event.plan.batches:
            totals[batch.stage] += batch.count
        self.stages = {stage: StageTally(totals[stage]) for stage in STAGES if stage in totals}
        for requirement in event.requirements.stages:
            self.stages[requirement.stage].expected_s = requirement.seconds_per_task
        self._grid = Grid(event.plan)
        for (stage, item), indices in event.before.items():
            self.stages[stage].done += len(indices)
            for index in indices:
                self.grid.done(Unit(stage, item, index))
        self._heard = event.began

    def _done(self, unit: Unit, seconds: float, ended: float) -> None:
        stage = self.stages[unit.stage]
        stage.done += 1
        stage.timed += 1
        stage.seconds += seconds
        begun = ended - seconds
        self._busy_since = begun if self._busy_since is None else min(begun, self._busy_since)
        self._heard = max(self._heard, ended)
        self.grid.done(unit)
        if unit.stage == "style":
            self.latest = unit

    @property
    def grid(self) -> Grid:
        """The state of every tilt."""
        assert self._grid is not None, "the run has not begun"
        return self._grid

    @property
    def done(self) -> int:
        return sum(stage.done for stage in self.stages.values())

    @property
    def total(self) -> int:
        return sum(stage.total for stage in self.stages.values())

    def elapsed(self) -> float:
        """Seconds since the run began, or that it took."""
        if self.started is None:
            return 0.0
        return max(0.0, (self._heard if self.ended else time.time()) - self.started.began)

    def left(self) -> float:
        """Estimated seconds until the end, at the pace of the workers so far."""
        assert self.started is not None
        work = sum((stage.total - stage.done) * stage.mean_seconds for stage in self.stages.values())
        return work / self._pace()

    def _pace(self) -> float:
        """Seconds of work per second: how many workers there are, whoever comes and goes."""
        assert self.started is not None
        workers = max(1, min(self.started.workers, self.started.requirements.widest))
        if self._busy_since is None:
            return workers
        worked = sum(stage.seconds for stage in self.stages.values())
        return max(0.1, (PRIOR_S * workers + worked) / (PRIOR_S + self._heard - self._busy_since))

    def per_minute(self) -> float | None:
        """Units done in a minute of this run, or nothing before the first."""
        if self._busy_since is None:
            return None
        timed = sum(stage.timed for stage in self.stages.values())
        return 60.0 * timed / max(1.0, self._heard - self._busy_since)

    def summary(self) -> str:
        """Units, series, times and failures in one line."""
        if self.started is None:
            return "waiting for the run to begin"
        parts = [
            f"{self.done} of {self.total} units",
            f"{self.grid.series_done} of {len(self.grid.series)} series",
        ]
        rate = self.per_minute()
        if rate is not None:
            parts.append(f"{rate:.0f} units/min")
        if self.ended is None:
            parts += [f"{duration(self.elapsed())} gone", f"about {duration(self.left())} left"]
        elif isinstance(self.ended, RunStopped):
            parts.append(f"stopped: {self.ended.cause}")
        elif rate is not None:
            parts.append(f"done in {duration(self.elapsed())}")
        if self.failures:
            parts.append(f"{len(self.failures)} failed")
        if self.retries:
            parts.append(f"{self.retries} tried again")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """A length of time for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
