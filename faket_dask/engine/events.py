"""Events of a run, as values that displays, logs and tests can watch.

The driver reports them as they happen. Another process gets the same events from the run's folder
(`faket_dask.engine.follow`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from faket_dask.cluster.requirements import Requirements
from faket_dask.engine.marker import Marker
from faket_dask.engine.plan import Plan
from faket_dask.engine.stage import BatchKey
from faket_dask.engine.unit import Unit


@dataclass(frozen=True)
class RunStarted:
    """Start of a run.

    Parameters
    ----------
    plan
        Plan of the run.
    requirements
        Estimated cost of what is left to do.
    before
        Indices of the units of each batch that were done already.
    workers
        Number of workers at the start.
    dashboard
        Address of the Dask dashboard, if there is one.
    began
        Seconds since the epoch.
    """

    plan: Plan[Any]
    requirements: Requirements
    before: Mapping[BatchKey, Collection[int]]
    workers: int
    dashboard: str | None
    began: float

    @property
    def done(self) -> int:
        """Number of units that were done already."""
        return sum(len(indices) for indices in self.before.values())


@dataclass(frozen=True)
class UnitDone:
    """Completion of a unit."""

    unit: Unit
    marker: Marker


@dataclass(frozen=True)
class UnitFailed:
    """Failure of a unit; it is retried unless `final`."""

    unit: Unit
    cause: str
    final: bool


@dataclass(frozen=True)
class RunEnded:
    """End of a run that did everything it could."""

    failures: tuple[UnitFailed, ...]


@dataclass(frozen=True)
class RunStopped:
    """Interruption of a run; the same call resumes it."""

    cause: str


Event = RunStarted | UnitDone | UnitFailed | RunEnded | RunStopped
Watcher = Callable[[Event], None]
