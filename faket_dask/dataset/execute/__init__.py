"""The driver: hands units to workers, keeps count, retries, and goes on past failures.

The queue knows what can run, the submission what is out at workers, and the loop moves units from the one to the
other and notes what came of them.
"""

from faket_dask.dataset.execute.loop import execute
from faket_dask.dataset.execute.submission import DASHBOARD_NAMES

__all__ = ["DASHBOARD_NAMES", "execute"]
