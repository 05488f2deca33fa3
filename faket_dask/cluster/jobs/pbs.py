"""PBS Professional, OpenPBS and Torque."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faket_dask.cluster.jobs.base import BatchSystem, read_count
from faket_dask.cluster.jobs.request import JobSettings, Sizing

ENDED = frozenset({"C", "F"})
"""States of jobs that a listing still shows after their end: completed (Torque), finished (PBS)."""


class Pbs(BatchSystem):
    """PBS, whose jobs request a chunk of a node: ``-l select=1:ncpus=4:mem=8192mb``."""

    def options(self, settings: JobSettings, sizing: Sizing, logs: Path | None) -> dict[str, Any]:
        spec = settings.resource_spec or "select=1:ncpus={cores}:mem={memory}"
        spec = spec.format(cores=sizing.cores_per_job, memory=f"{sizing.memory_MiB}mb")
        if sizing.gpus_per_job:
            spec += ":" + settings.gpu_request.format(gpus=sizing.gpus_per_job)
        directives = [] if logs is None else ["-j oe", f"-o {shlex.quote(str(logs))}/"]
        return {
            "resource_spec": spec,
            "job_extra_directives": [*directives, *settings.job_extra_directives],
        }

    def queue_command(self, user: str) -> tuple[str, ...]:
        return ("qstat", "-u", user)

    def parse_job_ids(self, listing: str) -> set[str]:
        """Return the ids of jobs that have not ended, from a table whose last column but one is the state.

        Examples
        --------
        >>> listing = '''Job ID  Username Queue Jobname    SessID NDS TSK Memory Time  S Time
        ... 17.head me       workq faket-dask 3001   1   4   8192mb 01:00 R 00:10
        ... 18.head me       workq faket-dask --     1   4   8192mb 01:00 C --'''
        >>> PBS.parse_job_ids(listing)
        {'17'}
        """
        rows = [line for line in listing.splitlines() if not ENDED.intersection(line.split()[-2:-1])]
        return super().parse_job_ids("\n".join(rows))

    def allocated_cores(self, environment: Mapping[str, str]) -> int | None:
        return read_count(environment, "NCPUS") if "PBS_JOBID" in environment else None


PBS = Pbs(
    name="pbs",
    title="PBS",
    job_class="dask_jobqueue.pbs:PBSJob",
    gpu_request="ngpus={gpus}",
    resource_fields=("cores", "memory"),
)
