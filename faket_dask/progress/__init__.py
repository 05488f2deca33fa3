"""Displays of a run, and the state of a run that they show.

A display is called with every event of a run, wherever the events come from: from the driver, in the process that
runs (`faket_dask.run(config, watch=display)`), or from disk, in any other (`faket_dask.watch(folder)`).
"""

from faket_dask.progress.notebook import NotebookDisplay
from faket_dask.progress.run_state import RunState
from faket_dask.progress.terminal import ProgressDisplay

__all__ = ["NotebookDisplay", "ProgressDisplay", "RunState"]
