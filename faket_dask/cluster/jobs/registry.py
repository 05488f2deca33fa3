"""Registry of batch systems: those of this package, and those of others.

Another package adds one by an entry point of the group `faket_dask.batch_systems`, whose name is that of the batch
system and whose object is a `BatchSystem`; a script adds one by `BATCH_SYSTEMS.register`.
"""

from __future__ import annotations

from faket_dask.cluster.jobs.base import BatchSystem
from faket_dask.registry import Registry

BATCH_SYSTEMS: Registry[BatchSystem] = Registry(
    "faket_dask.batch_systems",
    "batch system",
    {
        "slurm": "faket_dask.cluster.jobs.slurm:SLURM",
        "pbs": "faket_dask.cluster.jobs.pbs:PBS",
        "sge": "faket_dask.cluster.jobs.sge:SGE",
        "lsf": "faket_dask.cluster.jobs.lsf:LSF",
    },
)
"""Batch systems by the names of cluster profiles."""
