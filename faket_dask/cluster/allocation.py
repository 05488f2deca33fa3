"""Cores and memory that this process may use: those of the machine, or of its job.

A job learns its resources in several ways, and no site uses all of them: the processor affinity, the limits of its
control group, and variables that the batch system sets. The smallest of them holds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from distributed.system import memory_limit

from faket_dask.cluster.jobs import BATCH_SYSTEMS, BatchSystem
from faket_dask.errors import InputError

CGROUPS = Path("/sys/fs/cgroup")
"""Folder of all control groups."""

OWN_GROUPS = Path("/proc/self/cgroup")
"""File that lists the control groups of this process."""


def allocated_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min((affinity, *_quota_cores(), *_job_cores())))


def allocated_bytes() -> int:
    """Return the bytes of memory that this process and its children may use together."""
    return min((memory_limit(), *_group_bytes(), *_job_bytes()))


def _batch_systems() -> Iterator[BatchSystem]:
    """Yield all batch systems but those whose package cannot be imported: nobody has named them here."""
    for name in BATCH_SYSTEMS.names:
        with suppress(InputError):
            yield BATCH_SYSTEMS.get(name)


def _job_cores() -> Iterator[int]:
    for system in _batch_systems():
        cores = system.allocated_cores(os.environ)
        if cores is not None:
            yield cores


def _job_bytes() -> Iterator[int]:
    for system in _batch_systems():
        memory = system.allocated_bytes(os.environ)
        if memory is not None:
            yield memory


def _quota_cores() -> Iterator[int]:
    """Yield a container's quota of processor time per period, rounded down to whole cores."""
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


def _group_bytes() -> Iterator[int]:
    for folder in _own_groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            try:
                yield int((folder / name).read_text())
            except (OSError, ValueError):
                continue


def _own_groups(controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control group and of its parents, each of which may set a limit."""
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
