"""The driver's loop.

Batches become ready when all they come after has ended. Units of ready batches are submitted in the plan's
order through a bounded window, a few tasks per worker, so that the scheduler and this process hold little whatever
the size of the data set; with many workers, several go in one message. Short units go several in one task, which the
worker goes through. Only small records travel; every array goes through the stores.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from distributed import Client
from distributed.scheduler import KilledWorker

from faket_dask.cluster.requirements import GIB
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.disk_space import is_disk_full
from faket_dask.engine.environment import environment_change
from faket_dask.engine.events import UnitDone, UnitFailed, Watcher
from faket_dask.engine.in_flight import Submission
from faket_dask.engine.queue import Queue
from faket_dask.engine.task_size import Lengths
from faket_dask.engine.unit import Record, Unit
from faket_dask.errors import InputError
from faket_dask.pipeline.plan import Plan


def execute(
    plan: Plan,
    completed: CompletedUnits,
    client: Client,
    retries: int,
    watch: Watcher,
    look_around: Callable[[], None] = lambda: None,
) -> list[UnitFailed]:
    """Compute all units of a plan that the completed lacks, and note them there.

    Parameters
    ----------
    look_around
        Called every few seconds, whether units end or not, and when one fails; what it raises ends the run.

    Returns
    -------
    failures
        Units that failed more than `retries` times, or under which workers died again and again; what comes after
        them was left out, the rest is done.

    Raises
    ------
    OSError
        As soon as a worker finds no space left: then nothing else can succeed.
    """
    queue = Queue(plan, completed)
    submission = Submission(plan, client, look_around)
    lengths = Lengths()
    failures: list[UnitFailed] = []
    attempts: dict[Unit, int] = {}
    try:
        while True:
            groups = queue.take(
                submission.room(),
                alone=not submission.tasks,
                size=lambda stage: lengths.group_size(stage, submission.threads),
                shares=submission.threads,
            )
            submission.submit(groups, [attempts.get(group[0], 0) for group in groups])
            if not submission.tasks:
                return failures
            for unit, outcome in submission.outcomes():
                if outcome is None:
                    queue.again(unit)
                elif not isinstance(outcome, BaseException):
                    _mind_environment(completed, outcome)
                    completed.add(unit, outcome)
                    lengths.note(unit.stage, outcome["seconds"])
                    queue.done(unit)
                    watch(UnitDone(unit, outcome))
                    attempts.pop(unit, None)
                else:
                    look_around()
                    attempts[unit] = attempts.get(unit, 0) + 1
                    if isinstance(outcome, KilledWorker):
                        final = queue.is_alone(unit)
                    else:
                        final = isinstance(outcome, InputError) or attempts[unit] > retries
                    failed = UnitFailed(unit, _cause(outcome), final)
                    watch(failed)
                    if is_disk_full(outcome):
                        raise outcome
                    if final:
                        failures.append(failed)
                    elif isinstance(outcome, KilledWorker):
                        queue.suspect(unit)
                    else:
                        queue.again(unit)
    finally:
        submission.cancel()


def _mind_environment(completed: CompletedUnits, record: Record) -> None:
    """Warn once of every environment that units are computed in besides the first."""
    name = record["environment"]
    if completed.environments and name not in completed.environments:
        changes = environment_change(completed.spec.layout, next(iter(completed.environments)), name)
        warnings.warn(
            f"{completed.spec.layout.root}: units are computed in another environment than those before "
            f"({changes}); results may differ from theirs in rounding",
            stacklevel=2,
        )


def _cause(error: BaseException) -> str:
    if isinstance(error, KilledWorker):
        worker = error.last_worker
        held = f" (its limit was {worker.memory_limit / GIB:.2f} GiB)" if worker.memory_limit else ""
        return f"its worker process died again and again: out of memory{held}, or killed from outside"
    text = " ".join(str(error).split())
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"
