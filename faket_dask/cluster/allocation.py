"""What this process may use of the machine it runs on: all of it, or what a batch system gave to its job.

A job is told its share in several ways, and no site uses all of them: the processors a process may run on, the
limits of its control group, and variables that the batch system sets. The least of them holds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from distributed.system import memory_limit

MIB = 2**20

CGROUPS = Path("/sys/fs/cgroup")

OWN_GROUPS = Path("/proc/self/cgroup")


def allocated_cores() -> int:
    """Cores that this process may use."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min((affinity, *_cores_of_quota(), *_cores_of_job())))


def allocated_bytes() -> int:
    """Memory that this process and its children may use together."""
    return min((memory_limit(), *_bytes_of_groups(), *_bytes_of_job()))


def _cores_of_job() -> Iterator[int]:
    if "SLURM_JOB_ID" in os.environ:
        yield from _number("SLURM_CPUS_ON_NODE")
    if "PBS_JOBID" in os.environ:
        yield from _number("NCPUS")


def _bytes_of_job() -> Iterator[int]:
    """SLURM tells of memory in MiB, 0 for all of the node's; PBS tells of it by the control group alone."""
    if "SLURM_JOB_ID" not in os.environ:
        return
    yield from (node * MIB for node in _number("SLURM_MEM_PER_NODE"))
    for each in _number("SLURM_MEM_PER_CPU"):
        yield from (each * MIB * cores for cores in _number("SLURM_CPUS_ON_NODE"))


def _number(variable: str) -> Iterator[int]:
    text = os.environ.get(variable, "")
    if text.isdecimal() and int(text):
        yield int(text)


def _cores_of_quota() -> Iterator[int]:
    """Of a container: microseconds of processor time per period, rounded down to whole cores."""
    for folder in _own_groups("cpu"):
        try:
            if (folder / "cpu.max").exists():
                quota, period = (folder / "cpu.max").read_text().split()
            else:
                quota = (folder / "cpu.cfs_quota_us").read_text()
                period = (folder / "cpu.cfs_period_us").read_text()
            if int(quota) > 0:
                yield max(1, int(quota) // int(period))
        except (OSError, ValueError):
            continue


def _bytes_of_groups() -> Iterator[int]:
    for folder in _own_groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            try:
                yield int((folder / name).read_text())
            except (OSError, ValueError):
                continue


def _own_groups(controller: str) -> Iterator[Path]:
    """Folders of this process's control group and of those around it, each of which may set a limit."""
    try:
        lines = OWN_GROUPS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = CGROUPS / controller if controllers else CGROUPS
        own = root / path.lstrip("/")
        yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(root))
