"""Make a data set: everything that `faket-dask run` does, from a run file to a report."""

from __future__ import annotations

from pathlib import Path

from distributed import Client

from faket_dask.cluster.open import Cluster
from faket_dask.config import RunConfig, dump, load
from faket_dask.dataset.dataset import Dataset
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.events import UnitFailed, Watcher
from faket_dask.engine.plan import Plan
from faket_dask.engine.run import Execution, check_folder, run_plan
from faket_dask.engine.task_size import TaskSize
from faket_dask.errors import InputError
from faket_dask.outputs.claim import claim_outputs
from faket_dask.outputs.record import OutputRecord
from faket_dask.pipeline.plan import plan
from faket_dask.stages.device import check_device


def run(
    config: RunConfig | str | Path,
    client: Client | None = None,
    watch: Watcher | None = None,
    cluster: Cluster = "local",
    overwrite: bool = False,
) -> Dataset:
    """Make a data set, or finish one that was begun.

    Parameters
    ----------
    config
        Run file, or its path.
    client
        Dask client to compute with, in place of `cluster`. Its workers must see the data set's folder, the inputs and
        the weights under the same paths.
    watch
        Called with every event of the run, for displays.
    cluster
        Where workers are started: ``"local"`` for one process per core of this machine, the name of a batch system,
        or a cluster profile; see `faket_dask.cluster.open_cluster`.
    overwrite
        True to replace a configuration, report or table in the folder that somebody changed, too.

    Returns
    -------
    dataset
        Handle of the data set; `dataset.failures` lists units that failed for good, with their causes.

    Raises
    ------
    InputError
        Before anything is computed: if an input cannot be used, the folder holds another run, a report or table in it
        was changed, the run file lies there under the name of the resolved configuration, or there is no such device.
    DatasetBusyError
        If another driver works on the folder.
    DiskFullError
        If the disk is too small, or fills up on the way.
    ClusterError
        If the batch system cannot start workers.

    Notes
    -----
    Interrupted in any way, the same call resumes; the files on disk are valid at any time, and in the end they hold the
    same bytes as without the interruption.
    """
    run_file = None if isinstance(config, RunConfig) else Path(config)
    planned = plan(config if isinstance(config, RunConfig) else load(config))
    return run_dataset_plan(planned, client, watch, cluster, run_file=run_file, overwrite=overwrite)


def run_dataset_plan(
    planned: Plan[DatasetSpec],
    client: Client | None = None,
    watch: Watcher | None = None,
    cluster: Cluster = "local",
    task_size: TaskSize | None = None,
    *,
    run_file: Path | None = None,
    overwrite: bool = False,
) -> Dataset:
    """Make a data set that is planned already; parameters and errors are those of `run`."""
    spec = planned.spec
    if cluster == "local" and client is None:
        check_device(spec.device)
    if run_file is not None:
        check_run_file(spec, run_file)
    check_folder(planned)
    if not overwrite:
        check_configuration(spec)
    settings = spec.config.cluster
    execution = Execution(
        client,
        cluster,
        workers=settings.workers,
        memory_per_worker_GiB=settings.memory_per_worker_GiB,
        retries=settings.retries,
        task_size=task_size,
    )

    def write_summaries(completed: CompletedUnits, failures: list[UnitFailed]) -> None:
        # Imported late: they load PyTorch, without which a run file is checked in half of the time.
        from faket_dask.report.manifest import write_manifest
        from faket_dask.report.write import write_report

        if spec.config.outputs.report:
            write_report(completed, planned, failures)
        write_manifest(completed)

    layout = spec.folder
    with claim_outputs(
        [layout.report, layout.realism, layout.manifest],
        inputs=[] if run_file is None else [run_file],
        overwrite=overwrite,
        record=OutputRecord(layout.root, layout.outputs, trusts_unrecorded=True),
    ):
        return Dataset(spec, run_plan(planned, execution, watch, write_summaries))


def check_run_file(spec: DatasetSpec, run_file: Path) -> None:
    """Refuse a run file that would be replaced by its resolved configuration, and lose something by that.

    Raises
    ------
    InputError
        If it lies in the data set's folder under the name of the resolved configuration, and either has comments or
        comes from nobody's run.
    """
    path = spec.folder.config
    if not path.is_file() or not path.samefile(run_file) or _read_text(path) == dump(spec.config):
        return
    if not spec.folder.description.exists() or _has_comments(path):
        raise InputError(
            f"{path} is the run file, and the data set's folder holds its resolved configuration under that name: move "
            "the run file out of the folder, or give it another name"
        )


def check_configuration(spec: DatasetSpec) -> None:
    """Refuse to replace a configuration that somebody has commented.

    Raises
    ------
    InputError
        If the data set's folder holds a configuration with comments, which this program does not write.
    """
    path = spec.folder.config
    if path.is_file() and _has_comments(path):
        raise InputError(
            f"{path} has comments, which a run would lose when it writes its resolved configuration there: move the "
            "file out of the folder, or replace it by --overwrite"
        )


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _has_comments(path: Path) -> bool:
    return any(line.lstrip().startswith("#") for line in _read_text(path).splitlines())
