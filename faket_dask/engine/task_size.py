"""Number of units that go in one Dask task, so that the scheduler is asked for no more than it can give."""

from __future__ import annotations

from typing import Protocol

TASKS_PER_S = 5
"""Target task rate of the whole cluster. A task costs the scheduler some milliseconds whatever its length: this rate
costs it little, where short units, one by one on hundreds of workers, would all wait for it."""

LONGEST_S = 60.0
"""Longest task of several units: their completions and failures are reported when it ends."""

AVERAGED_UNITS = 100
"""Number of units that a stage's mean duration covers: a worker's first units also compile and open files."""

SHORTEST_S = 1e-3
"""Lower bound on the assumed unit duration: a unit costs its worker at least this much."""


class TaskSize(Protocol):
    """Rule for the number of units in one task."""

    def add_duration(self, stage: str, seconds: float) -> None:
        """Take note of the duration of a completed unit."""
        ...

    def choose(self, stage: str, threads: int) -> int:
        """Return the number of units of a stage for one task, when this many threads take tasks."""
        ...


class AdaptiveTaskSize:
    """Task size from measured durations: tasks last long enough for the target rate.

    Examples
    --------
    >>> size = AdaptiveTaskSize()
    >>> size.choose("project", threads=100)
    1
    >>> size.add_duration("project", 0.5)
    >>> size.choose("project", threads=100)
    40
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add_duration(self, stage: str, seconds: float) -> None:
        """Take note of the duration of a completed unit."""
        count = self._counts[stage] = min(self._counts.get(stage, 0) + 1, AVERAGED_UNITS)
        before = self._seconds.get(stage, 0.0)
        self._seconds[stage] = before + (seconds - before) / count

    def choose(self, stage: str, threads: int) -> int:
        """Return the number of units for one task; 1 as long as none has ended, since it may be long."""
        if stage not in self._seconds:
            return 1
        task_s = min(threads / TASKS_PER_S, LONGEST_S)
        return max(1, int(task_s / max(self._seconds[stage], SHORTEST_S)))


class FixedTaskSize:
    """Task size that never changes."""

    def __init__(self, units: int) -> None:
        self._units = units

    def add_duration(self, stage: str, seconds: float) -> None:
        """Ignore the duration of a completed unit."""

    def choose(self, stage: str, threads: int) -> int:
        """Return the fixed number."""
        return self._units
