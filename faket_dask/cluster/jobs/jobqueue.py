"""Import of dask-jobqueue without its side effect on this process.

Its runners take over SIGINT when they are imported: Ctrl-C would then end a run as if it had succeeded, and a process
that imports it outside its main thread fails. Therefore it is imported here alone, and only when a batch system is
used. The import also puts the defaults of `jobqueue.yaml` into Dask's configuration.
"""

import signal

_handler = signal.getsignal(signal.SIGINT)

from dask_jobqueue import JobQueueCluster  # noqa: E402
from dask_jobqueue.core import Job  # noqa: E402

signal.signal(signal.SIGINT, _handler)

__all__ = ["Job", "JobQueueCluster"]
