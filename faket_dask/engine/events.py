"""What happens during a run, as values that displays, logs and tests can watch.

The driver tells them as they happen. Another process gets the same events from what is on disk (`following`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from faket_dask.cluster.requirements import Requirements
from faket_dask.engine.unit import Record, Unit
from faket_dask.pipeline.plan import BatchKey, Plan


@dataclass(frozen=True)
class RunStarted:
    """A run begins.

    Parameters
    ----------
    plan
        Of the data set.
    requirements
        Cost of what is left to do.
    before
        Indices of the units of each batch that were found done already.
    workers
        That are there at the start.
    dashboard
        Address of the Dask dashboard, if there is one.
    began
        Seconds since the epoch.
    """

    plan: Plan
    requirements: Requirements
    before: Mapping[BatchKey, Collection[int]]
    workers: int
    dashboard: str | None
    began: float

    @property
    def done(self) -> int:
        """Number of units that were found done already."""
        return sum(len(indices) for indices in self.before.values())


@dataclass(frozen=True)
class UnitDone:
    unit: Unit
    record: Record


@dataclass(frozen=True)
class UnitFailed:
    """A unit failed; it is tried again unless `final`."""

    unit: Unit
    cause: str
    final: bool


@dataclass(frozen=True)
class RunEnded:
    """A run did all that it could."""

    failures: tuple[UnitFailed, ...]


@dataclass(frozen=True)
class RunStopped:
    """A run broke off before its end; the same call goes on where it was."""

    cause: str


Event = RunStarted | UnitDone | UnitFailed | RunEnded | RunStopped
Watcher = Callable[[Event], None]
