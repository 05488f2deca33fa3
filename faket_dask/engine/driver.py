"""Dask driver: computes the missing units of a plan on a cluster, retries, and continues past failures.

Batches become ready when everything they wait for is complete. Units of ready batches are submitted in the plan's
order through a bounded window, a few tasks per worker, so that the scheduler and this process hold little whatever
the size of the data set. Short units go several in one task. Only small markers travel; every array goes through the
stores. `faket_dask.engine.serial` computes the same without Dask.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from dask.utils import format_bytes
from distributed import Client
from distributed.scheduler import KilledWorker

from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.disk_space import is_disk_full
from faket_dask.engine.environment import compare_environments
from faket_dask.engine.events import UnitDone, UnitFailed, Watcher
from faket_dask.engine.in_flight import TasksInFlight
from faket_dask.engine.marker import Marker
from faket_dask.engine.plan import Plan
from faket_dask.engine.queue import ReadyQueue
from faket_dask.engine.task_size import AdaptiveTaskSize, TaskSize
from faket_dask.engine.unit import Unit
from faket_dask.errors import FaketDaskError


def execute(
    plan: Plan[Any],
    completed: CompletedUnits,
    client: Client,
    *,
    retries: int = 2,
    watch: Watcher = lambda event: None,
    check: Callable[[], None] = lambda: None,
    task_size: TaskSize | None = None,
) -> list[UnitFailed]:
    """Compute all missing units of a plan on a cluster.

    Parameters
    ----------
    plan
        Plan of the run.
    completed
        Units that are done; new ones are added.
    client
        Client of the cluster.
    retries
        Number of retries of a failed unit.
    watch
        Called with the completion or failure of every unit.
    check
        Called every few seconds, whether units end or not, and when one fails; an exception ends the run.
    task_size
        Rule for the number of units per task; by default from measured durations.

    Returns
    -------
    failures
        Units that failed more than `retries` times, or under which workers died again and again; everything that
        depends on them was left out, the rest is done.

    Raises
    ------
    OSError
        As soon as a worker finds no space left: then nothing else can succeed.
    """
    queue = ReadyQueue(plan, completed)
    in_flight = TasksInFlight(plan, client, check)
    size = task_size or AdaptiveTaskSize()
    failures: list[UnitFailed] = []
    attempts: dict[Unit, int] = {}
    try:
        while True:
            tasks = queue.take(
                in_flight.count_free_slots(),
                idle=not in_flight.tasks,
                size=lambda stage: size.choose(stage, in_flight.threads),
                shares=in_flight.threads,
            )
            in_flight.submit(tasks, [attempts.get(units[0], 0) for units in tasks])
            if not in_flight.tasks:
                return failures
            for unit, outcome in in_flight.collect():
                if outcome is None:
                    queue.retry(unit)
                elif isinstance(outcome, Marker):
                    _warn_of_new_environment(completed, outcome)
                    completed.add(unit, outcome)
                    size.add_duration(unit.stage, outcome.seconds)
                    queue.complete(unit)
                    watch(UnitDone(unit, outcome))
                    attempts.pop(unit, None)
                else:
                    check()
                    attempts[unit] = attempts.get(unit, 0) + 1
                    failure = _judge_failure(unit, outcome, queue, attempts[unit] > retries)
                    watch(failure)
                    if is_disk_full(outcome):
                        raise outcome
                    if failure.final:
                        failures.append(failure)
                    elif isinstance(outcome, KilledWorker):
                        queue.quarantine(unit)
                    else:
                        queue.retry(unit)
    finally:
        in_flight.cancel()


def _judge_failure(unit: Unit, error: BaseException, queue: ReadyQueue, exhausted: bool) -> UnitFailed:
    """Return the failure of a unit, final if no retry can help."""
    if isinstance(error, KilledWorker):
        return UnitFailed(unit, _explain_killed_worker(error), queue.is_last_attempt(unit))
    return UnitFailed(unit, explain_failure(error), exhausted or isinstance(error, FaketDaskError))


def explain_failure(error: BaseException) -> str:
    """Return an error as one line; the type is named unless the message is meant for users."""
    text = " ".join(str(error).split())
    return text if isinstance(error, FaketDaskError) else f"{type(error).__name__}: {text}"


def _explain_killed_worker(error: KilledWorker) -> str:
    limit = error.last_worker.memory_limit
    memory = f" (its limit was {format_bytes(limit)})" if limit else ""
    return f"its worker process died again and again: out of memory{memory}, or killed from outside"


def _warn_of_new_environment(completed: CompletedUnits, marker: Marker) -> None:
    """Warn once of every environment that units are computed in besides the first."""
    if completed.environments and marker.environment not in completed.environments:
        folder = completed.plan.spec.folder
        changes = compare_environments(folder, next(iter(completed.environments)), marker.environment)
        warnings.warn(
            f"{folder.root}: units are computed in another environment than those before ({changes}); results may "
            "differ from theirs in rounding",
            stacklevel=2,
        )
