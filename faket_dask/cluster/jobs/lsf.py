"""LSF."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faket_dask.cluster.jobs.base import BatchSystem, parse_clock, read_count
from faket_dask.cluster.jobs.request import JobSettings, Sizing


class Lsf(BatchSystem):
    """LSF, whose jobs request slots on one host and a memory limit in the units of `lsf.conf`."""

    def options(self, settings: JobSettings, sizing: Sizing, logs: Path | None) -> dict[str, Any]:
        directives = [] if logs is None else [f"-o {shlex.quote(str(logs))}/%J.log"]
        if sizing.gpus_per_job:
            directives.append(settings.gpu_request.format(gpus=sizing.gpus_per_job))
        hours, minutes = divmod(math.ceil(settings.walltime_s / 60), 60)
        return {
            "ncpus": sizing.cores_per_job,
            "mem": sizing.bytes_per_job,
            "walltime": f"{hours:02d}:{minutes:02d}",
            "job_extra_directives": [*directives, *settings.job_extra_directives],
        }

    def queue_command(self, user: str) -> tuple[str, ...]:
        return ("bjobs", "-noheader", "-o", "jobid", "-u", user)

    def parse_walltime(self, text: str) -> float:
        """Return the seconds of a time limit; a single number counts minutes, two are hours and minutes.

        Examples
        --------
        >>> LSF.parse_walltime("02:30"), LSF.parse_walltime("02:30:00")
        (9000.0, 9000.0)
        """
        return parse_clock(text, short=("M", "H:M"))

    def allocated_cores(self, environment: Mapping[str, str]) -> int | None:
        return read_count(environment, "LSB_DJOB_NUMPROC") if "LSB_JOBID" in environment else None


LSF = Lsf(
    name="lsf",
    title="LSF",
    job_class="dask_jobqueue.lsf:LSFJob",
    gpu_request='-gpu "num={gpus}"',
    account_keyword="project",
    empty_queue_message="No unfinished job found",
)
