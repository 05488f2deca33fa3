"""What happens during a run, as values that displays, logs and tests can watch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faket_dask.cluster.requirements import Requirements
from faket_dask.dataset.plan import Plan
from faket_dask.dataset.units.unit import Record, Unit


@dataclass(frozen=True)
class RunStarted:
    """A run begins; `done` units were found done already."""

    plan: Plan
    requirements: Requirements
    done: int
    workers: int
    dashboard: str | None


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
    failures: tuple[UnitFailed, ...]


Event = RunStarted | UnitDone | UnitFailed | RunEnded
Watcher = Callable[[Event], None]
