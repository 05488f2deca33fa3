"""Batch systems that can run worker jobs, each in one file; another one is added by an entry point."""

from faket_dask.cluster.jobs.base import BatchSystem
from faket_dask.cluster.jobs.registry import (
    get_batch_system,
    list_batch_systems,
    register_batch_system,
)
from faket_dask.cluster.jobs.request import JobSettings, Sizing

__all__ = [
    "BatchSystem",
    "JobSettings",
    "Sizing",
    "get_batch_system",
    "list_batch_systems",
    "register_batch_system",
]
