"""Make a data set: everything that `faket-dask run` does, from a run file to a report."""

from __future__ import annotations

from pathlib import Path

from distributed import Client

from faket_dask.cluster.open import Cluster
from faket_dask.config import RunConfig, load
from faket_dask.dataset.dataset import Dataset
from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.completed import CompletedUnits
from faket_dask.engine.events import UnitFailed, Watcher
from faket_dask.engine.plan import Plan
from faket_dask.engine.run import Execution, run_plan
from faket_dask.engine.task_size import TaskSize
from faket_dask.pipeline.plan import plan
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
        Run file, or its path.
    client
        Dask client to compute with, in place of `cluster`. Its workers must see the data set's folder, the inputs and
        the weights under the same paths.
    watch
        Called with every event of the run, for displays.
    cluster
        Where workers are started: ``"local"`` for one process per core of this machine, the name of a batch system,
        or a cluster profile; see `faket_dask.cluster.open_cluster`.

    Returns
    -------
    dataset
        Handle of the data set; `dataset.failures` lists units that failed for good, with their causes.

    Raises
    ------
    InputError
        Before anything is computed: if an input cannot be used, or the folder holds another run.
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
    if not isinstance(config, RunConfig):
        config = load(config)
    return run_dataset_plan(plan(config), client, watch, cluster)


def run_dataset_plan(
    planned: Plan[DatasetSpec],
    client: Client | None = None,
    watch: Watcher | None = None,
    cluster: Cluster = "local",
    task_size: TaskSize | None = None,
) -> Dataset:
    """Make a data set that is planned already; parameters and errors are those of `run`."""
    spec = planned.spec
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
        if spec.config.outputs.report:
            write_report(completed, planned, failures)
        write_manifest(completed)

    return Dataset(spec, run_plan(planned, execution, watch, write_summaries))
