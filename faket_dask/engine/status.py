"""Status of a run from its folder; works during a run, after one, and without any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.event_log import parse_failure, read_lines, select_last_run
from faket_dask.engine.events import UnitFailed
from faket_dask.engine.lock import find_living_holder
from faket_dask.engine.plan import Plan
from faket_dask.engine.stage import BatchKey


@dataclass(frozen=True)
class StageStatus:
    """Units of one stage: how many there are, how many are done, and their mean time."""

    stage: str
    done: int
    total: int
    mean_seconds: float | None


@dataclass(frozen=True)
class Status:
    """Progress of a run.

    Parameters
    ----------
    stages
        Progress of each stage, in the order of the pipeline.
    products_done
        Names of complete products, such as series.
    products_total
        Number of all products.
    failures
        Units that failed for good in the last run and are still missing.
    driver
        Description of the process that works on it, if there is one.
    """

    stages: tuple[StageStatus, ...]
    products_done: tuple[str, ...]
    products_total: int
    failures: tuple[UnitFailed, ...]
    driver: str | None

    @property
    def done(self) -> int:
        """Number of units that are done."""
        return sum(stage.done for stage in self.stages)

    @property
    def total(self) -> int:
        """Number of all units."""
        return sum(stage.total for stage in self.stages)


def read_status(plan: Plan[Any]) -> Status:
    """Read the status of a run."""
    completed = CompletedUnits.read(plan)
    stages = []
    for stage in plan.stages:
        keys = [batch.key for batch in plan.batches if batch.stage == stage.name]
        progress = [completed.batches[key] for key in keys]
        done = sum(batch.count for batch in progress)
        seconds = sum(batch.seconds for batch in progress)
        total = sum(len(batch.flags) for batch in progress)
        stages.append(StageStatus(stage.name, done, total, seconds / done if done else None))
    products = plan.products
    lines, _ = read_lines(plan.spec.folder.event_log)
    logged = [parse_failure(line) for line in select_last_run(lines) if line["event"] == "failed"]
    failures = tuple(
        failure
        for failure in logged
        if failure.final
        and BatchKey(failure.unit.stage, failure.unit.item) in completed.batches
        and completed.why_missing(failure.unit.stage, failure.unit.item, failure.unit.index)
    )
    return Status(
        tuple(stages),
        tuple(str(batch.item) for batch in products if not completed.missing(batch)),
        len(products),
        failures,
        find_living_holder(plan.spec.folder.lock),
    )
