"""Run a plan: lock, disk-space check, provenance, cluster, driver and events."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distributed import Client

from faket_dask.cluster.open import Cluster, check_cluster, open_cluster, resolve_profile
from faket_dask.cluster.profile import Profile
from faket_dask.cluster.workers.never_pause import without_pauses
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.disk_space import check_disk_space, explain_full_disk
from faket_dask.engine.driver import execute
from faket_dask.engine.event_log import write_event
from faket_dask.engine.events import Event, RunEnded, RunStarted, RunStopped, UnitFailed, Watcher
from faket_dask.engine.lock import RunLock, hold_lock
from faket_dask.engine.plan import Plan
from faket_dask.engine.provenance import record_run
from faket_dask.engine.specification import Specification
from faket_dask.engine.task_size import TaskSize
from faket_dask.errors import InputError

Finish = Callable[[CompletedUnits, list[UnitFailed]], None]
"""Called with the completed units and the failures once all units were tried, such as to write a report."""


@dataclass(frozen=True)
class Execution:
    """Workers and retries of a run; nothing here changes a result.

    Parameters
    ----------
    client
        Dask client to compute with, in place of `cluster`.
    cluster
        Where workers are started; see `faket_dask.cluster.open_cluster`.
    workers
        Largest number of workers.
    memory_per_worker_GiB
        Memory of a worker, in place of what follows from the plan.
    retries
        Number of retries of a failed unit.
    task_size
        Rule for the number of units per task; by default from measured durations.
    """

    client: Client | None = None
    cluster: Cluster = "local"
    workers: int | None = None
    memory_per_worker_GiB: float | None = None
    retries: int = 2
    task_size: TaskSize | None = None


def run_plan(
    plan: Plan[Any],
    execution: Execution,
    watch: Watcher | None = None,
    finish: Finish = lambda completed, failures: None,
) -> tuple[UnitFailed, ...]:
    """Compute all missing units of a plan in its folder.

    Parameters
    ----------
    plan
        Plan of the run.
    execution
        Where and how it is computed.
    watch
        Called with every event of the run.
    finish
        Called once all units were tried, while the folder is still locked.

    Returns
    -------
    failures
        Units that failed for good.

    Raises
    ------
    InputError
        If the folder holds another run or foreign files.
    DatasetBusyError
        If another driver works on the folder.
    DiskFullError
        If the results cannot fit on the disk, or it fills up on the way.
    ClusterError
        If the batch system cannot start workers.
    """
    spec = plan.spec
    profile = resolve_profile(execution.cluster)

    def report(event: Event) -> None:
        write_event(spec.folder.event_log, event)
        if watch is not None:
            watch(event)

    check_folder(plan)
    with (
        explain_full_disk(spec.folder.root),
        hold_lock(spec.folder.lock) as lock,
        record_run(spec) as record,
    ):
        spec.write()
        try:
            completed = CompletedUnits.read(plan)
            failures = _compute(plan, completed, execution, profile, lock, report, record)
            finish(completed, failures)
        except OSError as error:
            report(RunStopped(str(error)))
            lock.check()
            raise
        except BaseException as error:
            cause = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
            report(RunStopped(cause))
            raise
        record["failures"] = {str(failure.unit): failure.cause for failure in failures}
        record["environments"] = list(completed.environments)
        report(RunEnded(tuple(failures)))
    return tuple(failures)


def _compute(
    plan: Plan[Any],
    completed: CompletedUnits,
    execution: Execution,
    profile: Profile | None,
    lock: RunLock,
    report: Watcher,
    record: dict[str, Any],
) -> list[UnitFailed]:
    """Open a cluster, if anything is missing, and compute it."""
    requirements = plan.requirements(completed.counts())
    record["units_left"] = requirements.units
    if not requirements.units:
        return []
    check_disk_space(plan, requirements)
    cluster = open_cluster(
        requirements,
        profile or "local",
        workers=execution.workers,
        memory_per_worker_GiB=execution.memory_per_worker_GiB,
        logs=plan.spec.folder.job_logs,
    )
    with without_pauses(execution.client) if execution.client is not None else cluster as client:
        before = {key: frozenset(progress.indices()) for key, progress in completed.batches.items()}
        workers = _count_workers(client)
        record["workers"] = workers
        report(RunStarted(plan, requirements, before, workers, client.dashboard_link, time.time()))

        def check() -> None:
            lock.check()
            check_cluster(client)

        return execute(
            plan,
            completed,
            client,
            retries=execution.retries,
            watch=report,
            check=check,
            task_size=execution.task_size,
        )


def _count_workers(client: Client) -> int:
    """Return the number of workers that are there, or that a cluster will have once its jobs have started."""
    here = len(client.scheduler_info(n_workers=-1)["workers"])
    return max(1, here, len(getattr(client.cluster, "plan", ())))


def check_folder(plan: Plan[Any]) -> None:
    """Refuse a folder that holds something else.

    Raises
    ------
    InputError
        If it holds a run of another fingerprint, a damaged one without any unit of this run, or foreign files.
    """
    spec = plan.spec
    root = spec.folder.root
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file; choose another dataset.folder")
    if spec.folder.description.exists():
        try:
            existing = plan.pipeline.read(root)
        except InputError:
            if _is_begun(plan):
                return
            raise
        if existing.fingerprint != spec.fingerprint:
            raise InputError(
                f"{root} holds another run (fingerprint {existing.fingerprint}, this one is {spec.fingerprint}); "
                f"nothing was touched. They differ in {name_differences(existing, spec)}. Choose another "
                "dataset.folder, or delete that one"
            )
    elif root.is_dir() and not _is_begun(plan):
        own = {spec.folder.progress.name, *spec.description_files} if spec.folder.runs.is_dir() else set()
        foreign = sorted({entry.name for entry in root.iterdir()} - own)
        if foreign:
            raise InputError(
                f"{root} exists and is no data set of faket_dask (it holds {foreign[0]}); choose another "
                "dataset.folder, or move that out of it"
            )


def _is_begun(plan: Plan[Any]) -> bool:
    """Tell whether the folder holds units of this very run, which proves it where its description is damaged."""
    return any(CompletedUnits.read(plan).counts().values())


def name_differences(one: Specification, other: Specification) -> str:
    """List the sections in which two specifications differ."""
    left, right = one.result_inputs, other.result_inputs
    keys = [key for key in sorted(left.keys() | right.keys()) if left.get(key) != right.get(key)]
    return ", ".join(keys)
