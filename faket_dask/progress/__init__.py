"""Watching a run: what its events say so far, and displays of it for terminals and notebooks.

A display is called with every event of a run, wherever the events come from: the driver, in the process that
runs (`faket_dask.run(config, watch=display)`), or what is on disk, anywhere else (`faket_dask.watch(folder)`).
"""

from faket_dask.progress.notebook import NotebookDisplay
from faket_dask.progress.tally import Tally, duration
from faket_dask.progress.terminal import ProgressDisplay

__all__ = ["NotebookDisplay", "ProgressDisplay", "Tally", "duration"]
