"""State of a run by its events, which displays show."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from faket_dask.durations import format_duration
from faket_dask.engine.events import Event, RunEnded, RunStarted, RunStopped, UnitDone, UnitFailed
from faket_dask.engine.marker import Marker
from faket_dask.engine.timestamps import parse_utc
from faket_dask.engine.unit import Unit
from faket_dask.progress.grid import ProgressGrid

PRIOR_UNITS = 1.0
"""Weight of a plan's estimate, in measured units, in the mean time of a stage."""

PRIOR_S = 10.0
"""Seconds of work after which pace and slowness depend more on finished units than on the plan."""

LEAST_OWN_SHARE = 0.2
"""Smallest share of a stage's measured time that is its units' own, however long the plan expected the start to be."""


@dataclass
class StageState:
    """Units of one stage.

    Parameters
    ----------
    total
        Number of units.
    expected_s
        Seconds per unit by the plan; ``None`` where it is not known.
    start_s
        Seconds by the plan that each worker takes once before its first unit.
    done
        Number of finished units, those of earlier runs included.
    timed
        Number of units that were finished in this run.
    seconds
        Computing time of the timed units together.
    """

    total: int
    expected_s: float | None = 0.0
    start_s: float = 0.0
    done: int = 0
    timed: int = 0
    seconds: float = 0.0

    def mean_seconds(self, slowness: float = 1.0) -> float | None:
        """Return the seconds per unit: at first the plan's estimate, later the measured mean; ``None`` if unknown.

        Parameters
        ----------
        slowness
            Ratio of measured to estimated times in this run so far.
        """
        own = max(self.seconds - self.start_s * slowness, LEAST_OWN_SHARE * self.seconds)
        if self.expected_s is None:
            return own / self.timed if self.timed else None
        return (PRIOR_UNITS * self.expected_s * slowness + own) / (PRIOR_UNITS + self.timed)

    @property
    def left(self) -> int:
        """Number of units that are not finished."""
        return self.total - self.done


@dataclass
class _Progress:
    """Counts, times and failures since the start of a run.

    Parameters
    ----------
    started
        First event of the run.
    stages
        State of each stage, in the order of the pipeline.
    grid
        State of every unit of the products.
    last_heard
        Time of the latest event, in seconds since the epoch.
    failures
        Units that failed for good.
    retries
        Number of failures that were followed by another attempt.
    latest
        Latest unit of a product.
    busy_since
        Time when the first unit of this run began.
    """

    started: RunStarted
    stages: dict[str, StageState]
    grid: ProgressGrid
    last_heard: float
    failures: list[UnitFailed] = field(default_factory=list)
    retries: int = 0
    latest: Unit | None = None
    busy_since: float | None = None

    @classmethod
    def begin(cls, event: RunStarted) -> _Progress:
        totals: Counter[str] = Counter()
        for batch in event.plan.batches:
            totals[batch.stage] += batch.count
        stages = {stage.name: StageState(totals[stage.name]) for stage in event.plan.stages}
        for requirement in event.requirements.stages:
            if requirement.stage in stages:  # the latest run may have been that of tomograms made later
                stages[requirement.stage].expected_s = requirement.seconds_per_task
                stages[requirement.stage].start_s = requirement.start_s
        grid = ProgressGrid(event.plan)
        for (stage, item), indices in event.before.items():
            stages[stage].done += len(indices)
            for index in indices:
                grid.mark_done(Unit(stage, item, index))
        return cls(event, stages, grid, event.began)

    def finish(self, unit: Unit, marker: Marker) -> None:
        stage = self.stages[unit.stage]
        stage.done += 1
        stage.timed += 1
        stage.seconds += marker.seconds
        ended = parse_utc(marker.ended)
        begun = ended - marker.seconds
        self.busy_since = begun if self.busy_since is None else min(begun, self.busy_since)
        self.last_heard = max(self.last_heard, ended)
        self.grid.mark_done(unit)
        if self.grid.has_product(unit):
            self.latest = unit

    def fail(self, event: UnitFailed) -> None:
        if event.final:
            self.failures.append(event)
            self.grid.mark_failed(event.unit)
        else:
            self.retries += 1


class RunState:
    """State of a run; call it with the run's events.

    A second `RunStarted` begins anew: one display may show several runs.
    """

    def __init__(self) -> None:
        self._progress: _Progress | None = None
        self.ended: RunEnded | RunStopped | None = None

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        match event:
            case RunStarted():
                self._progress = _Progress.begin(event)
                self.ended = None
            case UnitDone(unit, marker):
                self._running.finish(unit, marker)
            case UnitFailed():
                self._running.fail(event)
            case RunEnded() | RunStopped():
                self.ended = event

    @property
    def _running(self) -> _Progress:
        assert self._progress is not None, "the run has not begun"
        return self._progress

    @property
    def started(self) -> RunStarted | None:
        """First event of the run; ``None`` before it."""
        return None if self._progress is None else self._progress.started

    @property
    def stages(self) -> dict[str, StageState]:
        """State of each stage, in the order of the pipeline."""
        return {} if self._progress is None else self._progress.stages

    @property
    def failures(self) -> list[UnitFailed]:
        """Units that failed for good."""
        return [] if self._progress is None else self._progress.failures

    @property
    def retries(self) -> int:
        """Number of failures that were followed by another attempt."""
        return 0 if self._progress is None else self._progress.retries

    @property
    def latest(self) -> Unit | None:
        """Latest finished unit of a product."""
        return None if self._progress is None else self._progress.latest

    @property
    def grid(self) -> ProgressGrid:
        """State of every unit of the products."""
        return self._running.grid

    @property
    def done(self) -> int:
        """Number of finished units."""
        return sum(stage.done for stage in self.stages.values())

    @property
    def total(self) -> int:
        """Number of units."""
        return sum(stage.total for stage in self.stages.values())

    def elapsed_seconds(self) -> float:
        """Return the duration of the run so far, or of the whole run once it has ended."""
        if self._progress is None:
            return 0.0
        now = self._progress.last_heard if self.ended else time.time()
        return max(0.0, now - self._progress.started.began)

    def remaining_seconds(self) -> float:
        """Estimate the time until the end, at the present pace of the workers; stages of unknown time are left out."""
        slowness = self._slowness()
        work = sum(stage.left * (stage.mean_seconds(slowness) or 0.0) for stage in self.stages.values())
        starts = sum(stage.start_s for stage in self.stages.values() if stage.left and not stage.timed)
        return work / self._pace() + slowness * starts

    @property
    def is_lower_bound(self) -> bool:
        """True while units are left of a stage whose time is not known."""
        return any(stage.left and stage.mean_seconds() is None for stage in self.stages.values())

    def describe_remaining(self) -> str:
        """Return the time until the end for people."""
        bound = "more than" if self.is_lower_bound else "about"
        return f"{bound} {format_duration(self.remaining_seconds())}"

    def _slowness(self) -> float:
        """Estimate how much longer units take than the plan expects, as on a busy machine."""
        timed = [stage for stage in self.stages.values() if stage.timed and stage.expected_s is not None]
        expected = sum(stage.timed * (stage.expected_s or 0.0) + stage.start_s for stage in timed)
        return (PRIOR_S + sum(stage.seconds for stage in timed)) / (PRIOR_S + expected)

    def _pace(self) -> float:
        """Estimate the seconds of work done per second, which is the number of workers in effect."""
        progress = self._running
        workers = max(1, min(progress.started.workers, progress.started.requirements.widest))
        if progress.busy_since is None:
            return workers
        worked = sum(stage.seconds for stage in self.stages.values())
        return max(0.1, (PRIOR_S * workers + worked) / (PRIOR_S + progress.last_heard - progress.busy_since))

    def units_per_minute(self) -> float | None:
        """Return the rate of finished units in this run; ``None`` before the first."""
        if self._progress is None or self._progress.busy_since is None:
            return None
        timed = sum(stage.timed for stage in self.stages.values())
        return 60.0 * timed / max(1.0, self._progress.last_heard - self._progress.busy_since)

    def summary(self) -> str:
        """Return units, series, times and failures in one line."""
        if self._progress is None:
            return "waiting for the run to begin"
        parts = [f"{self.done} of {self.total} units"]
        if self.grid.products:
            name = self._progress.started.plan.pipeline.product_name
            parts.append(f"{self.grid.products_done} of {len(self.grid.products)} {name}")
        rate = self.units_per_minute()
        if rate is not None:
            parts.append(f"{rate:.0f} units/min")
        if self.ended is None:
            parts.append(f"{format_duration(self.elapsed_seconds())} elapsed")
            parts.append(f"{self.describe_remaining()} remaining")
        elif isinstance(self.ended, RunStopped):
            parts.append(f"stopped: {self.ended.cause}")
        elif rate is not None:
            parts.append(f"done in {format_duration(self.elapsed_seconds())}")
        if self.failures:
            parts.append(f"{len(self.failures)} failed")
        if self.retries:
            parts.append(f"{self.retries} retried")
        return ", ".join(parts)
