"""Serial reference executor: the plain loop over units that the Dask driver is tested against."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.events import UnitDone, Watcher
from faket_dask.engine.plan import Plan
from faket_dask.engine.run_unit import run_unit


def execute_serially(
    plan: Plan[Any],
    completed: CompletedUnits,
    watch: Watcher = lambda event: None,
    *,
    threads: int = 1,
) -> None:
    """Compute all missing units of a plan in this process, batch by batch; an error ends the loop.

    Parameters
    ----------
    plan
        Plan of the run.
    completed
        Units that are done; new ones are added.
    watch
        Called with the completion of every unit.
    threads
        Number of units of a batch that are computed at the same time.
    """
    for batch in plan.batches:
        stage, missing = plan.stage(batch.stage), completed.missing(batch)
        if missing:
            stage.set_up(plan.spec, batch.item)
        units = [batch.unit(index) for index in missing]
        with ThreadPoolExecutor(threads) as pool:
            markers = pool.map(partial(run_unit, stage, plan.spec), units)
            for unit, marker in zip(units, markers, strict=True):
                completed.add(unit, marker)
                watch(UnitDone(unit, marker))
