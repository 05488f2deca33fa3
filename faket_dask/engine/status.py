"""How far a data set is, from what is on disk; works while a run goes on, after one, and without any."""

from __future__ import annotations

from dataclasses import dataclass

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.event_log import failure_in, last_run, read_lines
from faket_dask.engine.events import UnitFailed
from faket_dask.engine.lock import living_holder
from faket_dask.engine.presence import why_missing
from faket_dask.pipeline import STAGES
from faket_dask.pipeline.plan import Plan


@dataclass(frozen=True)
class StageStatus:
    """Units of one stage: how many there are, how many are done, and their mean time."""

    stage: str
    done: int
    total: int
    mean_seconds: float | None


@dataclass(frozen=True)
class Status:
    """Progress of a whole data set, what failed for good in its last run, and who is working on it now."""

    stages: tuple[StageStatus, ...]
    series_done: tuple[str, ...]
    series_total: int
    failures: tuple[UnitFailed, ...] = ()
    driver: str | None = None

    @property
    def done(self) -> int:
        return sum(stage.done for stage in self.stages)

    @property
    def total(self) -> int:
        return sum(stage.total for stage in self.stages)


def status(spec: DatasetSpec) -> Status:
    """Read how far a data set is."""
    plan = Plan(spec)
    completed = CompletedUnits.read(plan)
    stages = []
    for name in STAGES:
        batches = [batch for batch in plan.batches if batch.stage == name]
        if batches:
            found = [completed.done[batch.key] for batch in batches]
            done = sum(batch.count for batch in found)
            seconds = sum(batch.seconds for batch in found)
            total = sum(batch.count for batch in batches)
            stages.append(StageStatus(name, done, total, seconds / done if done else None))
    finished = tuple(
        batch.item for batch in plan.batches if batch.stage == "style" and not completed.missing(batch)
    )
    lines, _ = read_lines(spec.layout.journal)
    told = [failure_in(line) for line in last_run(lines) if line["event"] == "failed"]
    failures = tuple(
        failed
        for failed in told
        if failed.final and why_missing(completed, failed.unit.stage, failed.unit.item, failed.unit.index)
    )
    driver = living_holder(spec.layout.lock)
    return Status(tuple(stages), finished, len(spec.series), failures, driver)
