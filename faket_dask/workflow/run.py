"""The batch run: everything that `faket-dask run` does, from a configuration to a finished data set."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from distributed import Client

from faket_dask.cluster.open import Cluster, check_cluster, open_cluster, resolve_profile
from faket_dask.cluster.profile import Profile
from faket_dask.cluster.workers.never_pause import without_pauses
from faket_dask.config import RunConfig, load
from faket_dask.dataset.dataset import Dataset
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.disk_space import check_room, room_on
from faket_dask.engine.driver import execute
from faket_dask.engine.environment import recorded_run
from faket_dask.engine.event_log import write_event
from faket_dask.engine.events import Event, RunEnded, RunStarted, RunStopped, UnitFailed, Watcher
from faket_dask.engine.lock import Lock, locked
from faket_dask.errors import InputError
from faket_dask.pipeline.plan import Plan, plan
from faket_dask.report.manifest import write_manifest
from faket_dask.report.write import write_report


def run(
    config: RunConfig | str | Path,
    client: Client | None = None,
    watch: Watcher | None = None,
    cluster: Cluster = "local",
) -> Dataset:
    """Make a data set, or finish one that was begun.

    Parameters
    ----------
    config
        A configuration, or the path of a run file.
    client
        A Dask client to compute with, in place of `cluster`. Its workers must see the data set's folder, the
        inputs and the weights under the same paths.
    watch
        Called with every event of the run, for displays.
    cluster
        Where workers are started: ``"local"`` for one process per core of this machine, ``"slurm"``, ``"pbs"``, or
        a cluster profile; see `faket_dask.cluster.open_cluster`.

    Returns
    -------
    dataset
        Handle of the data set; `dataset.failures` lists units that failed for good, with their causes.

    Raises
    ------
    InputError
        Before anything is computed: when an input cannot be used, the folder holds another run, another
        driver works on it, or memory or disk are too small. Also when the disk fills up on the way.

    Notes
    -----
    Interrupted in any way, the same call goes on where it was; what is on disk is valid at any moment, and
    in the end the same bytes are there as without the interruption.
    """
    if not isinstance(config, RunConfig):
        config = load(config)
    return execute_plan(plan(config), client, watch, cluster)


def execute_plan(
    planned: Plan,
    client: Client | None = None,
    watch: Watcher | None = None,
    cluster: Cluster = "local",
) -> Dataset:
    """`run` for a plan that is made already."""
    profile = resolve_profile(cluster)
    spec = planned.spec

    def report(event: Event) -> None:
        write_event(spec.folder.journal, event)
        if watch is not None:
            watch(event)

    _check_same_run(spec)
    with (
        room_on(spec.folder.root),
        locked(spec.folder.lock) as lock,
        recorded_run(spec) as record,
    ):
        spec.write()
        try:
            completed = CompletedUnits.read(planned)
            failures = _compute(planned, completed, client, profile, lock, report, record)
            if spec.config.outputs.report:
                write_report(completed, planned, failures)
            write_manifest(completed)
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
    return Dataset(spec, tuple(failures))


def _compute(
    planned: Plan,
    completed: CompletedUnits,
    client: Client | None,
    profile: Profile | None,
    lock: Lock,
    report: Watcher,
    record: dict[str, Any],
) -> list[UnitFailed]:
    """Compute all units that the completed lacks; which of them failed for good."""
    spec = planned.spec
    requirements = planned.requirements(completed.counts())
    record["units_left"] = requirements.units
    if not requirements.units:
        return []
    check_room(spec, requirements)
    settings = spec.config.cluster
    opening = open_cluster(
        requirements,
        profile or "local",
        workers=settings.workers,
        memory_per_worker_GiB=settings.memory_per_worker_GiB,
        logs=spec.folder.job_logs,
    )
    with without_pauses(client) if client is not None else opening as connected:
        before = {key: frozenset(batch.indices()) for key, batch in completed.done.items()}
        workers = _count_workers(connected)
        record["workers"] = workers
        report(RunStarted(planned, requirements, before, workers, connected.dashboard_link, time.time()))

        def look_around() -> None:
            lock.check()
            check_cluster(connected)

        return execute(planned, completed, connected, settings.retries, report, look_around)


def _count_workers(client: Client) -> int:
    """Workers that are there, or that a cluster is to have once its jobs have started."""
    here = len(client.scheduler_info(n_workers=-1)["workers"])
    return max(1, here, len(getattr(client.cluster, "plan", ())))


def _check_same_run(spec: DatasetSpec) -> None:
    """Refuse a folder that holds something else.

    Raises
    ------
    InputError
        For a data set of another fingerprint, a damaged one of which nothing shows that it is this one, or a folder
        with other things in it.
    """
    root = spec.folder.root
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file; choose another dataset.folder")
    if spec.folder.plan.exists() and spec.folder.config.exists():
        try:
            existing = DatasetSpec.read(root)
        except InputError:
            if _is_begun(spec):
                return
            raise
        if existing.fingerprint != spec.fingerprint:
            raise InputError(
                f"{root} holds another run (fingerprint {existing.fingerprint}, this one is "
                f"{spec.fingerprint}); nothing was touched. They differ in "
                f"{differences(existing, spec)}. Choose another dataset.folder, or delete that one"
            )
    elif (
        root.is_dir()
        and {entry.name for entry in root.iterdir()} - {"progress", "config.yaml"}
        and not _is_begun(spec)
    ):
        raise InputError(f"{root} exists and is no data set of faket_dask; choose another dataset.folder")


def _is_begun(spec: DatasetSpec) -> bool:
    """Whether the folder holds units of this very run: proof enough where its description is damaged or lost."""
    return any(CompletedUnits.read(Plan(spec)).counts().values())


def differences(one: DatasetSpec, other: DatasetSpec) -> str:
    """Names of what makes two fingerprints differ."""
    mine, theirs = one.essence, other.essence
    keys = [key for key in sorted(mine.keys() | theirs.keys()) if mine.get(key) != theirs.get(key)]
    return ", ".join(keys)
