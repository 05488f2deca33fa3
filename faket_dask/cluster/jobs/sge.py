"""Grid Engine: Son of Grid Engine, Univa and Open Cluster Scheduler.

Sites define resources of their own. Cores are slots of a parallel environment, memory is a resource that is usually
counted per slot, and GPUs are a resource under any name; a profile's `parallel_environment`, `resource_spec` and
`gpu.request` say what they are called.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faket_dask.cluster.jobs.base import BatchSystem, parse_clock, read_count
from faket_dask.cluster.jobs.request import JobSettings, Sizing


class GridEngine(BatchSystem):
    """Grid Engine, whose jobs request slots of a parallel environment and resources by ``-l``."""

    def options(self, settings: JobSettings, sizing: Sizing, logs: Path | None) -> dict[str, Any]:
        spec = settings.resource_spec or "mem_free={memory_per_core}"
        directives = ["-S /bin/bash"]  # many queues start jobs by a C shell, whatever their first line says
        if sizing.cores_per_job > 1:
            directives.append(f"-pe {settings.parallel_environment or 'smp'} {sizing.cores_per_job}")
        if logs is not None:
            directives.append(f"-o {shlex.quote(str(logs / '$JOB_ID.log'))}")
        if sizing.gpus_per_job:
            directives.append(settings.gpu_request.format(gpus=sizing.gpus_per_job))
        return {
            "resource_spec": spec.format(
                cores=sizing.cores_per_job,
                memory=f"{sizing.memory_MiB}M",
                memory_per_core=f"{sizing.memory_per_core_MiB}M",
            ),
            "job_extra_directives": [*directives, *settings.job_extra_directives],
        }

    def queue_command(self, user: str) -> tuple[str, ...]:
        return ("qstat", "-u", user)

    def parse_walltime(self, text: str) -> float:
        """Return the seconds of a time limit; a single number counts seconds.

        Examples
        --------
        >>> SGE.parse_walltime("00:01:30"), SGE.parse_walltime("90")
        (90.0, 90.0)
        """
        return parse_clock(text, short=("S",))

    def allocated_cores(self, environment: Mapping[str, str]) -> int | None:
        return read_count(environment, "NSLOTS") if "SGE_JOB_SPOOL_DIR" in environment else None


SGE = GridEngine(
    name="sge",
    title="Grid Engine",
    job_class="dask_jobqueue.sge:SGEJob",
    gpu_request="-l gpu={gpus}",
    resource_fields=("cores", "memory", "memory_per_core"),
    has_parallel_environments=True,
    account_keyword="project",
)
