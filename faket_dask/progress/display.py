"""Runs with a display that fits the place they are called from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import Client
from rich.console import Console

from faket_dask.cluster.open import Cluster
from faket_dask.config import RunConfig
from faket_dask.dataset.dataset import Dataset, open_dataset
from faket_dask.engine.events import RunStopped, Watcher
from faket_dask.engine.follow import follow
from faket_dask.progress.notebook import NotebookDisplay, has_widgets, in_notebook
from faket_dask.progress.terminal import ProgressDisplay
from faket_dask.workflow.run import run as run_without_display


def run(
    config: RunConfig | str | Path,
    client: Client | None = None,
    watch: Watcher | None = None,
    cluster: Cluster = "local",
    overwrite: bool = False,
) -> Dataset:
    """Compute a data set, or finish one that was begun; a notebook shows the progress.

    Parameters
    ----------
    config
        Configuration, or path of a run file.
    client
        Dask client to compute with, in place of `cluster`. Its workers must see the data set's folder, the inputs and
        the weights under the same paths.
    watch
        Function to call with every event of the run. By default a notebook shows the run, and a script nothing.
    cluster
        Place where workers are started: ``"local"`` for one process per core of this machine, the name of a batch
        system, or a cluster profile; see `faket_dask.cluster.open_cluster`.
    overwrite
        True to replace a configuration, report or table in the folder that somebody changed, too.

    Returns
    -------
    dataset
        Handle of the data set; `dataset.failures` lists units that failed for good, with their causes.

    Raises
    ------
    InputError
        When the run file, an input or the cluster profile cannot be used, or the folder holds another data set.
    DatasetBusyError
        When another run is working on the folder.
    DiskFullError
        When the disk is too small for the results.
    ClusterError
        When worker jobs cannot be submitted or end before their workers come.

    Notes
    -----
    After any interruption, the same call continues where it stopped. The data on disk are valid at any moment, and
    the final bytes are those of an uninterrupted run.
    """
    if watch is not None or not in_notebook():
        return run_without_display(config, client, watch, cluster, overwrite)
    with choose_display() as display:
        return run_without_display(config, client, display, cluster, overwrite)


def watch(folder: str | Path) -> Dataset:
    """Show the run of another process until it ends or the cell is interrupted.

    The files of the data set are all that is read: the run may be on another machine that shares the folder.

    Parameters
    ----------
    folder
        Folder of the data set.

    Returns
    -------
    dataset
        Handle of the data set, complete or not.

    Raises
    ------
    InputError
        When the folder holds no data set.
    """
    with choose_display() as display:
        try:
            for event in follow(folder):
                display(event)
        except KeyboardInterrupt:
            display(RunStopped("watching was interrupted; the run goes on"))
    return open_dataset(folder)


@contextmanager
def choose_display() -> Iterator[Watcher]:
    """Open a widget in a notebook, bars in a terminal, and lines of text anywhere else."""
    if has_widgets():
        yield NotebookDisplay()
        return
    # Rich takes notebooks for terminals, but can only add to what they show.
    console = (
        Console(file=sys.stdout, force_terminal=False, force_jupyter=False) if in_notebook() else Console()
    )
    with ProgressDisplay(console) as display:
        yield display
