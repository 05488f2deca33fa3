"""Batch systems that can run worker jobs, each in one file; another one is added by an entry point."""

from faket_dask.cluster.jobs.base import BatchSystem
from faket_dask.cluster.jobs.registry import BATCH_SYSTEMS
from faket_dask.cluster.jobs.request import JobSettings, Sizing

__all__ = ["BATCH_SYSTEMS", "BatchSystem", "JobSettings", "Sizing"]
