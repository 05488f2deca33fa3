"""SLURM."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faket_dask.cluster.jobs.base import BatchSystem, parse_clock, read_count
from faket_dask.cluster.jobs.request import MIB, JobSettings, Sizing


class Slurm(BatchSystem):
    """SLURM, whose jobs request cores and memory through options of `sbatch`."""

    def options(self, settings: JobSettings, sizing: Sizing, logs: Path | None) -> dict[str, Any]:
        directives = [] if logs is None else [f"--output={shlex.quote(str(logs))}/%j.log"]
        directives += settings.job_extra_directives
        if sizing.gpus_per_job:
            directives.append(settings.gpu_request.format(gpus=sizing.gpus_per_job))
        return {
            "job_cpu": sizing.cores_per_job,
            "job_mem": f"{sizing.memory_MiB}M",
            "job_extra_directives": directives,
        }

    def queue_command(self, user: str) -> tuple[str, ...]:
        return ("squeue", "--noheader", "--format=%A", "--user", user)

    def parse_walltime(self, text: str) -> float:
        """Return the seconds of a time limit; a single number counts minutes, and days stand before a dash.

        Examples
        --------
        >>> SLURM.parse_walltime("1-12")
        129600.0
        """
        return parse_clock(text, short=("M", "M:S", "D-H", "D-H:M", "D-H:M:S"))

    def allocated_cores(self, environment: Mapping[str, str]) -> int | None:
        return read_count(environment, "SLURM_CPUS_ON_NODE") if "SLURM_JOB_ID" in environment else None

    def allocated_bytes(self, environment: Mapping[str, str]) -> int | None:
        """Return the memory of a job: SLURM states MiB per node or per core, and 0 for all memory of a node."""
        if "SLURM_JOB_ID" not in environment:
            return None
        per_node = read_count(environment, "SLURM_MEM_PER_NODE")
        if per_node is not None:
            return per_node * MIB
        per_core = read_count(environment, "SLURM_MEM_PER_CPU")
        cores = self.allocated_cores(environment)
        return per_core * cores * MIB if per_core is not None and cores is not None else None


SLURM = Slurm(
    name="slurm",
    title="SLURM",
    job_class="dask_jobqueue.slurm:SLURMJob",
    gpu_request="--gres=gpu:{gpus}",
)
