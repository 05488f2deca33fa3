"""Studies from their files: plan, run, and the report that a run ends with."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from distributed import Client

from faket_dask.cluster.open import Cluster
from faket_dask.config.study import StudyConfig, load_study
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.events import UnitFailed, Watcher
from faket_dask.engine.plan import Plan
from faket_dask.engine.run import Execution, run_plan
from faket_dask.outputs.claim import claim_outputs
from faket_dask.outputs.record import OutputRecord
from faket_dask.stages.device import check_device
from faket_dask.study.pipeline import STUDY
from faket_dask.study.spec import StudySpec


def plan_study(config: StudyConfig | str | Path) -> Plan[StudySpec]:
    """Check a study and plan it; nothing is written.

    Parameters
    ----------
    config
        Study file, or its path.

    Raises
    ------
    InputError
        If the file or a tomogram that it names cannot be used, or a specimen is in two sets.
    UnfinishedError
        If a data set is not complete.
    """
    return Plan(StudySpec.create(config if isinstance(config, StudyConfig) else load_study(config)), STUDY)


def run_study(
    planned: Plan[StudySpec],
    client: Client | None = None,
    watch: Watcher | None = None,
    cluster: Cluster = "local",
    *,
    overwrite: bool = False,
) -> tuple[UnitFailed, ...]:
    """Train, pick and score, or finish what was begun, and write the report.

    Parameters
    ----------
    planned
        Plan of the study.
    client
        Dask client to compute with, in place of `cluster`.
    watch
        Called with every event of the run.
    cluster
        Where workers are started; see `faket_dask.cluster.open_cluster`.
    overwrite
        True to replace a report or table in the folder that somebody changed, too.

    Returns
    -------
    failures
        Units that failed for good.

    Raises
    ------
    InputError
        If the folder holds another study, a report or table in it was changed, or there is no such device.
    DatasetBusyError
        If another run works on the folder.
    DiskFullError
        If the disk is too small, or fills up on the way.
    ClusterError
        If the batch system cannot start workers.
    """
    spec = planned.spec
    if cluster == "local" and client is None:
        check_device(spec.device)
    settings = spec.config.cluster
    execution = Execution(
        client,
        cluster,
        workers=settings.workers,
        memory_per_worker_GiB=settings.memory_per_worker_GiB,
        retries=settings.retries,
    )

    with _claim_report(spec, overwrite=overwrite):
        return run_plan(planned, execution, watch, _write_report)


def report_study(folder: Path, *, overwrite: bool = False) -> StudySpec:
    """Write the report and the table of a study from the scores that are there, also during a run.

    Parameters
    ----------
    folder
        Folder of the study.
    overwrite
        True to replace a report or table that somebody changed, too.

    Raises
    ------
    InputError
        If the folder holds no study, or a report or table in it was changed.
    """
    planned = read_study(folder)
    with _claim_report(planned.spec, overwrite=overwrite):
        _write_report(CompletedUnits.read(planned), [])
    return planned.spec


def read_study(folder: Path) -> Plan[StudySpec]:
    """Read the plan of a study from its folder.

    Raises
    ------
    InputError
        If the folder holds none.
    """
    return Plan(StudySpec.read(folder), STUDY)


def _write_report(completed: CompletedUnits, failures: list[UnitFailed]) -> None:
    # Imported late: it loads Matplotlib, without which a file is checked sooner.
    from faket_dask.study.write_report import write_study_report

    write_study_report(completed, failures)


def _claim_report(spec: StudySpec, *, overwrite: bool) -> AbstractContextManager[None]:
    record = OutputRecord(spec.root, spec.outputs)
    return claim_outputs([spec.report, spec.table], overwrite=overwrite, record=record)
