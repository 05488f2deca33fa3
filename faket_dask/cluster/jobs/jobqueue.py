"""dask-jobqueue, without what importing it does to the process.

Its runners take over SIGINT when they are imported: Ctrl-C would then end a run as if all had gone well, and a process
that imports it in another thread than the first cannot. So it is imported here alone, and only when a batch system
is used.
"""

import signal

_handler = signal.getsignal(signal.SIGINT)

from dask_jobqueue import PBSCluster, SLURMCluster  # noqa: E402
from dask_jobqueue.core import Job  # noqa: E402

signal.signal(signal.SIGINT, _handler)

__all__ = ["Job", "PBSCluster", "SLURMCluster"]
