"""Serial reference executor: the plain loop over units that the Dask driver is tested against."""

from __future__ import annotations

from typing import Any

from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.events import UnitDone, Watcher
from faket_dask.engine.plan import Plan
from faket_dask.engine.run_unit import run_unit


def execute_serially(plan: Plan[Any], completed: CompletedUnits, watch: Watcher = lambda event: None) -> None:
    """Compute all missing units of a plan in this process, one after the other; an error ends the loop.

    Parameters
    ----------
    plan
        Plan of the run.
    completed
        Units that are done; new ones are added.
    watch
        Called with the completion of every unit.
    """
    for batch in plan.batches:
        stage, missing = plan.stage(batch.stage), completed.missing(batch)
        if missing:
            stage.set_up(plan.spec, batch.item)
        for unit in map(batch.unit, missing):
            marker = run_unit(stage, plan.spec, unit)
            completed.add(unit, marker)
            watch(UnitDone(unit, marker))
