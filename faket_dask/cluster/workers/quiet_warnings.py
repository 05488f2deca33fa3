"""Workers that do not repeat the warnings about input files, which the process that checked them has given."""

from __future__ import annotations

import warnings

from distributed import Worker, WorkerPlugin


class QuietWarnings(WorkerPlugin):
    """Have a worker process of its own give no warnings of this package; a thread of another process keeps its own."""

    name = "quiet-warnings"

    def setup(self, worker: Worker) -> None:
        """Add the filter to those of the process."""
        if worker.nanny is not None:
            warnings.filterwarnings("ignore", category=UserWarning, module="faket_dask")
