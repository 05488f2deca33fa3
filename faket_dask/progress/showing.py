"""Runs with a display that fits where they are called from."""

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
from faket_dask.workflow.run import run as run_unseen


def run(
    config: RunConfig | str | Path,
    client: Client | None = None,
    watch: Watcher | None = None,
    cluster: Cluster = "local",
) -> Dataset:
    if watch is not None or not in_notebook():
        return run_unseen(config, client, watch, cluster)
    with fitting_display() as display:
        return run_unseen(config, client, display, cluster)


run.__doc__ = (run_unseen.__doc__ or "").replace(
    "Called with every event of the run, for displays.",
    "Called with every event of the run. By default a notebook shows the run, and a script nothing.",
)


def watch(folder: str | Path) -> Dataset:
    """Show the run that another process drives on a data set, until it ends or the cell is interrupted.

    Reads only what is on disk: the run may be on another machine that shares the folder.

    Parameters
    ----------
    folder
        Of the data set.

    Returns
    -------
    dataset
        Handle of the data set, as far as it is.

    Raises
    ------
    InputError
        When the folder holds no data set.
    """
    with fitting_display() as display:
        try:
            for event in follow(folder):
                display(event)
        except KeyboardInterrupt:
            display(RunStopped("watching was interrupted; that leaves the run alone"))
    return open_dataset(folder)


@contextmanager
def fitting_display() -> Iterator[Watcher]:
    """A widget in a notebook, bars in a terminal, lines of text anywhere else."""
    if has_widgets():
        yield NotebookDisplay()
        return
    # Rich takes notebooks for terminals, but can only add to what they show.
    console = (
        Console(file=sys.stdout, force_terminal=False, force_jupyter=False) if in_notebook() else Console()
    )
    with ProgressDisplay(console) as display:
        yield display
